"""Files out of a folder or an archive, one at a time, whatever is packed into whatever.

Nothing is ever extracted to disk by name, so a member's path can do no harm: it is only a label. An
archive inside an archive is copied to an anonymous temporary file, in memory while it is small.
"""

from __future__ import annotations

import lzma
import os
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from im2tex.errors import Im2TexError

_ZIP = (".zip",)
_TAR = (".tar", ".tgz", ".tar.gz", ".txz", ".tar.xz", ".tbz2", ".tar.bz2")
_UNREADABLE = (".rar", ".7z", ".zipx")
_CHUNK = 1 << 20
_PIECE = 1 << 16
# What the standard library raises on damaged archives; an OSError may also be a bad gzip header.
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused, in bytes but for the depth: an honest archive is far below all of them.

    Attributes:
        member: the largest file handed out.
        nested: the largest archive inside another.
        total: everything unpacked together.
        depth: archives inside archives.
        memory: a nested archive up to this size is not written to a temporary file.
    """

    member: int = 64 << 20
    nested: int = 16 << 30
    total: int = 128 << 30
    depth: int = 5
    memory: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One file.

    Attributes:
        path: where it lies, below the origin's own name; an archive is a folder in it.
        data: its bytes, or None if they cannot be had.
        problem: why not.
    """

    path: PurePosixPath
    data: bytes | None
    problem: str = ""


