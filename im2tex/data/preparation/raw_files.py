"""Files out of a folder or an archive, one at a time, whatever is packed into whatever.

Nothing is ever extracted to disk by name, so a member's path can do no harm: it is only a label. An
archive inside an archive is copied to an anonymous temporary file, in memory while it is small.
Links and devices inside archives are not followed; in a folder, only regular files are read.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from im2tex.data.preparation.tar_members import Readable, TarReader, is_tar
from im2tex.data.preparation.walking import walk
from im2tex.data.preparation.zip_members import open_zip
from im2tex.errors import Im2TexError

_ZIP = (".zip",)
_TAR = (
    *(".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.lzma"),
    *(".tgz", ".txz", ".tbz2", ".tbz", ".tlz"),
)
_UNREADABLE = (".rar", ".7z", ".zipx", ".tar.zst", ".tzst", ".tar.lz", ".tar.z", ".taz")
_PIECE = 1 << 16
_SMALL_PIECE = 1 << 6  # 40 bytes of bzip2 may unpack to 46 MB


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused, in bytes but for ratio and depth; an honest archive is far below it.

    Attributes:
        member: the largest file handed out.
        nested: the largest archive inside another.
        total: everything unpacked together.
        ratio: what an archive may unpack to for each byte of it, beyond `small`; text and
            pictures are below 50.
        small: what any archive may unpack to.
        depth: archives inside archives.
        memory: a nested archive up to this size is not written to a temporary file.
    """

    member: int = 64 << 20
    nested: int = 16 << 30
    total: int = 128 << 30
    ratio: int = 200
    small: int = 256 << 20
    depth: int = 5
    memory: int = 64 << 20


@dataclass(frozen=True, slots=True)
class RawFile:
    """One file.

    Attributes:
        path: where it lies, below the origin's own name; an archive is a folder in it.
        data: its bytes, or None if they cannot be had.
        problem: why not.
    """

    path: PurePosixPath
    data: bytes | None
    problem: str = ""


def iter_files(
    origin: Path, suffixes: tuple[str, ...] = (".inkml",), limits: Limits | None = None
) -> Iterator[RawFile]:
    """The files under a folder or in an archive, archives inside included.

    Args:
        origin: a folder, an archive (.zip, .tar, .tar.gz, .tar.xz, .tar.bz2, .tar.lzma), or one
            file.
        suffixes: lower-case endings of the names that are wanted.
        limits: what is refused.

    Yields:
        Each wanted file, in a fixed order. One that cannot be read (damaged, encrypted, a link, of
        an unknown version, too large; an inner archive that is damaged) comes without data and
        with its problem, and so does the archive where files of no known name are lost.

    Raises:
        Im2TexError: if the origin does not exist, is of no known kind, is damaged as a whole, or
            unpacks to more than the limits allow.
    """
    if not origin.exists():
        raise Im2TexError(f"{origin} does not exist. Give --from a folder, an archive or a URL.")
    return _Walk(suffixes, limits or Limits()).origin(origin)


