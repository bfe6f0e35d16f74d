"""Finds the images, InkML files and labels files below a user's folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from PIL import Image

from im2tex.data.preparation.labels_file import ENDINGS, EXPECTED, is_labels_file
from im2tex.data.preparation.walking import walk
from im2tex.errors import Im2TexError
from im2tex.ink.images.files import read_file_bytes
from im2tex.ink.images.formats import readable_formats
from im2tex.ink.inkml import is_inkml

INK = ".inkml"
# Images that this system may be unable to read; the problem is reported for each file.
_OTHER_IMAGES = frozenset(
    (".heic", ".heif", ".avif", ".jxl", ".svg", ".pdf", ".eps", ".ps", ".emf", ".wmf", ".psd")
)
_TEXTS = frozenset((*ENDINGS, ".md", ".rst", ".tex", ".html", ".htm", ".py", ".yaml", ".log"))
_HEAD = 4096  # bytes
_IMAGE_HEAD = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|II\*\0|MM\0\*|BM.{12}[\x0c\x28\x6c\x7c]"
    rb"|....ftyp(?:hei|hev|mif|msf|avi)",
    re.DOTALL,
)


@dataclass
class FolderFiles:
    """The files below a folder.

    Attributes:
        samples: images and inks by key, the path relative to the folder.
        labels: labels files by their path relative to the folder.
        texts: other files that may be labels.
        problems: name and problem of each file that cannot be read.
    """

    samples: dict[str, Path] = field(default_factory=dict)
    labels: dict[str, Path] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


@cache
def sample_endings() -> frozenset[str]:
    """Returns the endings of images and InkML files, in lower case with their dot."""
    readable = readable_formats()
    known = (ending for ending, name in Image.registered_extensions().items() if name in readable)
    return frozenset((*known, *_OTHER_IMAGES, INK))


def find_files(folder: Path) -> FolderFiles:
    """Returns the files in a folder and its subfolders, without hidden ones.

    A file is a sample by its ending, or, with an unknown ending, by its first bytes.

    Raises:
        Im2TexError: if `folder` does not exist or is not a folder.
    """
    if not folder.exists():
        raise Im2TexError(f"{folder} does not exist. Pass a folder of images or InkML files.")
    if not folder.is_dir():
        raise Im2TexError(
            f"{folder} is not a folder. Pass a folder of images or InkML files; unpack an archive "
            "first."
        )
    found = FolderFiles()
    for file in walk(folder, hidden=False):
        ending = PurePosixPath(file.name).suffix.lower()
        if is_labels_file(file.name) and not file.problem:
            found.labels[file.name] = file.path
        elif ending in ENDINGS:
            found.texts.append(file.name)
        elif ending in sample_endings() or ending not in _TEXTS:
            if file.problem:
                found.problems.append((file.name, file.problem))
            elif ending in sample_endings() or _starts_like_a_sample(file.path):
                found.samples[file.name] = file.path
    found.samples = dict(sorted(found.samples.items()))
    return found


def labels_file(folder: Path, files: FolderFiles, given: Path | None) -> Path | None:
    """Returns the labels file to use: the given one, or the only one in the folder.

    A labels file at the top takes precedence over those in subfolders.

    Raises:
        Im2TexError: if there are several.
    """
    if given is not None:
        return given.expanduser().absolute()
    candidates = [name for name in files.labels if "/" not in name] or sorted(files.labels)
    if len(candidates) > 1:
        raise Im2TexError(
            f"{folder} has several labels files: {join_names(candidates)}. Expected one of "
            f"{EXPECTED}. Choose one with --labels (or labels in data.source_args), or merge them."
        )
    return files.labels[candidates[0]] if candidates else None


def is_ink(path: Path, data: bytes) -> bool:
    """Returns whether a file is InkML, by its ending or its first bytes."""
    return path.suffix.lower() == INK or is_inkml(data)


def sample_bytes(path: Path) -> bytes:
    """Returns the content of a file.

    Raises:
        Im2TexError: if the file cannot be read or is empty, without naming the path.
    """
    try:
        return read_file_bytes(path)
    except Im2TexError as error:
        reason = str(error).removeprefix("cannot open ").removeprefix(str(path))
        raise Im2TexError(reason.lstrip(": ")) from None


def join_names(names: Iterable[str], most: int = 5) -> str:
    """Returns the first names separated by commas, with the number of the others."""
    names = list(names)
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def _starts_like_a_sample(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return bool(_IMAGE_HEAD.match(head) or is_inkml(head))