def members(
    origin: Path, suffixes: tuple[str, ...] = (".inkml",), limits: Limits | None = None
) -> Iterator[Member]:
    """The files under a folder or in an archive, archives inside included.

    Args:
        origin: a folder, an archive (.zip, .tar, .tar.gz, .tar.xz, .tar.bz2), or one file.
        suffixes: lower-case endings of the names that are wanted.
        limits: what is refused.

    Yields:
        Each wanted file, in a fixed order. One that cannot be read (a damaged member, a damaged
        inner archive, one that is too large) comes without data and with its problem.

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

    def origin(self, path: Path) -> Iterator[Member]:
        name = PurePosixPath(path.resolve().name)
        if path.is_dir():
            yield from self._folder(path, name)
        elif zipfile.is_zipfile(path) or _is_tar(path):
            try:
                with path.open("rb") as stream:
                    yield from self._archive(stream, name, 1)
            except _DAMAGE as error:
                raise Im2TexError(_damaged(path, str(error))) from error
        elif _packed(path.name):
            raise Im2TexError(_damaged(path, "its beginning or its end is not an archive's"))
        elif self._wanted(path.name):
            yield self._file(path, name)
        else:
            raise Im2TexError(
                f"{path} is neither a folder nor an archive that can be read. Accepted: "
                f"{', '.join((*_ZIP, *_TAR))}."
            )

    def _folder(self, folder: Path, name: PurePosixPath) -> Iterator[Member]:
        for parent, folders, files in os.walk(folder):
            folders.sort()
            below = name / Path(parent).relative_to(folder).as_posix()
            for file in sorted(files):
                path = Path(parent) / file
                if self._wanted(file):
                    yield self._file(path, below / file)
                elif _packed(file):
                    try:
                        with path.open("rb") as stream:
                            yield from self._archive(stream, below / file, 1)
                    except _DAMAGE as error:
                        yield Member(below / file, None, f"an archive that cannot be read: {error}")
                elif file.lower().endswith(_UNREADABLE):
                    yield Member(below / file, None, "an archive of a kind that cannot be read")

    def _file(self, path: Path, name: PurePosixPath) -> Member:
        try:
            with path.open("rb") as stream:
                return self._read(stream, name)
        except OSError as error:
            return Member(name, None, f"cannot be read: {error.strerror or error}")

    def _archive(self, stream: IO[bytes], name: PurePosixPath, depth: int) -> Iterator[Member]:
        if depth > self.limits.depth:
            raise Im2TexError(f"{name}: archives inside archives, {depth} deep. That is no data.")
        if zipfile.is_zipfile(stream):
            yield from self._zip(stream, name, depth)
        else:
            stream.seek(0)
            yield from self._tar(stream, name, depth)

    def _zip(self, stream: IO[bytes], name: PurePosixPath, depth: int) -> Iterator[Member]:
        with zipfile.ZipFile(stream) as archive:
            for info in archive.infolist():
                path = name / _inside(info.filename)
                if info.is_dir() or not self._interesting(path.name):
                    continue
                try:
                    with archive.open(info) as member:
                        yield from self._member(member, path, depth)
                except (*_DAMAGE, RuntimeError, NotImplementedError) as error:
                    # RuntimeError: encrypted; NotImplementedError: an exotic compression.
                    yield Member(path, None, f"cannot be unpacked: {error}")

    def _tar(self, stream: IO[bytes], name: PurePosixPath, depth: int) -> Iterator[Member]:
        # "|": read once from front to back, which a compressed tar wants.
        with tarfile.open(fileobj=stream, mode="r|*") as archive:
            for info in archive:
                path = name / _inside(info.name)
                if not info.isfile() or not self._interesting(path.name):
                    continue
                member = archive.extractfile(info)
                if member is not None:
                    yield from self._member(member, path, depth)

    def _member(self, stream: IO[bytes], path: PurePosixPath, depth: int) -> Iterator[Member]:
        if self._wanted(path.name):
            yield self._read(stream, path)
        elif _packed(path.name):
            with tempfile.SpooledTemporaryFile(max_size=self.limits.memory) as copy:
                size = 0
                while chunk := stream.read(_CHUNK):
                    size += len(chunk)
                    self._spend(len(chunk), path)
                    if size > self.limits.nested:
                        raise Im2TexError(
                            f"{path} unpacks to more than {self.limits.nested} bytes."
                        )
                    try:
                        copy.write(chunk)
                    except OSError as error:
                        raise Im2TexError(
                            f"no room to unpack {path} in {tempfile.gettempdir()}: "
                            f"{error.strerror or error}. Point TMPDIR elsewhere, or make room."
                        ) from error
                copy.seek(0)
                try:
                    yield from self._archive(copy, path, depth + 1)
                except _DAMAGE as error:
                    yield Member(path, None, f"an archive that cannot be read: {error}")
        else:
            yield Member(path, None, "an archive of a kind that cannot be read")

    def _read(self, stream: IO[bytes], path: PurePosixPath) -> Member:
        # In pieces, since some streams set aside at once what they are asked for at most.
        pieces: list[bytes] = []
        size = 0
        while size <= self.limits.member and (piece := stream.read(_PIECE)):
            pieces.append(piece)
            size += len(piece)
        self._spend(size, path)
        if size > self.limits.member:
            return Member(path, None, f"larger than {self.limits.member} bytes")
        return Member(path, b"".join(pieces))

    def _spend(self, size: int, path: PurePosixPath) -> None:
        self.spent += size
        if self.spent > self.limits.total:
            raise Im2TexError(
                f"{path.parts[0]} unpacks to more than {self.limits.total} bytes, at {path}. "
                "That is no data set; nothing was written."
            )

    def _wanted(self, name: str) -> bool:
        # macOS leaves a "._" twin beside each file it packs.
        return name.lower().endswith(self.suffixes) and not name.startswith("._")

    def _interesting(self, name: str) -> bool:
        return self._wanted(name) or _packed(name) or name.lower().endswith(_UNREADABLE)


def _damaged(path: Path, reason: str) -> str:
    return (
        f"{path} is damaged or cut off ({reason}). Download it again, or give --from the folder it "
        "was unpacked to."
    )


def _packed(name: str) -> bool:
    return name.lower().endswith(_ZIP + _TAR) and not name.startswith("._")


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except _DAMAGE:
        return False


def _inside(name: str) -> PurePosixPath:
    """A member's name as a relative path, however it was meant."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return PurePosixPath(*(part for part in parts if part not in ("/", "..", ".")))