class _Walk:
    def __init__(self, suffixes: tuple[str, ...], limits: Limits) -> None:
        self.suffixes = suffixes
        self.limits = limits
        self.spent = 0
        self.allowance = 0

    def origin(self, path: Path) -> Iterator[RawFile]:
        name = PurePosixPath(path.resolve().name)
        if path.is_dir():
            yield from self._folder(path, name)
        elif not path.is_file():
            raise Im2TexError(f"{path} is a pipe or a device. Give --from a folder or an archive.")
        elif _packed(path.name) or _is_archive(path):
            try:
                yield from self._outermost(path, name)
            except Im2TexError:
                raise
            except Exception as error:  # the libraries raise what they like at damaged archives
                raise Im2TexError(
                    f"{path} is damaged or cut off ({_reason(error)}). Delete it and download it "
                    "again, or give --from the folder it was unpacked to."
                ) from error
        elif self._wanted(path.name):
            yield self._file(path, name)
        else:
            raise Im2TexError(
                f"{path} is neither a folder nor an archive that can be read. Accepted: "
                f"{', '.join((*_ZIP, *_TAR))}."
            )

    def _folder(self, folder: Path, name: PurePosixPath) -> Iterator[RawFile]:
        for found in walk(folder):
            path = name / found.name
            if found.problem:
                if self._interesting(path.name) or not path.suffix:
                    yield RawFile(path, None, f"cannot be read: {found.problem}")
            elif self._wanted(path.name):
                yield self._file(found.path, path)
            elif _packed(path.name):
                try:
                    yield from self._outermost(found.path, path)
                except Im2TexError:
                    raise
                except Exception as error:  # see above
                    yield RawFile(path, None, f"an archive that cannot be read: {_reason(error)}")
            elif self._interesting(path.name):
                yield RawFile(path, None, "an archive of a kind that cannot be read")

    def _file(self, path: Path, name: PurePosixPath) -> RawFile:
        try:
            with path.open("rb") as stream:
                return self._read(stream, name)
        except OSError as error:
            return RawFile(name, None, f"cannot be read: {error.strerror or error}")

    def _outermost(self, path: Path, name: PurePosixPath) -> Iterator[RawFile]:
        """The files in an archive that lies in the file system."""
        size = path.stat().st_size
        honest = max(self.limits.small, self.limits.ratio * size)
        self.allowance = min(self.limits.total, self.spent + honest)
        with path.open("rb") as stream:
            yield from self._archive(stream, name, 1)

    def _archive(self, stream: IO[bytes], name: PurePosixPath, depth: int) -> Iterator[RawFile]:
        if depth > self.limits.depth:
            raise Im2TexError(f"{name}: archives inside archives, {depth} deep. That is no data.")
        kind = _kind(stream)
        if kind == "zip":
            yield from self._zip(stream, name, depth)
        elif kind == "tar":
            yield from self._tar(stream, name, depth)
        else:
            raise ValueError("its beginning is not an archive's")

    def _zip(self, stream: IO[bytes], name: PurePosixPath, depth: int) -> Iterator[RawFile]:
        with open_zip(stream) as (archive, entries):
            for entry in entries:
                inside = _inside(entry.name)
                path = name / inside
                if not self._interesting(inside.name):
                    continue
                if entry.problem:
                    yield RawFile(path, None, f"cannot be unpacked: {entry.problem}")
                    continue
                piece = _PIECE
                try:
                    with archive.open(entry.info) as member:
                        if entry.info.compress_type in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
                            # Here the library unpacks at once all that it reads.
                            piece = cast(zipfile.ZipExtFile, member).MIN_READ_SIZE = _SMALL_PIECE
                        source = _Counted(self, member, path, piece)
                        yield from self._member(source, path, depth)
                except Im2TexError:
                    raise
                except Exception as error:  # see above
                    yield RawFile(path, None, f"cannot be unpacked: {_reason(error)}")

    def _tar(self, stream: IO[bytes], name: PurePosixPath, depth: int) -> Iterator[RawFile]:
        reader = TarReader(_Counted(self, _unpacking(stream), name, _PIECE))
        for entry in reader:
            inside = _inside(entry.name)
            path = name / inside
            if not entry.name and entry.problem:
                yield RawFile(name, None, entry.problem)
            elif entry.folder or not self._interesting(inside.name):
                continue
            elif entry.problem:
                yield RawFile(path, None, f"cannot be unpacked: {entry.problem}")
            else:
                yield from self._member(reader, path, depth)

    def _member(self, stream: Readable, path: PurePosixPath, depth: int) -> Iterator[RawFile]:
        if self._wanted(path.name):
            yield self._read(stream, path)
        elif _packed(path.name):
            with tempfile.SpooledTemporaryFile(max_size=self.limits.memory) as copy:
                size = 0
                while piece := stream.read(_PIECE):
                    size += len(piece)
                    if size > self.limits.nested:
                        raise Im2TexError(
                            f"{path} unpacks to more than {self.limits.nested} bytes."
                        )
                    try:
                        copy.write(piece)
                    except OSError as error:
                        raise Im2TexError(
                            f"no room to unpack {path} in {tempfile.gettempdir()}: "
                            f"{error.strerror or error}. Point TMPDIR elsewhere, or make room."
                        ) from error
                try:
                    yield from self._archive(cast(IO[bytes], copy), path, depth + 1)
                except Im2TexError:
                    raise
                except Exception as error:  # see above
                    yield RawFile(path, None, f"an archive that cannot be read: {_reason(error)}")
        else:
            yield RawFile(path, None, "an archive of a kind that cannot be read")

    def _read(self, stream: Readable, path: PurePosixPath) -> RawFile:
        # In pieces, since some streams set aside at once what they are asked for at most.
        pieces: list[bytes] = []
        size = 0
        while size <= self.limits.member and (piece := stream.read(_PIECE)):
            pieces.append(piece)
            size += len(piece)
        if size > self.limits.member:
            return RawFile(path, None, f"larger than {self.limits.member} bytes")
        return RawFile(path, b"".join(pieces))

    def _wanted(self, name: str) -> bool:
        # macOS leaves a "._" twin beside each file it packs.
        return name.lower().endswith(self.suffixes) and not name.startswith("._")

    def _interesting(self, name: str) -> bool:
        return self._wanted(name) or _packed(name) or name.lower().endswith(_UNREADABLE)


