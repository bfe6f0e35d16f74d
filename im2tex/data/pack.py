"""`Pack`: a file with prepared data, which is unpacked to the user's cache folder when it is used.

`im2tex.data.packing` writes packs and describes them. Nothing of a pack is trusted: it must hold
exactly the files of its manifest, in that order, with their sizes and checksums, and the names are
those of Parquet files below the folder of a source.
"""

from __future__ import annotations

import os
import re
import tarfile
import tempfile
from collections.abc import Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, NamedTuple

from im2tex.data.preparation.raw_files import open_tar
from im2tex.errors import Im2TexError
from im2tex.utils.cache_folder import user_cache_folder
from im2tex.utils.files import wrap_os_errors
from im2tex.utils.untrusted_text import BadJsonError, parse_json, quote

FORMAT = 1
SUFFIX = ".im2tex"
MANIFEST = "manifest.json"

_LARGEST_MANIFEST = 1 << 20  # bytes
_CHUNK = 1 << 20  # bytes
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*/[A-Za-z0-9_-][A-Za-z0-9_.-]*\.parquet")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class PackedFile(NamedTuple):
    """A file of a pack.

    Attributes:
        path: relative to the data root, such as `crohme/train.parquet`.
        bytes: size.
        sha256: checksum, in hexadecimal digits.
        notes: number of samples, licence, and settings of the source that made the file.
    """

    path: str
    bytes: int
    sha256: str
    notes: Mapping[str, Any]


