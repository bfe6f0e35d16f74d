"""The cache: what was drawn is not drawn again, and nothing else is taken for it."""

import threading

import pytest

from im2tex.errors import Im2TexError
from im2tex.render import Cause, Failure, Rendering
from im2tex.render.cache import CachedRenderer


class Counting:
    """Draws a formula as its own bytes, and remembers what it was asked for."""

    engine = "counting"

    def __init__(self, signature="one"):
        self.signature = signature
        self.asked = []
        self.closed = False

    def render(self, formulas):
        for formula in formulas:
            self.asked.append(formula)
            if formula in ("tex", "limit"):
                yield Rendering(failure=Failure(Cause(formula), "why"))
            else:
                yield Rendering(png=f"{self.signature} {formula}".encode())

    def close(self):
        self.closed = True


def drawn(path, formulas, signature="one", **options):
    renderer = Counting(signature)
    cached = CachedRenderer(renderer, path, **options)
    found = list(cached.render(formulas))
    cached.close()
    assert renderer.closed
    return found, renderer.asked


def test_drawn_once(tmp_path):
    path = tmp_path / "new" / "cache.sqlite"
    formulas = ["a", "b", "a", "tex", "c"]
    first, asked = drawn(path, formulas)
    assert asked == ["a", "b", "tex", "c"]
    assert [item.png for item in first] == [b"one a", b"one b", b"one a", None, b"one c"]
    second, asked = drawn(path, [*formulas, "d"])
    assert asked == ["d"]
    assert second[:-1] == first
    assert second[3].failure == Failure(Cause.TEX, "why")


def test_another_setting_is_another_picture(tmp_path):
    drawn(tmp_path / "cache", ["a"])
    found, asked = drawn(tmp_path / "cache", ["a"], signature="two")
    assert asked == ["a"]
    assert found[0].png == b"two a"


def test_limits_are_tried_again(tmp_path):
    drawn(tmp_path / "cache", ["limit"])
    assert drawn(tmp_path / "cache", ["limit"])[1] == ["limit"]


def test_any_text_is_a_key(tmp_path):
    odd = ["\udc80", "\0", "", "é"]
    drawn(tmp_path / "cache", [text for text in odd if text != "\udc80"])
    found, _ = drawn(tmp_path / "cache", odd[1:])
    assert [item.png for item in found] == [f"one {text}".encode() for text in odd[1:]]


def test_what_was_drawn_before_a_stop_is_kept(tmp_path):
    cached = CachedRenderer(Counting(), tmp_path / "cache")
    stream = cached.render(["a", "b", "c"])
    next(stream)
    stream.close()
    cached.close()
    assert drawn(tmp_path / "cache", ["a", "b"])[1] == ["b"]


def test_it_does_not_grow_without_bound(tmp_path):
    path = tmp_path / "cache"
    for start in range(0, 4000, 500):
        drawn(path, [f"{n} " + "x" * 1000 for n in range(start, start + 500)], max_bytes=1 << 20)
    # The newest are still there, the oldest are not.
    assert drawn(path, ["3999 " + "x" * 1000])[1] == []
    assert drawn(path, ["0 " + "x" * 1000])[1] != []
    assert path.stat().st_size < 4 << 20


def test_two_at_a_time(tmp_path):
    path = tmp_path / "cache"
    done = []

    def work(first):
        done.append(drawn(path, [str(n) for n in range(first, first + 300)])[0])

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    assert drawn(path, ["0", "399"])[1] == []


def test_a_file_that_is_none_is_said(tmp_path):
    path = tmp_path / "cache"
    path.write_bytes(b"not a database, and long enough to be taken for one" * 99)
    with pytest.raises(Im2TexError, match="--no-cache"):
        CachedRenderer(Counting(), path)
