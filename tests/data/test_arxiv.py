"""A data set made in the paper's way: what is taken, that it can be stopped, and parts of it."""

import json
from collections import Counter

import pytest
from printed_factory import Press, formula, opened, size_of, table

from im2tex.data.preparation.printed import rendering
from im2tex.data.source import SOURCES
from im2tex.data.sources import arxiv
from im2tex.data.store import write_split
from im2tex.errors import Im2TexError
from im2tex.latex.normalize import normalize


@pytest.fixture
def press(monkeypatch):
    """Draws instead of TeX, in parts of 20."""
    press = Press()
    monkeypatch.setattr(arxiv, "open_renderer", opened(press))
    monkeypatch.setattr(rendering.SplitRenderer.__init__, "__defaults__", (20,))
    return press


@pytest.fixture
def listed(tmp_path):
    """A hundred formulas of fifty papers, displays and others in turn."""
    rows = [(f"p{i // 2}", "di"[i % 2], formula(i)) for i in range(100)]
    return table(tmp_path / "formulas.tsv", rows)


def source(**settings):
    return SOURCES.build("arxiv", settings)


def everything(root, **settings):
    """Every sample by split."""
    made = source(**settings)
    made.ensure(root)
    return {name: list(made.split(root, name)) for name in made.available(root)}


# ---------------------------------------------------------------- what is made


def test_every_formula_is_in_one_split_by_its_paper(press, listed, tmp_path):
    prepared = source(validation=0.2, test=0.2).prepare(tmp_path, str(listed))
    splits = everything(tmp_path)
    assert prepared.splits == {name: len(samples) for name, samples in splits.items()}
    assert sum(prepared.splits.values()) == 100
    homes = {}
    for name, samples in splits.items():
        for sample in samples:
            homes.setdefault(sample.extra["paper"], set()).add(name)
    assert len(homes) == 50
    assert all(len(home) == 1 for home in homes.values())
    assert set(splits) == {"train", "validation", "test"}