class _Counted:
    """What comes out of an archive, counted against the limits of the walk."""

    def __init__(self, walk: _Walk, stream: Readable, path: PurePosixPath, piece: int) -> None:
        self.walk = walk
        self.stream = stream
        self.path = path
        self.piece = piece

    def read(self, size: int, /) -> bytes:
        data = self.stream.read(min(size, self.piece))
        self.walk.spent += len(data)
        if self.walk.spent > self.walk.allowance:
            raise Im2TexError(
                f"{self.path.parts[0]} unpacks to more than {self.walk.allowance} bytes, at "
                f"{self.path}. That is no data set; nothing was written."
            )
        return data


def _reason(error: Exception) -> str:
    """What a library says, on a line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def _packed(name: str) -> bool:
    return name.lower().endswith(_ZIP + _TAR) and not name.startswith("._")


def _is_archive(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return _kind(stream) != ""
    except OSError as error:
        raise Im2TexError(f"cannot read {path}: {error.strerror or error}.") from error


def _kind(stream: IO[bytes]) -> str:
    """`zip`, `tar` (packed or not), or ""; by the beginning, since a tar may end in a zip."""
    stream.seek(0)
    if stream.read(4) in (b"PK\x03\x04", b"PK\x05\x06"):
        return "zip"
    try:
        if is_tar(_unpacking(stream).read(512)):
            return "tar"
    except Exception:  # damaged within the first bytes, or something else that begins like this
        return ""
    return "zip" if zipfile.is_zipfile(stream) else ""


def _unpacking(stream: IO[bytes]) -> Readable:
    """A stream without its compression, from the beginning."""
    stream.seek(0)
    start = stream.read(6)
    stream.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=stream, mode="rb")
    if start.startswith(b"BZh"):
        return bz2.BZ2File(stream)
    if start.startswith((b"\xfd7zXZ\0", b"]\0\0")):
        return lzma.LZMAFile(stream)
    return stream


def _inside(name: str) -> PurePosixPath:
    """A member's name as a relative path, however it was meant."""
    printable = "".join(one if one.isprintable() else "\ufffd" for one in name)
    parts = PurePosixPath(printable.replace("\\", "/")).parts
    return PurePosixPath(*(part for part in parts if part not in ("/", "..", ".")))