class Pack:
    """A pack of prepared data; its manifest is read and checked at once.

    Example:
        >>> pack = Pack(Path("crohme_synthetic.im2tex"))
        >>> root = pack.unpack()  # a data root as `im2tex data prepare` makes it

    Args:
        path: the file that `im2tex data pack` wrote.

    Attributes:
        files: the packed files.

    Raises:
        Im2TexError: if the file is missing, cut off, damaged, or no pack.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            problem = "is no regular file" if path.exists() else "does not exist"
            raise Im2TexError(
                f"the pack {path} {problem}: set data.root to a file of `im2tex data pack`, or to "
                "a folder of prepared data."
            )
        try:
            with path.open("rb") as stream, open_tar(stream) as archive:
                text = self._read_manifest(archive)
                self.size = os.fstat(stream.fileno()).st_size
        except (OSError, EOFError, tarfile.TarError) as error:
            raise self._unreadable(error) from error
        self.digest = sha256(text).hexdigest()
        self.files = self._parse(text)
        needed = sum(file.bytes for file in self.files)
        if needed > self.size:
            raise self._damaged(f"it has {self.size:,} bytes and its files {needed:,}")

    @cached_property
    def folder(self) -> Path:
        """Where the pack is unpacked to: a folder of the user's cache, named by its contents.

        Raises:
            Im2TexError: if there is no cache folder.
        """
        cache = user_cache_folder()
        if cache is None:
            raise Im2TexError(
                f"there is no home folder to unpack {self.path} to: set XDG_CACHE_HOME to a folder."
            )
        return cache / "packs" / self.digest[:32]

    def training_files(self, source: str) -> list[PackedFile]:
        """The files of the split `train` of a source: one, or its shards."""
        pattern = re.compile(rf"{re.escape(source)}/train(-\d{{5}}-of-\d{{5}})?\.parquet")
        return [file for file in self.files if pattern.fullmatch(file.path)]

    def settings(self, source: str) -> dict[str, Any]:
        """The `data.source_args` that the store of a source was made with, if it notes them."""
        noted = [file.notes.get("settings") for file in self.training_files(source)]
        return dict(noted[0] or {}) if noted else {}

    def unpack(self) -> Path:
        """Unpacks the files, unless an earlier call has, and returns `folder`.

        Several processes may do so at the same time. After an error there is no folder.

        Raises:
            Im2TexError: if a file is damaged, or the cache cannot be written.
        """
        folder = self.folder
        if self._is_unpacked(folder):
            return folder
        with wrap_os_errors(
            f"unpack {self.path} to {folder}",
            "Free disk space there, set XDG_CACHE_HOME to another folder, or unpack it yourself "
            "with `tar -xf` and set data.root to the result.",
        ):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacking-") as temporary:
                new = Path(temporary) / "data"
                new.mkdir()
                self._extract(new)
                if folder.exists():  # an earlier one, which somebody changed
                    folder.rename(Path(temporary) / "replaced")
                try:
                    new.rename(folder)
                except OSError:
                    if not self._is_unpacked(folder):  # by another process in the meantime
                        raise
        return folder

    def _is_unpacked(self, folder: Path) -> bool:
        paths = {folder / file.path: file.bytes for file in self.files}
        return all(path.is_file() and path.stat().st_size == n for path, n in paths.items())

    def _extract(self, folder: Path) -> None:
        try:
            with self.path.open("rb") as stream, open_tar(stream) as archive:
                if sha256(self._read_manifest(archive)).hexdigest() != self.digest:
                    raise self._damaged("it was changed while it was read")
                for file in self.files:
                    content = self._next_member(archive, file.path, file.bytes)
                    path = folder / file.path
                    path.parent.mkdir(exist_ok=True)
                    digest = sha256()
                    with path.open("xb") as out:
                        while chunk := content.read(_CHUNK):
                            digest.update(chunk)
                            out.write(chunk)
                    if digest.hexdigest() != file.sha256:
                        raise self._damaged(f"{file.path} has another checksum than the manifest")
        except (EOFError, tarfile.TarError) as error:
            raise self._unreadable(error) from error

    def _read_manifest(self, archive: tarfile.TarFile) -> bytes:
        return self._next_member(archive, MANIFEST, None).read()

    def _next_member(self, archive: tarfile.TarFile, name: str, size: int | None) -> IO[bytes]:
        """The next member, which must be a regular file of this name and size.

        Raises:
            Im2TexError: if it is another one.
        """
        info = archive.next()
        if info is None:
            raise self._damaged(f"it has no {name}")
        if info.name != name or not info.isreg():
            raise self._damaged(f"expected the file {name}, got {quote(info.name)}")
        if info.size != size if size is not None else info.size > _LARGEST_MANIFEST:
            raise self._damaged(f"{name} has {info.size:,} bytes")
        content = archive.extractfile(info)
        assert content is not None
        return content

    def _parse(self, text: bytes) -> list[PackedFile]:
        """The files of a manifest.

        Raises:
            Im2TexError: if it is of another format or damaged.
        """
        try:
            manifest = parse_json(text.decode())
            if manifest["format"] != FORMAT:
                raise Im2TexError(
                    f"{self.path} has pack format {quote(manifest['format'])}; this version reads "
                    f"{FORMAT}. Make it again with `im2tex data pack`."
                )
            files = [PackedFile(**entry) for entry in manifest["files"]]
        except (BadJsonError, UnicodeDecodeError, KeyError, TypeError) as error:
            raise self._damaged(f"its manifest cannot be read: {error}") from error
        names = set()
        for file in files:
            path, bytes_, digest, notes = file
            if not isinstance(path, str) or not _NAME.fullmatch(path) or path in names:
                raise self._damaged(f"its manifest lists {quote(path)}")
            if type(bytes_) is not int or bytes_ < 0 or not _are_notes(notes):
                raise self._damaged(f"its manifest has a wrong entry of {path}")
            if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
                raise self._damaged(f"its manifest has a wrong checksum of {path}")
            names.add(path)
        return files

    def _damaged(self, problem: str) -> Im2TexError:
        return Im2TexError(
            f"{self.path} is damaged or no pack: {problem}. Copy it again, or make it again with "
            "`im2tex data pack`."
        )

    def _unreadable(self, error: Exception) -> Im2TexError:
        reason = getattr(error, "strerror", None) or str(error)
        return self._damaged(" ".join(reason.split()) or type(error).__name__)


def _are_notes(notes: object) -> bool:
    return (
        isinstance(notes, dict)
        and isinstance(notes.get("samples", 0), int)
        and isinstance(notes.get("settings", {}), dict)
    )


def is_pack(root: Path) -> bool:
    """Whether a data root is a pack rather than a folder."""
    return root.is_file() or (root.suffix == SUFFIX and not root.is_dir())


def open_root(root: Path) -> Path:
    """The folder of a data root; a pack is unpacked first.

    Raises:
        Im2TexError: as for `Pack` and `Pack.unpack`.
    """
    return Pack(root).unpack() if is_pack(root) else root
