"""Tests of `iter_files`: every packing is read, and hostile archives are refused."""

import bz2
import gzip
import io
import lzma
import os
import random
import resource
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from im2tex.data.preparation.raw_files import iter_files
from im2tex.errors import Im2TexError

FILES = {"data/train/a.inkml": b"A", "data/train/b.INKML": b"BB", "data/readme.txt": b"no"}


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
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
    return {str(file.path): file.data for file in iter_files(origin, **arguments)}


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
def test_archive_of_every_kind_is_read(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    assert found(tmp_path / name) == {
        f"{name}/data/train/a.inkml": b"A",
        f"{name}/data/train/b.INKML": b"BB",
    }


def test_folder_with_archives_is_read(tmp_path):
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "sub" / "c.inkml").write_bytes(b"C")
    (tmp_path / "in" / "sub" / "._c.inkml").write_bytes(b"what macOS leaves")
    (tmp_path / "in" / "Train.zip").write_bytes(zipped({"a.inkml": b"A"}))
    assert found(tmp_path / "in") == {
        "in/Train.zip/a.inkml": b"A",
        "in/sub/c.inkml": b"C",
    }


def test_single_file_is_read(tmp_path):
    (tmp_path / "a.inkml").write_bytes(b"A")
    assert found(tmp_path / "a.inkml") == {"a.inkml": b"A"}


def test_nested_archives_are_read(tmp_path):
    inner = zipped({"Train/a.inkml": b"A"})
    middle = zipped({"Task1/Train.zip": inner, "Task1/b.inkml": b"B"})
    (tmp_path / "x.tar.gz").write_bytes(tarred({"pack/data.zip": middle}, "w:gz"))
    assert found(tmp_path / "x.tar.gz") == {
        "x.tar.gz/pack/data.zip/Task1/Train.zip/Train/a.inkml": b"A",
        "x.tar.gz/pack/data.zip/Task1/b.inkml": b"B",
    }


def test_hostile_names_write_no_file(tmp_path):
    names = {"../../evil.inkml": b"1", "/etc/evil.inkml": b"2", "..\\up\\evil.inkml": b"3"}
    (tmp_path / "x.zip").write_bytes(zipped(names))
    before = sorted(tmp_path.rglob("*"))
    paths = [file.path for file in iter_files(tmp_path / "x.zip")]
    assert paths == [
        PurePosixPath("x.zip/evil.inkml"),
        PurePosixPath("x.zip/etc/evil.inkml"),
        PurePosixPath("x.zip/up/evil.inkml"),
    ]
    assert sorted(tmp_path.rglob("*")) == before


def entry(name: str, data: bytes = b"", kind: bytes = tarfile.REGTYPE, size: int | None = None):
    """A tar header, followed by its data."""
    info = tarfile.TarInfo()
    info.name, info.type, info.size = name, kind, len(data) if size is None else size
    header = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    return header + data + bytes(-len(data) % 512)


END = bytes(1024)
A, B = entry("a.inkml", b"A" * 700), entry("b.inkml", b"B")


def read(tmp_path: Path, data: bytes, name: str = "x", **arguments):
    """Writes an archive and returns (path inside, data, problem) of its files."""
    (tmp_path / name).write_bytes(data)
    return [
        (str(file.path).removeprefix(f"{name}/"), file.data, file.problem)
        for file in iter_files(tmp_path / name, **arguments)
    ]


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, b"Q"]
)
def test_tar_entry_that_is_no_file_is_reported(tmp_path, kind):
    first, second = read(tmp_path, entry("a.inkml", kind=kind) + B + END)
    assert first[:2] == ("a.inkml", None)
    assert "a link, a device or another special entry" in first[2]
    assert second == ("b.inkml", b"B", "")


@pytest.mark.parametrize(
    "form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT], ids=str
)
def test_tar_of_every_format_is_read(tmp_path, form):
    long = "d" * 90 + "/" + "a" * 80 + "/c.inkml"
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, data in (("d/a.inkml", b"A" * 600), (long, b"C"), ("empty.inkml", b"")):
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1.5
            archive.addfile(info, io.BytesIO(data))
    assert read(tmp_path, stream.getvalue()) == [
        ("d/a.inkml", b"A" * 600, ""),
        (long, b"C", ""),
        ("empty.inkml", b"", ""),
    ]


