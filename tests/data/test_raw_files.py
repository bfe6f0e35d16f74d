"""Files come out of any packing, and no packing does harm."""

import io
import os
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from im2tex.data.preparation.raw_files import Limits, iter_files
from im2tex.errors import Im2TexError

FILES = {"data/train/a.inkml": b"A", "data/train/b.INKML": b"BB", "data/readme.txt": b"no"}


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def tarred(files: dict[str, bytes], mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def found(origin: Path, **arguments) -> dict[str, bytes | None]:
    return {str(member.path): member.data for member in iter_files(origin, **arguments)}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.zip", zipped(FILES)),
        ("x.tar", tarred(FILES, "w")),
        ("x.tar.gz", tarred(FILES, "w:gz")),
        ("x.tgz", tarred(FILES, "w:gz")),
        ("x.tar.xz", tarred(FILES, "w:xz")),
        ("x.tar.bz2", tarred(FILES, "w:bz2")),
        ("download", tarred(FILES, "w:xz")),
    ],
)
def test_every_kind_of_archive_whatever_it_is_called(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    assert found(tmp_path / name) == {
        f"{name}/data/train/a.inkml": b"A",
        f"{name}/data/train/b.INKML": b"BB",
    }


def test_a_folder_with_archives_in_it(tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "sub" / "c.inkml").write_bytes(b"C")
    (tmp_path / "in" / "sub" / "._c.inkml").write_bytes(b"what macOS leaves")
    (tmp_path / "in" / "Train.zip").write_bytes(zipped({"a.inkml": b"A"}))
    assert found(tmp_path / "in") == {
        "in/Train.zip/a.inkml": b"A",
        "in/sub/c.inkml": b"C",
    }


def test_a_single_file(tmp_path):
    (tmp_path / "a.inkml").write_bytes(b"A")
    assert found(tmp_path / "a.inkml") == {"a.inkml": b"A"}


def test_zips_in_zips_in_a_tar(tmp_path):
    inner = zipped({"Train/a.inkml": b"A"})
    middle = zipped({"Task1/Train.zip": inner, "Task1/b.inkml": b"B"})
    (tmp_path / "x.tar.gz").write_bytes(tarred({"pack/data.zip": middle}, "w:gz"))
    assert found(tmp_path / "x.tar.gz") == {
        "x.tar.gz/pack/data.zip/Task1/Train.zip/Train/a.inkml": b"A",
        "x.tar.gz/pack/data.zip/Task1/b.inkml": b"B",
    }


def test_hostile_names_are_only_labels(tmp_path):
    names = {"../../evil.inkml": b"1", "/etc/evil.inkml": b"2", "..\\up\\evil.inkml": b"3"}
    (tmp_path / "x.zip").write_bytes(zipped(names))
    before = sorted(tmp_path.rglob("*"))
    paths = [member.path for member in iter_files(tmp_path / "x.zip")]
    assert paths == [
        PurePosixPath("x.zip/evil.inkml"),
        PurePosixPath("x.zip/etc/evil.inkml"),
        PurePosixPath("x.zip/up/evil.inkml"),
    ]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (tarfile.SYMTYPE, "link"),
        (tarfile.LNKTYPE, "link"),
        (tarfile.CHRTYPE, "device"),
        (tarfile.FIFOTYPE, "pipe"),
        (tarfile.GNUTYPE_SPARSE, "sparse"),
        (b"Q", "unknown kind"),
    ],
)
def test_tar_entry_that_is_no_file_is_named_and_not_followed(tmp_path, kind, problem):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        info = tarfile.TarInfo("a.inkml")
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
        info = tarfile.TarInfo("b.inkml")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"B"))
    first, second = iter_files(tmp_path / "x.tar")
    assert first.data is None
    assert problem in first.problem
    assert second.data == b"B"


