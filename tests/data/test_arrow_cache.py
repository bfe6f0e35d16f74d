"""Files derived from a split: made once, made again when stale or damaged, equal to the split."""

import os
import pickle
import random
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields
from multiprocessing import get_context

import numpy as np
import pyarrow.parquet as pq
import pytest
from ink_factory import png, row, square

from im2tex.data import arrow_cache, geometry_workers, row_batches, store
from im2tex.data.geometry import Geometry
from im2tex.data.sample import Sample
from im2tex.data.store import Split, write_split
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink, Symbol

SAMPLES = [
    row("abc"),
    Sample("picture", "x", ("x",), image=png(np.eye(9, dtype=np.uint8) * 255)),
    Sample("unicode", "größe", ("ä", "b", "∑"), Ink((square(0, 0),), (Symbol("∑", (0,), 2),))),
    Sample("unreadable", "y", ("y",), image=b"no image", extra={"a": "b", "ü": "c"}),
    Sample("unlabelled", "", (), Ink((square(1, 2), square(3, 4)))),
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "made" / "train.parquet"
    write_split(path, SAMPLES, {})
    return path


def derived(path, kind):
    return path.parent / ".arrow" / f"{path.stem}.{kind}.arrow"


def contents(split):
    return [
        (
            *(sample.key, sample.latex, sample.tokens, sample.image, dict(sample.extra)),
            sample.ink and (sample.ink.symbols, [stroke.tolist() for stroke in sample.ink.strokes]),
        )
        for sample in split
    ]


def assert_equal(one, other):
    for field in fields(Geometry):
        assert np.array_equal(getattr(one, field.name), getattr(other, field.name)), field.name


def test_split_from_derived_file_equals_samples(path):
    assert contents(Split(path)) == contents(SAMPLES)
    modified = derived(path, "samples").stat().st_mtime_ns
    assert contents(Split(path)) == contents(SAMPLES)
    assert derived(path, "samples").stat().st_mtime_ns == modified


def test_split_in_many_batches_equals_samples(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_BATCH_ROWS", 2)
    monkeypatch.setattr(row_batches, "_MAX_OPEN", 1)
    path = tmp_path / "train.parquet"
    write_split(path, SAMPLES, {}, chunk=3, rows_per_file=4)
    split = Split(path)
    for order in ([4, 0, 3, 3, 1], [], [2], [0, 1, 2, 3, 4]):
        chosen = [SAMPLES[i] for i in order]
        assert contents([split[i] for i in order]) == contents(chosen)
        part = split.take(order, {})
        assert contents(part) == contents(chosen)
        assert list(part.tokens()) == [list(sample.tokens) for sample in chosen]
        assert part.all_keys() == [sample.key for sample in chosen]
        assert part.token_counts() == Counter(t for sample in chosen for t in sample.tokens)
    assert split.token_counts() == Counter(t for sample in SAMPLES for t in sample.tokens)


def test_split_without_samples_is_empty(tmp_path):
    path = tmp_path / "train.parquet"
    write_split(path, [], {})
    split = Split(path)
    assert list(split) == split.all_keys() == []
    assert len(split.geometry) == 0
    assert not split.token_counts()


def test_geometry_is_stored_and_equals_measured(path, monkeypatch):
    expected = Geometry.of(SAMPLES)
    assert_equal(Split(path).geometry, expected)
    monkeypatch.setattr(store, "measure_split", None)  # not measured again
    split = Split(path)
    assert_equal(split.geometry, expected)
    assert_equal(split.take([4, 0], {}).geometry, Geometry.of([SAMPLES[4], SAMPLES[0]]))


def test_geometry_of_several_processes_is_equal(path, monkeypatch):
    monkeypatch.setattr(geometry_workers, "_CHUNK", 2)
    split = Split(path)
    assert_equal(
        geometry_workers.measure_split(Split, split.path, processes=2), Geometry.of(SAMPLES)
    )


def test_changed_split_is_read_anew(path):
    _ = Split(path).geometry
    write_split(path, [row("xy")], {})
    assert [sample.tokens for sample in Split(path)] == [("x", "y")]
    assert Split(path).geometry.length.tolist() == [2]


@pytest.mark.parametrize("kind", arrow_cache.KINDS)
def test_truncated_derived_file_is_made_again(path, kind):
    _ = Split(path).geometry
    file = derived(path, kind)
    whole = file.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:size])
        split = Split(path)
        assert contents(split) == contents(SAMPLES)
        assert_equal(split.geometry, Geometry.of(SAMPLES))