@pytest.mark.parametrize(
    "header",
    [bytes([A[0] ^ 1]) + A[1:], entry("a.inkml", size=-(2**20)), entry("h", bytes(3 << 20), b"x")],
    ids=["checksum", "negative-size", "huge-header"],
)
def test_tar_with_damaged_header_is_refused(tmp_path, header):
    with pytest.raises(Im2TexError, match="damaged header"):
        read(tmp_path, B + header + entry("c.inkml", b"C") + END)


def test_tar_without_end_mark_is_read(tmp_path):
    assert [file[1] for file in read(tmp_path, A + B)] == [b"A" * 700, b"B"]


def test_tar_name_that_is_not_utf8_is_replaced(tmp_path):
    assert read(tmp_path, entry("\udce9.inkml", b"A") + END) == [("\ufffd.inkml", b"A", "")]


def test_tar_that_ends_in_a_zip_is_a_tar(tmp_path):
    found = read(tmp_path, B + entry("last.zip", zipped({"c.inkml": b"C"})) + END)
    assert found == [("b.inkml", b"B", ""), ("last.zip/c.inkml", b"C", "")]


@pytest.mark.parametrize("module", [gzip, bz2, lzma])
def test_tar_with_damaged_compressed_end_is_refused(tmp_path, module):
    data = bytearray(module.compress(A + B + END))
    data[-12 if module is lzma else -6] ^= 0xFF
    with pytest.raises(Im2TexError, match="damaged or cut off"):
        read(tmp_path, bytes(data), "x.tar")


def test_tar_lzma_alone_is_read(tmp_path):
    packed = lzma.compress(B + END, lzma.FORMAT_ALONE)
    assert read(tmp_path, packed) == [("b.inkml", b"B", "")]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("module", [gzip, bz2, lzma])
def test_tar_bomb_is_refused_before_it_is_unpacked(tmp_path, module):
    stream = io.BytesIO()
    with module.open(stream, "wb") as packed:
        packed.write(entry("skipped.bin", size=200 << 20))
        for _ in range(20):
            packed.write(bytes(1 << 20))
    with pytest.raises(Im2TexError, match="unpacks to more bytes"):
        read(tmp_path, stream.getvalue(), max_unpacked_bytes=10 << 20)


def changed(data: bytes, number: int, offset: int, value: bytes) -> bytes:
    """The zip archive with bytes replaced in an entry of its central directory."""
    at = -1
    for _ in range(number + 1):
        at = data.index(b"PK\x01\x02", at + 1)
    return data[: at + offset] + value + data[at + offset + len(value) :]


