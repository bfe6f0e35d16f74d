"""Damage to files, at random from a seed, for tests that nothing in a file ends in a traceback."""

from im2tex.errors import Im2TexError

VALUES = [
    *(None, True, False, 0, -1, 7, 0.5, -1e300, 10**40, "", "x", "0.5", "\x1b[2J\x9b", "\ud800"),
    *(
        "\ufeff",
        "\u2028",
        "a\nb\r\tc",
        "x" * 3000,
        "{" * 500,
        r"\frac{",
        r"\left(",
        "$$",
        "../../x",
    ),
    *([], {}, [[]], [None], ["x"], ["\udfff"], {"a": {"b": [1]}}, [1, "x"], {"": ""}),
]
SNIPPETS = [
    *("NaN", "-Infinity", "1e999", "9" * 400, "9" * 5000, "[" * 20_000, '{"a":' * 20_000),
    *('"', "\\", "\\ud800", "\\u0000", "\0", "\r", "\n\n", "\t", "}", "{", ",", "null", "\ufeff"),
    *("\x1b]0;x\x07", "\u202e", "é", "\U0001d465", "$", "%", "\\begin{array}", '"key": 1,'),
]
ENCODINGS = ["utf-8"] * 8 + ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"]


def damaged_value(value, rng):
    """A value of JSON with one part put out, doubled, renamed or replaced, at any depth."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        name = rng.choice(list(value))
        changed = dict(value)
        kind = rng.randrange(4)
        if kind == 0:
            del changed[name]
        elif kind == 1:
            changed[rng.choice(["more", "", "\x1b", "key", "metrics"])] = changed.pop(name)
        else:
            changed[name] = damaged_value(value[name], rng)
        return changed
    if isinstance(value, list) and value and rng.random() < 0.85:
        place = rng.randrange(len(value))
        return [*value[:place], damaged_value(value[place], rng), *value[place + 1 :]]
    return rng.choice(VALUES)


def damaged_text(text, rng):
    """Text with pieces put in, cut out or doubled."""
    for _ in range(rng.randrange(1, 4)):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice([0, 1, 1, 5, 40]))
        piece = rng.choice([*SNIPPETS, text[start:end] * 2, ""])
        text = text[:start] + piece + text[end:]
    return text


def damaged_bytes(text, rng):
    """A file of the text in one of many encodings, at times with some bytes changed."""
    raw = bytearray(text.encode(rng.choice(ENCODINGS), "backslashreplace"))
    for _ in range(rng.choice([0, 0, 0, 1, 3])):
        if raw:
            raw[rng.randrange(len(raw))] = rng.randrange(256)
    return bytes(raw[: rng.randrange(len(raw) + 1)] if rng.random() < 0.05 else raw)


def ends_well(action):
    """Whether an action ends without an error; false after one that a person can put right.

    Its message is one line that can be read.
    """
    try:
        action()
    except Im2TexError as error:
        said = str(error)
        assert said
        assert "\n" not in said
        assert len(said) < 1500
        return False
    return True