def test_a_sample_is_the_formula_its_normal_form_and_half_of_its_picture(press, listed, tmp_path):
    source().prepare(tmp_path, str(listed))
    for sample in everything(tmp_path)["train"]:
        assert " ".join(sample.tokens) == normalize(sample.latex)
        assert sample.extra["tok"] == normalize(sample.latex, "tok")
        # 4 pixels a character and 20 high, 8 of paper on every side, then half of it.
        assert size_of(sample.image) == ((4 * len(sample.latex) + 16) // 2, (20 + 16) // 2)


def test_what_is_left_out_is_counted_by_reason(press, tmp_path):
    prose = "is followed by some running text with $ in the wrong place"
    rows = [(f"p{i}", "d", formula(i)) for i in range(40)]
    rows += [("q", "d", formula(3).replace("^", " ^")), ("q", "i", "x"), ("q", "i", "{" * 50)]
    rows += [("q", "i", prose), ("q", "d", "x" * 1024), ("q0", "d", formula(99, 40))]
    rows += [(f"b{i}", "d", "\\bad" + formula(200 + i)) for i in range(10)]
    path = table(tmp_path / "list.tsv", rows)
    said = "\n".join(source(validation=0, test=0).prepare(tmp_path, str(path)).lines)
    for line in (
        "56 formulas found, 50 of them to draw",
        "2 left out: not between 40 and 1024 characters",
        "1 left out: running text between dollars that do not pair",
        "1 left out: cannot be read",
        "1 left out: the same as another",
        "1 left out: longer than 150 tokens",
        "train: 10 left out: not drawn: TeX reports an error",
    ):
        assert line in said
    problems = (tmp_path / "arxiv" / "problems.tsv").read_text().splitlines()
    assert len(problems) == 1 + 10
    assert "Undefined control sequence." in problems[1]


def test_pictures_over_the_limits_are_left_out_of_training_and_not_of_the_test(press, tmp_path):
    # 4 pixels a character and 16 of paper, halved, are over 500 from 247 characters on.
    wide = [formula(i) + r" \varepsilon" * 20 for i in range(30)]
    assert min(map(len, wide)) >= 247
    path = table(tmp_path / "list.tsv", [(f"p{i}", "d", text) for i, text in enumerate(wide)])
    path.open("a").writelines(f"n{i}\td\t{formula(100 + i)}\n" for i in range(30))
    prepared = source(validation=0.3, test=0.3).prepare(tmp_path, str(path))
    splits = everything(tmp_path)
    for name in ("train", "validation"):
        assert all(size_of(sample.image)[0] <= 500 for sample in splits[name])
    assert any(size_of(sample.image)[0] > 500 for sample in splits["test"])
    assert any("larger than 500 x 160" in line for line in prepared.lines)


def test_formulas_to_be_tested_on_elsewhere_are_in_no_split(press, listed, tmp_path):
    held = [normalize(formula(i)) for i in range(0, 10)]
    samples = [
        rendering.Sample(str(i), text, tuple(text.split())) for i, text in enumerate(held[:5])
    ]
    write_split(tmp_path / "im2latex" / "test.parquet", samples, {"source": "im2latex"})
    more = tmp_path / "more.txt"
    more.write_text("\n".join(formula(i) for i in range(5, 10)))
    prepared = source(exclude=str(more)).prepare(tmp_path, str(listed))
    assert sum(prepared.splits.values()) == 90
    assert "10 left out: in a set to be tested on" in prepared.lines
    found = {" ".join(s.tokens) for samples in everything(tmp_path).values() for s in samples}
    assert found.isdisjoint(held)


def test_a_smaller_data_set_is_the_beginning_of_a_larger_one(press, listed, tmp_path):
    source(limit=20, limit_validation=2, limit_test=2).prepare(tmp_path / "a", str(listed))
    source().prepare(tmp_path / "b", str(listed))
    small, large = everything(tmp_path / "a"), everything(tmp_path / "b")
    assert len(small["train"]) == 20
    for name, samples in small.items():
        assert [s.key for s in samples] == [s.key for s in large[name][: len(samples)]]
    # No more was drawn than the parts that it took.
    assert len(press.drawn) < 100 + 60


def test_from_latex_sources(press, tmp_path):
    papers = tmp_path / "papers"
    for i in range(4):
        body = "\n".join(f"$${formula(10 * i + k)}$$" for k in range(5))
        (papers / f"p{i}").mkdir(parents=True)
        (papers / f"p{i}" / "main.tex").write_text(
            "\\documentclass{article}\n\\begin{document}\n" + body + "\n\\end{document}\n"
        )
    prepared = source(validation=0.0, test=0.0).prepare(tmp_path, str(papers))
    assert prepared.splits == {"train": 20}
    assert "4 papers read, 20 formulas found, 20 of them to draw" in prepared.lines
    counts = Counter(sample.extra["paper"] for sample in everything(tmp_path)["train"])
    assert sorted(counts.values()) == [5, 5, 5, 5]


# ---------------------------------------------------------------- interruptions


def test_an_interrupted_preparation_goes_on_where_it_stopped(press, listed, tmp_path):
    source().prepare(tmp_path / "whole", str(listed))
    press.drawn.clear()
    press.jams_after = 50
    with pytest.raises(KeyboardInterrupt):
        source().prepare(tmp_path / "parts", str(listed))
    assert not source().available(tmp_path / "parts")
    press.jams_after = None
    prepared = source().prepare(tmp_path / "parts", str(listed))
    assert "went on where an earlier preparation had stopped" in prepared.lines
    # Two parts of 20 were kept, the ten of the third were drawn again.
    assert len(press.drawn) == 50 + 60
    assert everything(tmp_path / "parts") == everything(tmp_path / "whole")
    assert not list((tmp_path / "parts" / "arxiv").glob(".*"))


def test_other_settings_or_another_list_start_anew(press, listed, tmp_path):
    press.jams_after = 50
    with pytest.raises(KeyboardInterrupt):
        source().prepare(tmp_path, str(listed))
    press.jams_after = None
    press.drawn.clear()
    prepared = source(max_tokens=100).prepare(tmp_path, str(listed))
    assert len(press.drawn) == 100
    assert not any("went on" in line for line in prepared.lines)


def test_a_damaged_part_is_made_again(press, listed, tmp_path):
    press.jams_after = 50
    with pytest.raises(KeyboardInterrupt):
        source().prepare(tmp_path, str(listed))
    part = tmp_path / "arxiv" / ".preparing" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    press.jams_after = None
    assert sum(source().prepare(tmp_path, str(listed)).splits.values()) == 100


# ---------------------------------------------------------------- a part of a store


def test_a_store_serves_every_part_of_it(press, listed, tmp_path):
    source(validation=0.2, test=0.2).prepare(tmp_path, str(listed))
    whole = everything(tmp_path)
    some = everything(tmp_path, kinds=["d"], limit=10)
    assert [s.key for s in some["train"]] == [
        s.key for s in whole["train"] if s.extra["kind"] == "d"
    ][:10]
    assert all(s.extra["kind"] == "d" for s in some["test"])
    longest = sorted(len(s.tokens) for s in whole["train"])[20]
    short = everything(tmp_path, max_tokens=longest)
    assert max(len(s.tokens) for s in short["train"]) <= longest
    assert len(short["test"]) == len(whole["test"])
    tok = everything(tmp_path, labels="tok")
    assert [" ".join(s.tokens) for s in tok["train"]] == [s.extra["tok"] for s in whole["train"]]


def test_what_a_store_was_not_made_with_is_said_with_the_command(press, listed, tmp_path):
    source(limit=20, kinds=["d"], max_tokens=100).prepare(tmp_path, str(listed))
    for settings, words in (
        ({"max_tokens": 120}, "max_tokens=120, made with 100"),
        ({"kinds": ["i"]}, r"kinds=\['i'\], made with \['d'\]"),
        ({"min_characters": 10}, "min_characters=10, made with 40"),
    ):
        with pytest.raises(Im2TexError, match=words):
            source(**settings).ensure(tmp_path)
    with pytest.raises(Im2TexError, match=r"--source_args '\{max_tokens: 120\}'"):
        source(max_tokens=120).ensure(tmp_path)
    with pytest.raises(Im2TexError, match=r"limit=30, but .* at most 20 samples"):
        source(limit=30).split(tmp_path, "train")
    with pytest.raises(Im2TexError, match=r"does not exist. Make it with `im2tex data prepare"):
        source().ensure(tmp_path / "elsewhere")


def test_a_store_says_what_it_was_made_of(press, listed, tmp_path):
    source(limit=20, labels="tok").prepare(tmp_path, str(listed))
    about = source().split(tmp_path, "train").metadata
    assert about["settings"]["limits"]["train"] == 20
    assert about["renderer"] == "press 1"
    assert about["origin"]["files"] == 1
    part = source(limit=5).split(tmp_path, "train").metadata
    assert part["selection"] == {"limit": 5}
    json.dumps(part)


# ---------------------------------------------------------------- a person's mistakes


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"limit": 0}, "limit is at least 1"),
        ({"limit_test": -1}, "limit_test is at least 1"),
        ({"min_characters": 50, "max_characters": 50}, "is not below"),
        ({"validation": 0.6, "test": 0.4}, "leave something to train on"),
        ({"kinds": []}, "kinds is empty"),
        ({"kinds": ["x"]}, "kinds"),
        ({"labels": "raw"}, "labels"),
    ],
)
def test_settings_out_of_range_are_named(settings, words):
    with pytest.raises(Im2TexError, match=words):
        source(**settings)