PAIR = zipped({"a.inkml": b"A" * 50, "b.inkml": b"B"})


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (changed(PAIR, 0, 10, b"\x63\0"), "compression method 99"),
        (changed(PAIR, 0, 8, b"\x01\0"), "it is encrypted; unpack it with its password first"),
        (changed(PAIR, 0, 8, b"\x20\0"), "patch"),
        (changed(PAIR, 0, 16, b"1234"), "CRC"),
        (changed(PAIR, 0, 42, b"\x03\0\0\0"), "Bad magic number"),
        (changed(PAIR, 0, 46, b"c"), "differ"),
        (changed(PAIR, 0, 38, struct.pack("<L", (stat.S_IFLNK | 0o777) << 16)), "symbolic link"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_zip_entry_that_cannot_be_unpacked_is_reported(tmp_path, data, problem):
    first, second = read(tmp_path, data)
    assert first[1] is None
    assert problem in first[2]
    assert second == ("b.inkml", b"B", "")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_of_unbounded_compression_method_is_reported(tmp_path, method):
    ((_, data, problem),) = read(tmp_path, zipped({"a.inkml": b"A"}, method))
    assert data is None
    assert "unpack it first" in problem


@pytest.mark.timeout(60)
def test_zip_bomb_needs_little_memory(tmp_path):
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open("a.inkml", "w") as member,
    ):
        for _ in range(200):
            member.write(bytes(1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ((_, _, problem),) = read(tmp_path, stream.getvalue(), max_file_bytes=1 << 20)
    assert "larger than" in problem
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 180 << 10  # KiB


def test_file_over_the_size_limit_is_reported(tmp_path):
    data = zipped({"a.inkml": b"0" * 1000, "b.inkml": b"B"})
    first, second = read(tmp_path, data, max_file_bytes=999)
    assert first[1] is None
    assert "999" in first[2]
    assert second[1] == b"B"


def test_nested_bomb_is_refused(tmp_path):
    # 20 MB of zeros make 20 KB of zip, and a zip of many such zips is smaller still.
    bomb = zipped({f"{i}.inkml": bytes(1 << 20) for i in range(20)})
    packed = zipped({f"{i}.zip": bomb for i in range(5)})
    with pytest.raises(Im2TexError, match="unpacks to more bytes"):
        read(tmp_path, packed, max_unpacked_bytes=30 << 20)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:xz", "w:bz2"])
def test_cut_off_tar_is_refused(tmp_path, mode):
    files = {f"{i}.inkml": os.urandom(3000) for i in range(40)}
    data = tarred(files, mode)
    with pytest.raises(Im2TexError, match="damaged or cut off"):
        read(tmp_path, data[: len(data) // 2], "x.tar")


def test_cut_off_zip_is_refused(tmp_path):
    (tmp_path / "x.zip").write_bytes(zipped(FILES)[:-30])
    with pytest.raises(Im2TexError, match="damaged or cut off"):
        list(iter_files(tmp_path / "x.zip"))


def test_damaged_nested_archive_is_reported(tmp_path):
    files = {"a.tar.gz": tarred(FILES, "w:gz")[:60], "b.rar": b"Rar!", "c.inkml": b"C"}
    first, second, third = read(tmp_path, zipped(files))
    assert first[1] is None
    assert "cannot be read" in first[2]
    assert second[1] is None
    assert "unpack it first" in second[2]
    assert third[1] == b"C"


def test_broken_link_in_folder_is_reported(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.inkml").symlink_to(tmp_path / "nowhere")
    (file,) = iter_files(tmp_path / "in")
    assert file.data is None
    assert "cannot be read" in file.problem


def test_path_that_is_no_archive_or_missing_is_refused(tmp_path):
    (tmp_path / "x.txt").write_bytes(b"hello")
    with pytest.raises(Im2TexError, match=r"\.tar\.xz"):
        list(iter_files(tmp_path / "x.txt"))
    with pytest.raises(Im2TexError, match="does not exist"):
        list(iter_files(tmp_path / "nothing"))


def test_large_nested_archive_is_read_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("im2tex.data.preparation.raw_files._MAX_IN_MEMORY", 1 << 20)
    inner = tarred({f"{i}.inkml": bytes(4 << 20) for i in range(10)}, "w")
    (tmp_path / "x.zip").write_bytes(zipped({"inner.tar": inner}))
    del inner
    tracemalloc.start()
    total = sum(len(file.data or b"") for file in iter_files(tmp_path / "x.zip"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert total == 40 << 20
    assert peak < 16 << 20


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Data with some bytes replaced, deleted or inserted."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        kind, at = rng.random(), rng.randrange(len(changed))
        if kind < 0.7:
            changed[at] = rng.choice((0, 1, 8, 0x30, 0x37, 0x80, 0xFF, rng.randrange(256)))
        elif kind < 0.85:
            del changed[at : at + rng.choice((1, 60, 512, rng.randrange(1, 700)))]
        else:
            changed[at:at] = data[: rng.choice((1, 512, 1024))]
        if not changed:
            break
    return bytes(changed)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_fuzzed_archive_gives_files_or_one_error(tmp_path, kind):
    rng = random.Random(15)
    files = {"a.inkml": b"A" * 300, "d/b.inkml": b"B", "c.zip": zipped({"c.inkml": b"C"})}
    long = entry("n", b"long.inkml\0", tarfile.GNUTYPE_LONGNAME) + entry("d", b"D")
    for trial in range(600):
        if kind == "zip":
            data = mutated(
                rng, zipped(files, (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)[trial % 2])
            )
        else:
            data = bytearray(mutated(rng, A + long + tarred(files, "w")[:-9216] + B + END))
            if trial % 2:  # correct checksums, without which most changes end at the checksum
                for at in range(0, len(data) - 511, 512):
                    total = 256 + sum(data[at : at + 148]) + sum(data[at + 156 : at + 512])
                    data[at + 148 : at + 156] = b"%06o\0 " % total
            data = (bytes, gzip.compress, bz2.compress, lzma.compress)[trial % 4](bytes(data))
        try:
            found = read(tmp_path, data, max_unpacked_bytes=1 << 20)
        except Im2TexError:
            continue
        assert all((data is None) == bool(problem) for _, data, problem in found)
