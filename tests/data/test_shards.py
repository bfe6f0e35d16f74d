"""A split of several files is read as one, and a wrong set of files is named."""

import os
import shutil

import pytest
from ink_factory import row

from im2tex.data.preparation.publishing import staging
from im2tex.data.shards import split_files, stored_splits
from im2tex.data.store import Split, read_metadata, write_split
from im2tex.errors import Im2TexError

SAMPLES = [row("abc", key=f"k{k}") for k in range(7)]
KEYS = [sample.key for sample in SAMPLES]


def parquet_names(folder):
    return sorted(name for name in os.listdir(folder) if name.endswith(".parquet"))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "made" / "train.parquet"
    assert write_split(path, SAMPLES, {"source": "made"}, rows_per_file=3) == 7
    return path


def test_shards_are_read_as_one_split(path):
    assert parquet_names(path.parent) == [f"train-0000{k}-of-00003.parquet" for k in range(3)]
    split = Split(path)
    assert [sample.key for sample in split] == split.all_keys() == KEYS
    assert read_metadata(path) == split.metadata == {"format": 1, "source": "made"}
    assert stored_splits(path.parent) == ["train"]


@pytest.mark.parametrize(("rows_per_file", "files"), [(1, 7), (6, 2), (7, 1), (100, 1)])
def test_write_split_rows_per_file_determines_number(tmp_path, rows_per_file, files):
    path = tmp_path / "train.parquet"
    write_split(path, SAMPLES, {}, rows_per_file=rows_per_file)
    assert len(split_files(path)) == files
    assert Split(path).all_keys() == KEYS


def test_write_split_replaces_files_of_other_number(path):
    write_split(path, SAMPLES[:4], {}, rows_per_file=2)
    assert len(parquet_names(path.parent)) == 2
    assert len(Split(path)) == 4
    write_split(path, SAMPLES[:2], {})
    assert parquet_names(path.parent) == ["train.parquet"]
    assert len(Split(path)) == 2
    write_split(path, SAMPLES, {}, rows_per_file=4)
    assert parquet_names(path.parent) == [f"train-0000{k}-of-00002.parquet" for k in range(2)]


def test_write_split_failure_keeps_earlier_shards(path):
    def broken():
        yield from SAMPLES[:5]
        raise Im2TexError("the archive ends here")

    with pytest.raises(Im2TexError, match="the archive ends here"):
        write_split(path, broken(), {}, rows_per_file=2)
    assert len(os.listdir(path.parent)) == 3
    assert Split(path).all_keys() == KEYS


def test_staged_split_replaces_earlier_shards(path):
    with staging(path.parent) as staged:
        write_split(staged / "train.parquet", SAMPLES[:1], {})
    assert parquet_names(path.parent) == ["train.parquet"]


def test_split_missing_shard_is_named(path):
    Split(path)
    missing = path.with_name("train-00001-of-00003.parquet")
    missing.unlink()
    with pytest.raises(Im2TexError, match=rf"{missing} is missing, one of 3 files.*data prepare"):
        Split(path)


@pytest.mark.parametrize("name", ["train.parquet", "train-00001-of-00002.parquet"])
def test_split_surplus_file_is_named(path, name):
    surplus = path.with_name(name)
    shutil.copy(path.with_name("train-00001-of-00003.parquet"), surplus)
    with pytest.raises(Im2TexError, match=rf"{surplus} and train-.*of-00003.parquet cannot both"):
        Split(path)


def test_split_truncated_shard_is_named(path):
    shard = path.with_name("train-00002-of-00003.parquet")
    Split(path)
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(Im2TexError, match=rf"{shard} cannot be read as a store.*data prepare"):
        Split(path)


def test_split_shard_of_other_preparation_is_named(path, tmp_path):
    other = tmp_path / "other" / "train.parquet"
    write_split(other, SAMPLES, {"source": "other"}, rows_per_file=3)
    name = "train-00001-of-00003.parquet"
    shutil.copy(other.with_name(name), path.with_name(name))
    with pytest.raises(Im2TexError, match=rf"{name} and .* are from different preparations"):
        Split(path)