def test_lists_that_cannot_be_used_are_named(press, tmp_path, monkeypatch):
    monkeypatch.delenv("IM2TEX_DATA", raising=False)
    with pytest.raises(Im2TexError, match="--from"):
        source().prepare(tmp_path)
    with pytest.raises(Im2TexError, match=r"no\.tsv does not exist"):
        source().prepare(tmp_path, str(tmp_path / "no.tsv"))
    bad = tmp_path / "bad.tsv"
    bad.write_text("a\tb\n1\t2\n")
    with pytest.raises(Im2TexError, match="no column of formulas"):
        source().prepare(tmp_path, str(bad))
    bad.write_text("raw\tb\n1\n")
    with pytest.raises(Im2TexError, match="line 2: 1 columns where the header has 2"):
        source().prepare(tmp_path, str(bad))
    torn = tmp_path / "torn.txt.xz"
    torn.write_bytes(b"\xfd7zXZ\x00 no more")
    with pytest.raises(Im2TexError, match=r"torn\.txt\.xz cannot be read"):
        source().prepare(tmp_path, str(torn))
    few = tmp_path / "few.txt"
    few.write_text("x\ny\n")
    with pytest.raises(Im2TexError, match="leaves nothing to train on"):
        source().prepare(tmp_path, str(few))
    with pytest.raises(Im2TexError, match="--labels"):
        source().prepare(tmp_path, str(few), few)
