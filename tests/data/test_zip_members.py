"""Zip archives: a damaged line of the table costs its own file, and bombs stay small."""

import io
import random
import resource
import stat
import struct
import zipfile

import pytest

from im2tex.data.preparation.raw_files import Limits, iter_files
from im2tex.errors import Im2TexError


def zipped(files, method=zipfile.ZIP_DEFLATED):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def changed(data, number, offset, value):
    """The archive with bytes changed in a line of its table."""
    at = -1
    for _ in range(number + 1):
        at = data.index(b"PK\x01\x02", at + 1)
    return data[: at + offset] + value + data[at + offset + len(value) :]


def read(tmp_path, data, **arguments):
    (tmp_path / "x.zip").write_bytes(data)
    return [
        (str(one.path).removeprefix("x.zip/"), one.data, one.problem)
        for one in iter_files(tmp_path / "x.zip", **arguments)
    ]


PAIR = zipped({"a.inkml": b"A" * 50, "b.inkml": b"B"})


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (changed(PAIR, 0, 6, b"\x63"), "version 9.9"),
        (changed(changed(PAIR, 0, 8, b"\0\x08"), 0, 46, b"\xff"), "not UTF-8"),
        (changed(PAIR, 0, 10, b"\x63\0"), "compression"),
        (changed(PAIR, 0, 8, b"\x01\0"), "it is encrypted; unpack it with its password first"),
        (changed(PAIR, 0, 8, b"\x20\0"), "patch"),
        (changed(PAIR, 0, 8, b"\x40\0"), "ncryption"),
        (changed(PAIR, 0, 16, b"1234"), "CRC"),
        (changed(PAIR, 0, 42, b"\x03\0\0\0"), "Bad magic number"),
        (changed(PAIR, 0, 42, b"\0\0\0\x70"), "cannot be unpacked"),
        (changed(PAIR, 0, 46, b"c"), "differ"),
        (changed(PAIR, 0, 38, struct.pack("<L", (stat.S_IFLNK | 0o777) << 16)), "symbolic link"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_zip_damaged_line_is_named_and_the_rest_is_read(tmp_path, data, problem):
    first, second = read(tmp_path, data)
    assert first[1] is None
    assert problem in first[2]
    assert second == ("b.inkml", b"B", "")


@pytest.mark.parametrize("extra", [struct.pack("<2H", 1, 200), struct.pack("<2HB", 1, 1, 0)])
def test_zip_damaged_extra_field_is_named_and_the_rest_is_read(tmp_path, extra):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        info = zipfile.ZipInfo("a.inkml")
        info.extra = struct.pack("<2H", 0xAAAA, len(extra) - 4) + bytes(len(extra) - 4)
        archive.writestr(info, b"A")
        archive.writestr("b.inkml", b"B")
    data = stream.getvalue()
    data = changed(data, 0, 46 + len("a.inkml"), extra)
    if len(extra) > 4:  # a size that the field should hold
        data = changed(data, 0, 24, b"\xff\xff\xff\xff")
    first, second = read(tmp_path, data)
    assert first[1] is None
    assert "orrupt" in first[2]
    assert second == ("b.inkml", b"B", "")


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_zip_of_every_method_is_read(tmp_path, method):
    data = random.Random(0).randbytes(200_000)
    assert read(tmp_path, zipped({"a.inkml": data}, method)) == [("a.inkml", data, "")]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_bomb_needs_little_memory(tmp_path, method):
    stream = io.BytesIO()
    with (
        zipfile.ZipFile(stream, "w", method, compresslevel=9) as archive,
        archive.open("a.inkml", "w") as member,
    ):
        for _ in range(200):
            member.write(bytes(1 << 20))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (found,) = read(tmp_path, stream.getvalue(), limits=Limits(member=1 << 20))
    assert "larger than" in found[2]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 180 << 10  # KiB


def test_zip_many_times_larger_than_its_file_is_refused(tmp_path):
    data = zipped({f"{i}.inkml": bytes(1 << 20) for i in range(30)})
    with pytest.raises(Im2TexError, match="unpacks to more than 10485760 bytes"):
        read(tmp_path, data, limits=Limits(small=10 << 20))


@pytest.mark.timeout(120)
def test_zip_fuzzed_gives_members_or_one_line(tmp_path):
    """Whatever bytes are changed, nothing but an `Im2TexError` comes out, and it ends."""
    rng = random.Random(15)
    files = {"a.inkml": b"A" * 300, "d/b.inkml": b"B", "c.zip": zipped({"c.inkml": b"C"})}
    bases = [
        zipped(files, method)
        for method in (
            *(zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED),
            *(zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA),
        )
    ]
    for trial in range(800):
        data = bytearray(bases[trial % 4])
        table = data.index(b"PK\x01\x02")
        for _ in range(rng.choice((1, 1, 2, 5, 30))):
            at = rng.randrange(table if rng.random() < 0.8 and table < len(data) else 0, len(data))
            if rng.random() < 0.9:
                data[at] = rng.choice((0, 1, 8, 0x80, 0xFF, rng.randrange(256)))
            else:
                del data[at : at + rng.randrange(1, 60)]
        try:
            found = read(tmp_path, bytes(data), limits=Limits(small=1 << 20))
        except Im2TexError:
            continue
        assert all((data is None) == bool(problem) for _, data, problem in found)
