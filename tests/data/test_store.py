"""The store: what is written comes back, and a split is whole or not there."""

import errno
import os
import random

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ink_factory import png, row, square

from im2tex.data import store
from im2tex.data.sample import Sample
from im2tex.data.store import Split, write_split
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink, Symbol

SAMPLES = [
    row("abc"),
    Sample("picture", "x", ("x",), image=png(np.eye(9, dtype=np.uint8) * 255)),
    Sample(
        "partly",
        r"\frac 1 = 1e3",
        (r"\frac", "=", "1e3"),
        Ink((square(0, 0), np.array([(1.5, -2.25)], dtype=np.float32)), (Symbol("-", (1,), -1),)),
        extra={"writer": "w1", "collection": "HAMEX"},
    ),
    Sample("unlabelled", "", (), Ink((square(1, 2),))),
]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "made" / "train.parquet"
    assert write_split(path, SAMPLES, {"source": "made", "licence": "none"}) == 4
    return path


def test_store_samples_are_read_back(path):
    split = Split(path)
    assert len(split) == 4
    for sample, again in zip(SAMPLES, split, strict=True):
        for name in ("key", "latex", "tokens", "image", "extra"):
            assert getattr(again, name) == getattr(sample, name)
        if sample.ink is None:
            assert again.ink is None
        else:
            assert again.ink.symbols == sample.ink.symbols
            for stroke, other in zip(sample.ink.strokes, again.ink.strokes, strict=True):
                assert other.dtype == np.float32
                assert np.array_equal(stroke, other)
    assert split.metadata == {"format": 1, "source": "made", "licence": "none"}


def test_split_is_indexed_like_a_list(path):
    split = Split(path)
    assert split[-1].key == "unlabelled"
    assert [sample.key for sample in split[1:3]] == ["picture", "partly"]
    for index in (4, -5):
        with pytest.raises(IndexError):
            split[index]


def test_split_labels_and_keys_are_read_without_inks(path):
    split = Split(path)
    assert list(split.tokens()) == [list(sample.tokens) for sample in SAMPLES]
    assert split.all_keys() == [sample.key for sample in SAMPLES]


@pytest.mark.parametrize("chunk", [1, 3, 4, 100])
def test_write_split_any_chunk_gives_same_split(tmp_path, chunk):
    path = tmp_path / "train.parquet"
    write_split(path, SAMPLES, {}, chunk=chunk)
    assert [sample.key for sample in Split(path)] == [sample.key for sample in SAMPLES]


def test_write_split_duplicate_key_raises_and_writes_nothing(tmp_path):
    path = tmp_path / "train.parquet"
    with pytest.raises(Im2TexError, match="'a b c' occurs twice"):
        write_split(path, [row("abc"), row("abc")], {})
    assert os.listdir(tmp_path) == []


def test_write_split_failure_keeps_earlier_split(path):
    def broken():
        yield SAMPLES[0]
        raise Im2TexError("the archive ends here")

    with pytest.raises(Im2TexError, match="the archive ends here"):
        write_split(path, broken(), {}, chunk=1)
    assert os.listdir(path.parent) == ["train.parquet"]
    assert len(Split(path)) == 4


def test_write_split_full_disk_keeps_earlier_split(path, monkeypatch):
    class Full(pq.ParquetWriter):
        def write_table(self, *rest, **options):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(store.pq, "ParquetWriter", Full)
    with pytest.raises(
        Im2TexError, match=r"train\.parquet: No space left on device.*free disk space"
    ):
        write_split(path, SAMPLES, {})
    monkeypatch.undo()
    assert os.listdir(path.parent) == ["train.parquet"]
    assert len(Split(path)) == 4


def test_write_split_full_device_names_reason(tmp_path, monkeypatch):
    # The bytes really go to a device without room.
    path = tmp_path / "train.parquet"
    (tmp_path / f".{path.name}.{os.getpid()}.part").symlink_to("/dev/full")
    with pytest.raises(Im2TexError, match="No space left on device"):
        write_split(path, SAMPLES, {})
    assert os.listdir(tmp_path) == []


