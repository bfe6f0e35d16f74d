"""The cache of renderings."""

import os
import sqlite3
import threading

import pytest

from im2tex.render import Cause, Failure, Rendering, cache
from im2tex.render.cache import CachedRenderer


class Counting:
    """Renders a formula as its own bytes, and records the formulas."""

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


def render_cached(path, formulas, signature="one", **options):
    renderer = Counting(signature)
    cached = CachedRenderer(renderer, path, **options)
    found = list(cached.render(formulas))
    cached.close()
    assert renderer.closed
    return found, renderer.asked


def test_cache_renders_each_formula_once(tmp_path):
    path = tmp_path / "new" / "cache.sqlite"
    formulas = ["a", "b", "a", "tex", "c"]
    first, asked = render_cached(path, formulas)
    assert asked == ["a", "b", "tex", "c"]
    assert [item.png for item in first] == [b"one a", b"one b", b"one a", None, b"one c"]
    second, asked = render_cached(path, [*formulas, "d"])
    assert asked == ["d"]
    assert second[:-1] == first
    assert second[3].failure == Failure(Cause.TEX, "why")


def test_cache_separates_signatures(tmp_path):
    render_cached(tmp_path / "cache", ["a"])
    found, asked = render_cached(tmp_path / "cache", ["a"], signature="two")
    assert asked == ["a"]
    assert found[0].png == b"two a"


def test_cache_does_not_keep_exceeded_limits(tmp_path):
    render_cached(tmp_path / "cache", ["limit"])
    assert render_cached(tmp_path / "cache", ["limit"])[1] == ["limit"]


def test_cache_takes_any_text_as_key(tmp_path):
    odd = ["\udc80", "\0", "", "é"]
    render_cached(tmp_path / "cache", [text for text in odd if text != "\udc80"])
    found, _ = render_cached(tmp_path / "cache", odd[1:])
    assert [item.png for item in found] == [f"one {text}".encode() for text in odd[1:]]


def test_cache_keeps_renderings_of_an_interrupted_stream(tmp_path):
    cached = CachedRenderer(Counting(), tmp_path / "cache")
    stream = cached.render(["a", "b", "c"])
    next(stream)
    stream.close()
    cached.close()
    assert render_cached(tmp_path / "cache", ["a", "b"])[1] == ["b"]


def test_cache_removes_oldest_rows_beyond_max_bytes(tmp_path):
    path = tmp_path / "cache"
    for start in range(0, 4000, 500):
        render_cached(
            path, [f"{n} " + "x" * 1000 for n in range(start, start + 500)], max_bytes=1 << 20
        )
    # The newest are still there, the oldest are not.
    assert render_cached(path, ["3999 " + "x" * 1000])[1] == []
    assert render_cached(path, ["0 " + "x" * 1000])[1] != []
    assert path.stat().st_size < 4 << 20


def test_cache_shared_by_two_threads(tmp_path):
    path = tmp_path / "cache"
    done = []

    def work(first):
        done.append(render_cached(path, [str(n) for n in range(first, first + 300)])[0])

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    assert render_cached(path, ["0", "399"])[1] == []


def damaged_text(path):
    path.write_bytes(b"not a database, and long enough to be taken for one" * 99)


def damaged_header(path):
    path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40)


def damaged_inside(path):
    render_cached(path, [str(n) for n in range(500)])
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))


def damaged_cut(path):
    render_cached(path, [str(n) for n in range(500)])
    path.write_bytes(path.read_bytes()[:5000])


def damaged_other_columns(path):
    base = sqlite3.connect(path)
    base.execute("CREATE TABLE renderings (key, picture)")
    base.commit()
    base.close()


def damaged_directory(path):
    path.mkdir()


def damaged_pipe(path):
    os.mkfifo(path)


def damaged_side_pipe(path):
    render_cached(path, ["0"])
    os.mkfifo(f"{path}-wal")


def damaged_parent(path):
    path.parent.rmdir()
    path.parent.write_text("a file where the folder should be")


def damaged_loop(path):
    path.symlink_to(path)


DAMAGES = [value for name, value in sorted(globals().items()) if name.startswith("damaged_")]


@pytest.mark.parametrize("damage", DAMAGES)
def test_unusable_cache_warns_once_and_renders(tmp_path, damage):
    path = tmp_path / "folder" / "cache"
    path.parent.mkdir()
    damage(path)
    with pytest.warns(UserWarning, match="is not used") as caught:
        found, asked = render_cached(path, ["a", "b", "a"])
    assert [item.png for item in found] == [b"one a", b"one b", b"one a"]
    assert "a" in asked
    assert len(caught) == 1
    assert "\n" not in str(caught[0].message)


def test_locked_cache_warns_and_renders(tmp_path, monkeypatch):
    path = tmp_path / "cache"
    render_cached(path, ["a"])
    monkeypatch.setattr(cache, "_LOCK_TIMEOUT", 0.2)
    other = sqlite3.connect(path)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.warns(UserWarning, match="locked"):
        assert render_cached(path, ["a"])[1] == ["a"]
    other.close()


def test_cache_failing_in_use_warns_once_and_renders(tmp_path):
    renderer = Counting()
    cached = CachedRenderer(renderer, tmp_path / "cache")
    list(cached.render(["a"]))
    cached._base.execute("DROP TABLE renderings")
    with pytest.warns(UserWarning, match="no such table") as caught:
        found = list(cached.render(["a", "b"])) + list(cached.render(["c"]))
    cached.close()
    assert [item.png for item in found] == [b"one a", b"one b", b"one c"]
    assert len(caught) == 1


def test_cache_on_full_disk_warns_and_renders(tmp_path):
    cached = CachedRenderer(Counting(), tmp_path / "cache")
    cached._base.execute("PRAGMA max_page_count=4")
    with pytest.warns(UserWarning, match="full"):
        found = list(cached.render([str(n) for n in range(300)]))
    cached.close()
    assert [item.png for item in found] == [f"one {n}".encode() for n in range(300)]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE renderings SET png = x'00'",
        "UPDATE renderings SET png = 7",
        "UPDATE renderings SET png = NULL",
        "UPDATE renderings SET png = NULL, cause = 'tex', reason = 'made up'",
        "UPDATE renderings SET cause = 'nonsense'",
        "UPDATE renderings SET checksum = NULL",
        # The PNG files of the two formulas, swapped.
        "UPDATE renderings SET png = CAST(CASE png WHEN CAST('one a' AS BLOB) THEN 'one b' "
        "ELSE 'one a' END AS BLOB)",
    ],
)
def test_damaged_cache_row_is_rendered_again(tmp_path, change):
    path = tmp_path / "cache"
    render_cached(path, ["a", "b"])
    base = sqlite3.connect(path)
    base.execute(change)
    base.commit()
    base.close()
    found, asked = render_cached(path, ["a", "b"])
    assert asked == ["a", "b"]
    assert [item.png for item in found] == [b"one a", b"one b"]
    assert render_cached(path, ["a", "b"])[1] == []


def test_default_cache_path_without_home_is_none(monkeypatch):
    def no_home():
        raise RuntimeError("no home")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(cache.Path, "home", no_home)
    assert cache.default_cache_path() is None