@pytest.mark.parametrize("kind", arrow_cache.KINDS)
def test_derived_file_of_other_version_is_made_again(path, kind, monkeypatch):
    monkeypatch.setattr(arrow_cache, "VERSION", 0)
    _ = Split(path).geometry
    old = derived(path, kind).read_bytes()
    monkeypatch.undo()
    _ = Split(path).geometry
    assert derived(path, kind).read_bytes() != old


def test_derived_file_with_changed_bytes_is_no_crash(path):
    _ = Split(path).geometry
    rng = random.Random(18)
    for kind in arrow_cache.KINDS:
        file = derived(path, kind)
        whole = file.read_bytes()
        for _ in range(200):
            data = bytearray(whole)
            at = rng.randrange(len(data))
            data[at] = (data[at] + rng.randrange(1, 256)) % 256
            file.write_bytes(data)
            try:
                split = Split(path)
                assert len(split.geometry) == len(contents(split)) == len(SAMPLES)
                assert len(list(split.tokens())) == len(SAMPLES)
            except Im2TexError as error:
                assert str(path.parent) in str(error)  # noqa: PT017
        file.write_bytes(whole)


def test_damaged_batch_of_derived_file_is_named(path, monkeypatch):
    split = Split(path)

    def damaged(batch):
        raise ValueError("odd")

    monkeypatch.setattr(row_batches, "_OpenBatch", damaged)
    with pytest.raises(Im2TexError, match=rf"{derived(path, 'samples')} is damaged: odd. Remove"):
        split[0]


@pytest.mark.parametrize(
    ("ink", "reason"),
    [
        (Ink((np.zeros((1, 3), np.float32),)), "odd number of coordinates"),
        (Ink((np.zeros((0, 2), np.float32),)), "a stroke has no point"),
        (Ink((np.array([(0, np.nan)], np.float32),)), "not finite"),
        (Ink((square(0, 0),), (Symbol("x", (1,), 0),)), "a stroke that its ink does not have"),
    ],
)
def test_split_with_impossible_ink_raises(tmp_path, ink, reason):
    path = tmp_path / "train.parquet"
    write_split(path, [Sample("k", "x", ("x",), ink)], {})
    with pytest.raises(Im2TexError, match=rf"{path} cannot be read as a store: .*{reason}"):
        Split(path)


def test_split_of_read_only_folder_uses_cache_folder(path, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (path.parent / ".arrow").write_text("in the place of a folder", encoding="utf-8")
    assert len(Split(path).geometry) == len(SAMPLES)
    assert len(list((tmp_path / "cache").rglob("*.arrow"))) == 2
    assert contents(Split(path)) == contents(SAMPLES)
    arrow_cache.remove_derived(path)
    assert not list((tmp_path / "cache").rglob("*.arrow"))


def test_split_without_writable_folder_raises_with_advice(path, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the place of a folder", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (path.parent / ".arrow").write_text("in the place of a folder", encoding="utf-8")
    with pytest.raises(Im2TexError, match=r"cannot be written.*XDG_CACHE_HOME"):
        Split(path)


def test_full_disk_is_named_and_leaves_no_file(path):
    (path.parent / ".arrow").mkdir()
    part = derived(path, "samples")
    part.with_name(f".{part.name}.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(Im2TexError, match=r"cannot write .*No space left on device.*XDG_CACHE"):
        Split(path)
    assert os.listdir(path.parent / ".arrow") == []


def test_split_pickled_is_opened_again(path):
    split = Split(path).take([2, 0], {"selection": {}}).relabel([["q"], ["r", "s"]], {})
    _ = split.geometry
    assert len(pickle.dumps(split)) < 2000
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(contents, split).result() == contents(split)
    again = pickle.loads(pickle.dumps(split))
    assert again.metadata == split.metadata
    assert again.geometry.length.tolist() == [1, 2]


def test_split_opened_by_two_processes_at_once_is_complete(path):
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(_open_and_measure, [path] * 4))
    assert found == [(contents(SAMPLES), len(SAMPLES))] * 4


def _open_and_measure(path):
    split = Split(path)
    return contents(split), len(split.geometry)


def test_split_of_older_version_is_read(path):
    columns = pq.read_table(path).drop_columns(["layout", "ink_extent"])
    pq.write_table(columns, path)
    assert contents(Split(path)) == contents(SAMPLES)