def test_write_split_unwritable_folder_raises(tmp_path):
    (tmp_path / "file").write_text("in the place of a folder", encoding="utf-8")
    with pytest.raises(Im2TexError, match=r"cannot write .*Choose another folder with --root"):
        write_split(tmp_path / "file" / "made" / "train.parquet", SAMPLES, {})


def test_split_of_other_file_raises(tmp_path, path):
    with pytest.raises(Im2TexError, match="does not exist"):
        Split(tmp_path / "nowhere.parquet")
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(path.read_bytes()[:300])
    with pytest.raises(Im2TexError, match="cannot be read as a store"):
        Split(damaged)
    foreign = tmp_path / "foreign.parquet"
    pq.write_table(pa.table({"a": [1]}), foreign)
    with pytest.raises(Im2TexError, match="not one of im2tex's stores"):
        Split(foreign)


def test_split_of_other_format_raises_with_advice(path, monkeypatch):
    monkeypatch.setattr(store, "FORMAT", 2)
    with pytest.raises(Im2TexError, match=r"store format 1; this version reads 2.*data prepare"):
        Split(path)


# ---------------------------------------------------------------- parts of a split


def test_split_take_and_relabel(path):
    split = Split(path)
    some = split.take([2, 0], {"selection": {"limit": 2}})
    assert [sample.key for sample in some] == ["partly", SAMPLES[0].key]
    assert some[0].ink.symbols == SAMPLES[2].ink.symbols
    assert some.metadata == {**split.metadata, "selection": {"limit": 2}}
    assert list(split.extras("writer")) == ["", "", "w1", ""]
    other = some.relabel([["a"], ["b", "c"]], {"labels": "other"})
    assert list(other.tokens()) == [["a"], ["b", "c"]]
    assert [sample.key for sample in other] == [sample.key for sample in some]
    # The split itself is as it was.
    assert len(split) == 4
    assert split[2].tokens == SAMPLES[2].tokens


def test_read_metadata_equals_metadata_of_split(path, tmp_path):
    assert store.read_metadata(path) == Split(path).metadata
    with pytest.raises(Im2TexError, match="does not exist"):
        store.read_metadata(tmp_path / "none.parquet")
    path.write_bytes(b"PAR1")
    with pytest.raises(Im2TexError, match="cannot be read as a store"):
        store.read_metadata(path)


def test_split_with_changed_bytes_raises_or_is_equal(path):
    """Pages have checksums: no byte changes a sample without a word."""
    whole = path.read_bytes()
    keys = [sample.key for sample in Split(path)]
    footer = len(whole) - int.from_bytes(whole[-8:-4], "little") - 8
    rng = random.Random(15)
    for trial in range(400):
        data = bytearray(whole)
        at = rng.randrange(footer if trial % 2 else 0, len(data))
        data[at] = (data[at] + rng.randrange(1, 256)) % 256
        path.write_bytes(data)
        try:
            found = [sample.key for sample in Split(path)]
        except Im2TexError as error:
            assert str(path) in str(error)  # noqa: PT017
            continue
        assert trial % 2 or found == keys


def test_split_of_truncated_file_raises(path):
    whole = path.read_bytes()
    for size in (0, 3, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(Im2TexError, match="cannot be read as a store"):
            Split(path)


def test_split_with_damaged_metadata_raises(path, tmp_path):
    for notes in (b"[1]", b"{", b"\xff"):
        table = pq.read_table(path).replace_schema_metadata({b"im2tex": notes})
        pq.write_table(table, tmp_path / "x.parquet")
        for read in (Split, store.read_metadata):
            with pytest.raises(Im2TexError, match="cannot be read as a store"):
                read(tmp_path / "x.parquet")
    pq.write_table(pq.read_table(path).drop_columns(["tokens"]), tmp_path / "x.parquet")
    with pytest.raises(Im2TexError, match="no column tokens"):
        Split(tmp_path / "x.parquet")
