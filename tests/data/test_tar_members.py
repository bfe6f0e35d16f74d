"""Tar archives from front to back: what is damaged is named, and costs no neighbour."""

import bz2
import gzip
import io
import lzma
import random
import tarfile

import pytest

from im2tex.data.preparation.raw_files import Limits, iter_files
from im2tex.data.preparation.tar_members import TarReader
from im2tex.errors import Im2TexError

END = bytes(1024)


def entry(name, data=b"", kind=tarfile.REGTYPE, size=None):
    """A header in the form of ustar, with its data."""
    info = tarfile.TarInfo()
    info.name, info.type, info.size = name, kind, len(data) if size is None else size
    header = info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
    return header + data + bytes(-len(data) % 512)


def record(key, value):
    body = b" " + key + b"=" + value + b"\n"
    length = len(body)
    while length != len(body) + len(str(length)):
        length = len(body) + len(str(length))
    return str(length).encode() + body


A, B = entry("a.inkml", b"A" * 700), entry("b.inkml", b"B")


def read(tmp_path, data, **arguments):
    (tmp_path / "x.tar").write_bytes(data)
    return [
        (str(one.path).removeprefix("x.tar/"), one.data, one.problem)
        for one in iter_files(tmp_path / "x.tar", **arguments)
    ]


def test_tar_of_every_format_of_the_library_is_read(tmp_path):
    long = "d" * 90 + "/" + "ä" * 80 + "/c.inkml"
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
            archive.pax_headers = {"comment": "made here"}
            for name, data in (("d/a.inkml", b"A" * 600), (long, b"C"), ("empty.inkml", b"")):
                if form == tarfile.USTAR_FORMAT and name == long:
                    continue
                info = tarfile.TarInfo(name)
                info.size, info.mtime = len(data), 1.5
                archive.addfile(info, io.BytesIO(data))
        found = read(tmp_path, stream.getvalue())
        assert ("d/a.inkml", b"A" * 600, "") in found
        assert ("empty.inkml", b"", "") in found
        assert ((long, b"C", "") in found) == (form != tarfile.USTAR_FORMAT)


@pytest.mark.parametrize(
    "records", [b"22 GNU.sparse.map=x,y\n22 GNU.sparse.size=zz\n", b"99 path=a\n"]
)
def test_tar_extended_header_sparse_or_damaged_costs_its_file_only(tmp_path, records):
    found = read(tmp_path, entry("h", records, tarfile.XHDTYPE) + A + B + END)
    assert [one[:2] for one in found] == [("a.inkml", None), ("b.inkml", b"B")]
    assert "sparse" in found[0][2] or "damaged extended header" in found[0][2]


def test_tar_extended_header_gives_path_and_size(tmp_path):
    records = record(b"path", "é/c.inkml".encode()) + record(b"size", b"3")
    data = entry("h", records, tarfile.XHDTYPE) + entry("short", b"CCC", size=0) + B + END
    assert read(tmp_path, data) == [("é/c.inkml", b"CCC", ""), ("b.inkml", b"B", "")]


@pytest.mark.parametrize("size", [b"-1", b"x", b"1" * 30, b""])
def test_tar_extended_header_with_a_bad_size_is_named(tmp_path, size):
    data = entry("h", record(b"size", size), tarfile.XHDTYPE) + A + B + END
    if size == b"1" * 30:
        with pytest.raises(Im2TexError, match="damaged or cut off"):
            read(tmp_path, data)
        return
    (first, second) = read(tmp_path, data)
    assert first[1] is None
    assert second == ("b.inkml", b"B", "")


def test_tar_damaged_header_in_the_middle_is_one_problem(tmp_path):
    damaged = bytearray(A)
    damaged[3] ^= 1
    found = read(tmp_path, B + bytes(damaged) + entry("c.inkml", b"C") + END)
    assert [one[:2] for one in found] == [("b.inkml", b"B"), ("x.tar", None), ("c.inkml", b"C")]
    assert "damaged header" in found[1][2]


def test_tar_header_with_a_negative_size_is_damaged(tmp_path):
    negative = entry("a.inkml", size=-(2**20))
    found = read(tmp_path, B + negative + entry("c.inkml", b"C") + END)
    assert [one[1] for one in found] == [b"B", None, b"C"]


def test_tar_without_end_mark_says_so(tmp_path):
    found = read(tmp_path, A + B)
    assert [one[:2] for one in found[:2]] == [("a.inkml", b"A" * 700), ("b.inkml", b"B")]
    assert "no end mark" in found[2][2]


def test_tar_after_a_tar_is_said_and_padding_is_not(tmp_path):
    assert read(tmp_path, B + END + bytes(10240)) == [("b.inkml", b"B", "")]
    found = read(tmp_path, B + END + A + END)
    assert [one[1] for one in found] == [b"B", None]
    assert "another archive follows" in found[1][2]