def test_a_file_that_is_too_large_is_named_and_the_rest_is_read(tmp_path):
    (tmp_path / "x.zip").write_bytes(zipped({"a.inkml": b"0" * 1000, "b.inkml": b"B"}))
    first, second = iter_files(tmp_path / "x.zip", limits=Limits(member=999))
    assert first.data is None
    assert "999" in first.problem
    assert second.data == b"B"


def test_a_bomb_is_refused(tmp_path):
    # 20 MB of zeros make 20 KB of zip, and the zip of many such less still.
    bomb = zipped({f"{i}.inkml": bytes(1 << 20) for i in range(20)})
    (tmp_path / "x.zip").write_bytes(zipped({f"{i}.zip": bomb for i in range(5)}))
    with pytest.raises(Im2TexError, match="unpacks to more"):
        list(iter_files(tmp_path / "x.zip", limits=Limits(total=30 << 20)))
    with pytest.raises(Im2TexError, match="unpacks to more"):
        list(iter_files(tmp_path / "x.zip", limits=Limits(nested=1000)))


def test_archives_without_end_are_refused(tmp_path):
    data = zipped({"a.inkml": b"A"})
    for _ in range(8):
        data = zipped({"again.zip": data})
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(Im2TexError, match="deep"):
        list(iter_files(tmp_path / "x.zip"))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_a_cut_off_tar_says_so(tmp_path, mode):
    files = {f"{i}.inkml": os.urandom(3000) for i in range(40)}
    data = tarred(files, mode)
    (tmp_path / "x.tar").write_bytes(data[: len(data) // 2])
    with pytest.raises(Im2TexError, match="damaged or cut off"):
        list(iter_files(tmp_path / "x.tar"))


def test_a_cut_off_zip_says_so(tmp_path):
    (tmp_path / "x.zip").write_bytes(zipped(FILES)[:-30])
    with pytest.raises(Im2TexError, match="damaged or cut off"):
        list(iter_files(tmp_path / "x.zip"))


def test_a_damaged_member_is_named_and_the_rest_is_read(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.inkml", b"AAAAAAAA")
        archive.writestr("b.inkml", b"B")
    (tmp_path / "x.zip").write_bytes(stream.getvalue().replace(b"AAAAAAAA", b"AAAACAAA", 1))
    first, second = iter_files(tmp_path / "x.zip")
    assert first.data is None
    assert "CRC" in first.problem
    assert second.data == b"B"


def test_a_damaged_inner_archive_is_named_and_the_rest_is_read(tmp_path):
    files = {"a.tar.gz": tarred(FILES, "w:gz")[:60], "b.rar": b"Rar!", "c.inkml": b"C"}
    (tmp_path / "x.zip").write_bytes(zipped(files))
    first, second, third = iter_files(tmp_path / "x.zip")
    assert first.data is None
    assert "cannot be read" in first.problem
    assert second.data is None
    assert "kind" in second.problem
    assert third.data == b"C"


def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.inkml").symlink_to(tmp_path / "nowhere")
    (member,) = iter_files(tmp_path / "in")
    assert member.data is None
    assert "cannot be read" in member.problem


def test_what_is_no_archive_and_what_is_not_there(tmp_path):
    (tmp_path / "x.txt").write_bytes(b"hello")
    with pytest.raises(Im2TexError, match=r"\.tar\.xz"):
        list(iter_files(tmp_path / "x.txt"))
    with pytest.raises(Im2TexError, match="does not exist"):
        list(iter_files(tmp_path / "nothing"))


def test_members_come_one_at_a_time(tmp_path):
    """A nested archive of 40 MB is walked in memory bounded by one member."""
    import tracemalloc

    inner = tarred({f"{i}.inkml": bytes(4 << 20) for i in range(10)}, "w")
    (tmp_path / "x.zip").write_bytes(zipped({"inner.tar": inner}))
    del inner
    tracemalloc.start()
    total = sum(
        len(member.data or b"")
        for member in iter_files(tmp_path / "x.zip", limits=Limits(memory=1 << 20))
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 40 << 20
    assert peak < 16 << 20
