"""What lies in a person's folder: pictures, inks, labels files, and what cannot be read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePosixPath

from PIL import Image

from im2tex.data.preparation.walking import walk
from im2tex.data.sources.folder.labels import ENDINGS, EXPECTED, is_labels_file
from im2tex.errors import Im2TexError
from im2tex.ink.images.files import read_file_bytes
from im2tex.ink.images.formats import readable_formats
from im2tex.ink.inkml import is_inkml

INK = ".inkml"
# Pictures that this system may lack the means for: the reason is said, file by file.
_OTHER_PICTURES = frozenset(
    (".heic", ".heif", ".avif", ".jxl", ".svg", ".pdf", ".eps", ".ps", ".emf", ".wmf", ".psd")
)
_TEXTS = frozenset((*ENDINGS, ".md", ".rst", ".tex", ".html", ".htm", ".py", ".yaml", ".log"))
_HEAD = 4096
_PICTURE_HEAD = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|II\*\0|MM\0\*|BM.{12}[\x0c\x28\x6c\x7c]"
    rb"|....ftyp(?:hei|hev|mif|msf|avi)",
    re.DOTALL,
)


@dataclass
class Files:
    """What was found below a folder.

    Attributes:
        samples: pictures and inks by key, which is the path relative to the folder.
        labels: labels files by their path relative to the folder.
        texts: other files that might be labels.
        problems: name and reason of what cannot be read.
    """

    samples: dict[str, Path] = field(default_factory=dict)
    labels: dict[str, Path] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)


@cache
def endings() -> frozenset[str]:
    """Endings of pictures and inks, lower-case, with their dot."""
    readable = readable_formats()
    known = (ending for ending, name in Image.registered_extensions().items() if name in readable)
    return frozenset((*known, *_OTHER_PICTURES, INK))


def find_files(folder: Path) -> Files:
    """Looks through a folder and its subfolders; hidden files are left out.

    A file is a sample by its ending, or, where that says nothing, by its beginning.

    Raises:
        Im2TexError: if it is not a folder, or is not there.
    """
    if not folder.is_dir():
        if not folder.exists():
            raise Im2TexError(f"{folder} does not exist. Name a folder of pictures or InkML files.")
        raise Im2TexError(
            f"{folder} is not a folder. Name one of pictures or InkML files; unpack an archive "
            "first."
        )
    found = Files()
    for one in walk(folder, hidden=False):
        ending = PurePosixPath(one.name).suffix.lower()
        if is_labels_file(one.name) and not one.problem:
            found.labels[one.name] = one.path
        elif ending in ENDINGS:
            found.texts.append(one.name)
        elif ending in endings() or ending not in _TEXTS:
            if one.problem:
                found.problems.append((one.name, one.problem))
            elif ending in endings() or _begins_like_a_sample(one.path):
                found.samples[one.name] = one.path
    found.samples = dict(sorted(found.samples.items()))
    return found


def labels_file(folder: Path, files: Files, given: Path | None) -> Path | None:
    """The labels file to use: the one given, or the only one that lies in the folder.

    One at the top goes before those in subfolders.

    Raises:
        Im2TexError: if there are several.
    """
    if given is not None:
        return given.expanduser().absolute()
    top = [name for name in files.labels if "/" not in name]
    candidates = top or sorted(files.labels)
    if len(candidates) > 1:
        raise Im2TexError(
            f"{folder} holds several labels files: {listed(candidates)}. Expected one of "
            f"{EXPECTED}. Say which one with --labels (or labels in data.source_args), or put "
            "them together."
        )
    return files.labels[candidates[0]] if candidates else None


def is_ink(path: Path, data: bytes) -> bool:
    """Whether a file is InkML, by its ending or its beginning."""
    return path.suffix.lower() == INK or is_inkml(data)


def sample_bytes(path: Path) -> bytes:
    """A file's content.

    Raises:
        Im2TexError: if it cannot be read or is empty; the path is not named.
    """
    try:
        return read_file_bytes(path)
    except Im2TexError as error:
        reason = str(error).removeprefix("cannot open ").removeprefix(str(path))
        raise Im2TexError(reason.lstrip(": ")) from None


def listed(names: Iterable[str], most: int = 5) -> str:
    """Names in a line, not too many."""
    known = list(names)
    rest = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + rest


def _begins_like_a_sample(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    return bool(_PICTURE_HEAD.match(head) or is_inkml(head))
