"""Reads files from a folder or an archive, including archives inside archives.

Nothing is extracted to disk under a member's name, so a member's path cannot overwrite a file: the
path only labels the content. A nested archive is copied to an anonymous temporary file. Links and
devices inside archives are not followed.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, Protocol, Self

from im2tex.data.preparation.walking import walk
from im2tex.errors import Im2TexError
from im2tex.utils.files import wrap_os_errors

ARCHIVE_SUFFIXES = (
    *(".zip", ".tar", ".tar.gz", ".tar.xz", ".tar.bz2", ".tar.lzma"),
    *(".tgz", ".txz", ".tbz2", ".tbz", ".tlz"),
)
_UNSUPPORTED = (".rar", ".7z", ".zipx", ".tar.zst", ".tzst", ".tar.lz", ".tar.z", ".taz")
_CHUNK = 1 << 16  # bytes
_MAX_HEADER = 1 << 20  # bytes of an extended tar header
_MAX_IN_MEMORY = 64 << 20  # bytes of a nested archive that is not copied to disk
_MIN_UNPACKED = 1 << 30  # bytes that every archive may unpack to
_MAX_RATIO = 200  # unpacked bytes for each byte of a larger archive; text and images are below 50
_ENCRYPTED = 1  # bit of the flags of a zip entry


@dataclass(frozen=True, slots=True)
class RawFile:
    """A file of the raw data.

    Attributes:
        path: position below the folder or archive, whose own name is the first part; an archive
            inside is a folder of the path.
        data: the content, or None if it cannot be read.
        problem: why the content cannot be read, else "".
    """

    path: PurePosixPath
    data: bytes | None
    problem: str = ""


class ReadableStream(Protocol):
    """A stream of bytes that is read from front to back."""

    def read(self, size: int, /) -> bytes:
        """Returns at most `size` bytes; none at the end."""


def iter_files(
    raw_data: Path,
    suffixes: tuple[str, ...] = (".inkml",),
    *,
    max_file_bytes: int = 64 << 20,
    max_unpacked_bytes: int | None = None,
) -> Iterator[RawFile]:
    """Yields the files below a folder or in an archive, one at a time and in a fixed order.

    Example:
        >>> for file in iter_files(Path("crohme_2014.tar.xz"), (".inkml",)):
        ...     print(file.path, len(file.data or b""), file.problem)

    Args:
        raw_data: a folder, an archive with a suffix of `ARCHIVE_SUFFIXES` or without one, or a
            single file.
        suffixes: lower-case endings of the wanted file names.
        max_file_bytes: larger files are yielded without data.
        max_unpacked_bytes: most bytes that an archive may unpack to, nested archives included;
            1 GiB or 200 times the size of the archive, whichever is larger, if not given.

    Yields:
        The wanted files. A file that cannot be read (damaged, encrypted, a link, too large) has no
        data and names the problem, as does a nested archive that cannot be read.

    Raises:
        Im2TexError: if `raw_data` does not exist, is of an unknown kind, is damaged as a whole, or
            unpacks to more bytes than allowed.
    """
    if not (raw_data.is_dir() or raw_data.is_file()):
        problem = "is a pipe or a device" if raw_data.exists() else "does not exist"
        raise Im2TexError(f"{raw_data} {problem}. Pass a folder, an archive or a URL to --from.")
    return _RawFileReader(suffixes, max_file_bytes, max_unpacked_bytes).read(raw_data)


def open_tar(stream: ReadableStream) -> tarfile.TarFile:
    """Opens an uncompressed tar stream that raises `tarfile.ReadError` at a damaged header.

    The standard library ends silently at a damaged header behind the first one.
    """
    return tarfile.open(fileobj=stream, mode="r|", tarinfo=_StrictTarInfo)  # type: ignore[call-overload, no-any-return]


def archive_path(name: str) -> PurePosixPath:
    """Returns the name of a member as a relative path without `..` and unprintable characters."""
    printable = "".join(character if character.isprintable() else "\ufffd" for character in name)
    parts = PurePosixPath(printable.replace("\\", "/")).parts
    return PurePosixPath(*(part for part in parts if part not in ("/", "..", ".")))


class _StrictTarInfo(tarfile.TarInfo):
    @classmethod
    def frombuf(cls, buf: Any, encoding: str, errors: str) -> Self:
        try:
            info = super().frombuf(buf, encoding, errors)
        except (tarfile.EOFHeaderError, tarfile.EmptyHeaderError):  # type: ignore[attr-defined]
            raise
        except (tarfile.TarError, ValueError) as error:
            raise tarfile.ReadError(f"damaged header: {error}") from error
        extended = not info.isreg() and info.type not in (tarfile.LNKTYPE, tarfile.SYMTYPE)
        if info.size < 0 or (extended and info.size > _MAX_HEADER):
            raise tarfile.ReadError(f"damaged header: size {info.size}")
        return info


class _RawEntry(NamedTuple):
    """A file in a folder or an archive.

    Attributes:
        path: path relative to the folder or archive.
        open: opens the content, before the next entry is requested.
        problem: why the content cannot be read, else "".
    """

    path: PurePosixPath
    open: Callable[[], AbstractContextManager[ReadableStream]]
    problem: str = ""


class _RawFileReader:
    """Reads folders and archives; the arguments are those of `iter_files`."""

    def __init__(
        self, suffixes: tuple[str, ...], max_file_bytes: int, max_unpacked_bytes: int | None
    ) -> None:
        self.suffixes = suffixes
        self.max_file_bytes = max_file_bytes
        self.max_unpacked_bytes = max_unpacked_bytes
        self.remaining = 0  # bytes that the current outermost archive may still unpack to

    def read(self, path: Path) -> Iterator[RawFile]:
        name = PurePosixPath(path.resolve().name)
        if path.is_dir():
            yield from self._visit(_folder_entries(path), name)
        elif _is_archive(path):
            try:
                with path.open("rb") as stream:
                    yield from self._unpack(stream, name)
            except Im2TexError:
                raise
            except Exception as error:  # the libraries raise many kinds for damaged archives
                raise Im2TexError(
                    f"{path} is damaged or cut off ({_one_line(error)}). Download it again, or "
                    "pass the folder that it was unpacked to."
                ) from error
        elif self._is_wanted(name.name):
            yield from self._visit([_RawEntry(name, partial(_open, path))], PurePosixPath())
        else:
            raise Im2TexError(
                f"{path} is neither a folder nor a supported archive "
                f"({', '.join(ARCHIVE_SUFFIXES)})."
            )

    def _visit(self, entries: Iterable[_RawEntry], parent: PurePosixPath) -> Iterator[RawFile]:
        """Yields the wanted files of a folder or an archive, and of the archives in it."""
        for entry in entries:
            path = parent / entry.path
            is_wanted, is_archive = self._is_wanted(path.name), _is_archive_name(path.name)
            problem = entry.problem
            if path.name.lower().endswith(_UNSUPPORTED):
                problem = problem or "an archive of an unsupported kind: unpack it first"
            elif not (is_wanted or is_archive or (problem and not path.suffix)):
                continue
            if problem:
                yield RawFile(path, None, f"cannot be read: {problem}")
                continue
            try:
                with entry.open() as stream:
                    if is_wanted:
                        yield self._content(stream, path)
                    else:
                        yield from self._unpack(stream, path)
            except Im2TexError:
                raise
            except Exception as error:  # see above
                yield RawFile(path, None, f"cannot be read: {_one_line(error)}")

    def _unpack(self, stream: ReadableStream, path: PurePosixPath) -> Iterator[RawFile]:
        """Yields the wanted files of an archive; a nested archive is copied first."""
        with ExitStack() as stack:
            file: IO[bytes]
            if isinstance(stream, io.BufferedReader) and isinstance(stream.raw, io.FileIO):
                file = stream  # an archive in the file system
                allowed = max(_MIN_UNPACKED, _MAX_RATIO * os.fstat(file.fileno()).st_size)
                self.remaining = self.max_unpacked_bytes or allowed
            else:
                file = stack.enter_context(tempfile.SpooledTemporaryFile(_MAX_IN_MEMORY))
                while chunk := stream.read(_CHUNK):
                    with wrap_os_errors(
                        f"unpack {path} to {tempfile.gettempdir()}",
                        "Free space there, or set TMPDIR.",
                    ):
                        file.write(chunk)
                file.seek(0)
            start = file.read(6)
            file.seek(0)
            if start.startswith(b"PK"):
                yield from self._visit(self._zip_entries(file, path), path)
            else:
                yield from self._visit(self._tar_entries(_decompressed(file, start), path), path)

    def _zip_entries(self, file: IO[bytes], name: PurePosixPath) -> Iterator[_RawEntry]:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    content = partial(self._open_zip_entry, archive, info, name)
                    yield _RawEntry(archive_path(info.filename), content, _zip_problem(info))

    @contextmanager
    def _open_zip_entry(
        self, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: PurePosixPath
    ) -> Iterator[ReadableStream]:
        with archive.open(info) as stream:
            yield _Counted(self, stream, name)

    def _tar_entries(self, stream: ReadableStream, name: PurePosixPath) -> Iterator[_RawEntry]:
        counted = _Counted(self, stream, name)
        with open_tar(counted) as archive:
            while (info := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined] # headers that were read
                problem = "" if info.isreg() else "a link, a device or another special entry"
                if not info.isdir():
                    content = partial(_open_tar_entry, archive, info)
                    yield _RawEntry(archive_path(info.name), content, problem)
        while counted.read(_CHUNK):  # the end of a compressed archive has its checksum
            pass

    def _content(self, stream: ReadableStream, path: PurePosixPath) -> RawFile:
        # In chunks, because some streams allocate the requested size at once.
        data = bytearray()
        while len(data) <= self.max_file_bytes and (chunk := stream.read(_CHUNK)):
            data += chunk
        if len(data) > self.max_file_bytes:
            return RawFile(path, None, f"larger than {self.max_file_bytes} bytes")
        return RawFile(path, bytes(data))

    def _is_wanted(self, name: str) -> bool:
        # macOS adds a "._" twin to each file of an archive.
        return name.lower().endswith(self.suffixes) and not name.startswith("._")


class _Counted:
    """A stream whose bytes are subtracted from what the outermost archive may unpack to."""

    def __init__(self, reader: _RawFileReader, stream: ReadableStream, path: PurePosixPath) -> None:
        self.reader = reader
        self.stream = stream
        self.path = path

    def read(self, size: int, /) -> bytes:
        data = self.stream.read(min(size, _CHUNK))
        self.reader.remaining -= len(data)
        if self.reader.remaining < 0:
            raise Im2TexError(
                f"{self.path} unpacks to more bytes than a data set of its size has. Unpack it "
                "yourself if you trust it, and pass --from the folder."
            )
        return data


def _folder_entries(folder: Path) -> Iterator[_RawEntry]:
    for file in walk(folder):
        yield _RawEntry(PurePosixPath(file.name), partial(_open, file.path), file.problem)


def _open(path: Path) -> IO[bytes]:
    return path.open("rb")


def _open_tar_entry(
    archive: tarfile.TarFile, info: tarfile.TarInfo
) -> AbstractContextManager[ReadableStream]:
    member = archive.extractfile(info)
    assert member is not None
    return member


def _zip_problem(info: zipfile.ZipInfo) -> str:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "a symbolic link"
    if info.flag_bits & _ENCRYPTED:
        return "it is encrypted; unpack it with its password first"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # Of other methods the library decompresses without a bound on memory.
        return f"unsupported compression method {info.compress_type}; unpack it first"
    return ""


def _decompressed(stream: IO[bytes], start: bytes) -> ReadableStream:
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=stream, mode="rb")
    if start.startswith(b"BZh"):
        return bz2.BZ2File(stream)
    if start.startswith((b"\xfd7zXZ\0", b"]\0\0")):
        return lzma.LZMAFile(stream)
    return stream


def _is_archive_name(name: str) -> bool:
    return name.lower().endswith(ARCHIVE_SUFFIXES) and not name.startswith("._")


def _is_archive(path: Path) -> bool:
    if _is_archive_name(path.name):
        return True
    with suppress(OSError):
        return not path.suffix and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))
    return False


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