def test_tar_name_that_is_not_utf8_is_named(tmp_path):
    found = read(tmp_path, entry("\udce9.inkml", b"A") + B + END)
    assert found == [
        ("\ufffd.inkml", None, "cannot be unpacked: its name is not UTF-8"),
        ("b.inkml", b"B", ""),
    ]


def test_tar_that_ends_in_a_zip_is_a_tar(tmp_path):
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("c.inkml", b"C")
    found = read(tmp_path, B + entry("last.zip", stream.getvalue()) + END)
    assert found == [("b.inkml", b"B", ""), ("last.zip/c.inkml", b"C", "")]


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "header",
    [
        entry("h", b"1" * 1_000_000, tarfile.XHDTYPE),
        entry("h", b"1 " * 500_000, tarfile.XHDTYPE),
        entry("h", b"3 x=" * 250_000, tarfile.XHDTYPE),
        entry("h", bytes(3 << 20), tarfile.XHDTYPE),
        entry("h", b"n" * 1_000_000, tarfile.GNUTYPE_LONGNAME),
        entry("h", b"n", tarfile.GNUTYPE_LONGNAME) * 20_000,
        entry("h", record(b"comment", b"n"), tarfile.XHDTYPE) * 20_000,
    ],
    ids=["digits", "numbers", "keys", "huge", "long", "many-names", "many-headers"],
)
def test_tar_hostile_extended_headers_are_passed_in_bounded_time(tmp_path, header):
    found = read(tmp_path, header + A + B + END)
    assert found[-1] == ("b.inkml", b"B", "")


@pytest.mark.parametrize("module", [gzip, bz2, lzma])
def test_tar_compressed_with_a_damaged_end_is_refused(tmp_path, module):
    data = bytearray(module.compress(A + B + END))
    data[-12 if module is lzma else -6] ^= 0xFF
    with pytest.raises(Im2TexError, match="damaged or cut off"):
        read(tmp_path, bytes(data))


def test_tar_lzma_alone_is_read(tmp_path):
    assert read(tmp_path, lzma.compress(B + END, lzma.FORMAT_ALONE)) == [("b.inkml", b"B", "")]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("module", [gzip, bz2, lzma])
def test_tar_bomb_is_refused_before_it_is_unpacked(tmp_path, module):
    stream = io.BytesIO()
    with module.open(stream, "wb") as packed:
        packed.write(entry("skipped.bin", size=200 << 20))
        for _ in range(20):
            packed.write(bytes(1 << 20))
    with pytest.raises(Im2TexError, match="unpacks to more than 10485760 bytes"):
        read(tmp_path, stream.getvalue(), limits=Limits(small=10 << 20))


def test_tar_many_members_need_little_memory(tmp_path):
    import tracemalloc

    class Endless(io.RawIOBase):
        """Twenty thousand empty files."""

        left = 20_000

        def read(self, size=-1):
            self.left -= 1
            return header if self.left > 0 else bytes(512 if self.left > -3 else 0)

    header = entry("a.inkml")
    tracemalloc.start()
    count = sum(1 for _ in TarReader(Endless()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 19_999
    assert peak < 1 << 18


@pytest.mark.timeout(120)
def test_tar_fuzzed_gives_members_or_one_line(tmp_path):
    """Whatever bytes are changed, nothing but an `Im2TexError` comes out, and it ends."""
    rng = random.Random(15)
    header = entry("h", record(b"path", b"c.inkml") + record(b"size", b"5"), tarfile.XHDTYPE)
    name = entry("n", b"long.inkml\0", tarfile.GNUTYPE_LONGNAME)
    base = A + header + entry("c", b"CCCCC") + name + entry("d", b"D") + B + END
    for trial in range(800):
        data = bytearray(base)
        for _ in range(rng.choice((1, 1, 2, 5, 30))):
            kind, at = rng.random(), rng.randrange(len(data))
            if kind < 0.6:
                data[at] = rng.choice((0, 0x30, 0x37, 0x80, 0xFF, rng.randrange(256)))
            elif kind < 0.8:
                del data[at : at + rng.choice((1, 512, rng.randrange(1, 700)))]
            else:
                data[at:at] = data[: rng.choice((1, 512, 1024))]
        if trial % 2:  # sums that fit, or else most changes end at the sum
            for at in range(0, len(data) - 511, 512):
                block = data[at : at + 512]
                total = 256 + sum(block[:148]) + sum(block[156:])
                data[at + 148 : at + 156] = b"%06o\0 " % total
        packed = (bytes, gzip.compress, bz2.compress, lzma.compress)[trial % 4](bytes(data))
        if trial % 8 > 3:
            packed = packed[: rng.randrange(len(packed))]
        try:
            found = read(tmp_path, packed, limits=Limits(small=1 << 20))
        except Im2TexError:
            continue
        assert all((data is None) == bool(problem) for _, data, problem in found)
