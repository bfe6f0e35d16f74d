r"""Source `folder`: a person's own pictures and InkML files, with or without labels."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from im2tex.data.labels import label_tokens
from im2tex.data.sample import Sample
from im2tex.data.source import SOURCES, Prepared, Source
from im2tex.data.store import Split, write_split
from im2tex.errors import Im2TexError
from im2tex.ink.inkml import read_inkml
from im2tex.ink.raster import load_picture
from im2tex.latex.tokens import LatexError

_PICTURES = frozenset([".png", ".jpg", ".jpeg"])
_INK = ".inkml"
_LABELS = ("labels.tsv", "labels.txt", "labels.jsonl")
_CHUNK = 64  # photographs held in memory at a time
_NAMED = 10  # files named one by one in a report


@SOURCES.register("folder")
class FolderSource(Source):
    r"""PNG, JPEG and InkML files of a folder, its subfolders included.

    Labels are optional. They come from `labels.tsv`, `labels.txt` or `labels.jsonl` in the folder,
    or from a file named by `labels`:

    - TSV or TXT: a line a formula, `file<TAB>latex`, the file relative to the folder;
    - JSON lines: an object a line, `{"file": "a/b.png", "latex": "x^{2}"}`.

    Empty lines and lines that begin with `#` are passed over. An InkML file without a line there
    is labelled by its own truth, if it has one. Labels are brought to the canonical token form.

    Splits: `all` holds every file that can be read, and is what to predict on. Labelled files are
    also in `train` and `validation`, cut by a hash of the label, so that no label is in both.
    Keys are paths relative to the folder. Files that cannot be read, and labels that cannot be
    understood or whose file is not there, are counted and named.

    Args:
        path: the folder; `--from` of `im2tex data prepare` says it too.
        labels: the labels file, if it is not in the folder under a name above.
        validation: share of the labels that is held out.

    Raises:
        Im2TexError: if the share is not below 1.
    """

    name: ClassVar[str] = "folder"
    tests: ClassVar[tuple[str, ...]] = ("validation",)

    def __init__(
        self, path: str | None = None, labels: str | None = None, validation: float = 0.1
    ) -> None:
        if not 0 <= validation < 1:
            raise Im2TexError(
                f"source 'folder': validation={validation} is a share, from 0 to below 1."
            )
        self.folder = None if path is None else Path(path)
        self.labels = None if labels is None else Path(labels)
        self.share = validation

    def prepare(
        self, root: Path, origin: str | None = None, labels: Path | None = None
    ) -> Prepared:
        """See `Source.prepare`; `origin` is the folder."""
        folder = self.folder if origin is None else Path(origin)
        if folder is None:
            raise Im2TexError(
                "source 'folder' needs a folder: --from PATH, or path in data.source_args."
            )
        files = _files(folder)
        if not files:
            raise Im2TexError(f"{folder} holds no PNG, JPEG or InkML file.")
        markup = _read_labels(folder, labels or self.labels)
        prepared = Prepared()
        problems: list[str] = [
            f"{key}: has a label, but is not in the folder" for key in markup if key not in files
        ]
        entries: list[_Entry] = []
        for key, file in files.items():
            try:
                entries.append(_checked(key, file, markup.get(key), problems))
            except (Im2TexError, OSError) as error:
                text = str(error)
                problems.append(text if text.startswith(key) else f"{key}: {text}")
        if not entries:
            raise Im2TexError(
                f"none of the {len(files)} files in {folder} can be read: {'; '.join(problems[:3])}"
            )
        labelled = [entry for entry in entries if entry.tokens]
        held = self._held_out({entry.tokens for entry in labelled})
        splits = {
            "all": entries,
            "train": [entry for entry in labelled if entry.tokens not in held],
            "validation": [entry for entry in labelled if entry.tokens in held],
        }
        about = {
            "source": self.name,
            "settings": self._settings(folder, files, labels),
            "problems": problems,
        }
        for split, chosen in splits.items():
            if chosen:
                samples = (entry.sample() for entry in chosen)
                prepared.splits[split] = write_split(
                    self.path(root, split), samples, about, chunk=_CHUNK
                )
            else:
                self.path(root, split).unlink(missing_ok=True)
        prepared.lines.append(
            f"{len(entries)} of {len(files)} files read, {len(labelled)} of them labelled"
        )
        if problems:
            prepared.lines += _told(problems)
        return prepared

    def ensure(self, root: Path) -> None:
        """Reads the folder again if files in it, or the settings, have changed."""
        store = self.path(root, "all")
        if self.folder is None:
            if not store.exists():
                self.prepare(root)
            return
        settings = self._settings(self.folder, _files(self.folder), None)
        if not store.exists() or Split(store).about.get("settings") != settings:
            self.prepare(root)
        problems = Split(store).about.get("problems") or []
        if problems:
            # A run says so every time: what is left out of it would otherwise go unnoticed.
            print("\n".join([f"{self.folder}:", *_told(problems)]), file=sys.stderr)

    def _held_out(self, labels: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
        """Labels for validation: by their own hash, so that files added later move no other."""
        hashes = {
            label: int.from_bytes(hashlib.sha256(" ".join(label).encode()).digest()[:8], "big")
            for label in labels
        }
        held = {label for label, number in hashes.items() if number < self.share * 2**64}
        if self.share and len(labels) > 1:
            # A handful of files may fall on one side altogether.
            if not held:
                held.add(min(hashes, key=lambda label: hashes[label]))
            elif len(held) == len(labels):
                held.remove(max(hashes, key=lambda label: hashes[label]))
        return held

    def _settings(
        self, folder: Path, files: dict[str, Path], labels: Path | None
    ) -> dict[str, Any]:
        """What a store depends on; differs whenever it would have to be made again."""
        named = labels or self.labels
        notes = [folder / name for name in _LABELS] if named is None else [named]
        digest = hashlib.sha256()
        for file in [*files.values(), *(note for note in notes if note.exists())]:
            status = file.stat()
            digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
        return {
            "path": str(folder.absolute()),
            "labels": None if named is None else str(named.absolute()),
            "validation": self.share,
            "files": digest.hexdigest(),
        }


def _files(folder: Path) -> dict[str, Path]:
    """The readable kinds of files below a folder by relative path, sorted; hidden ones left out."""
    if not folder.is_dir():
        raise Im2TexError(f"{folder} is not a folder.")
    found = {}
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            file = Path(place) / name
            if file.suffix.lower() in {*_PICTURES, _INK} and not name.startswith("."):
                found[file.relative_to(folder).as_posix()] = file
    return dict(sorted(found.items()))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file that was read once without complaint; its contents are not kept in memory."""

    key: str
    file: Path
    latex: str
    tokens: tuple[str, ...]

    def sample(self) -> Sample:
        if self.file.suffix.lower() == _INK:
            ink = read_inkml(self.file, self.key).ink
            return Sample(self.key, self.latex, self.tokens, ink=ink)
        return Sample(self.key, self.latex, self.tokens, image=self.file.read_bytes())


def _told(problems: list[str]) -> list[str]:
    """The problems, counted, the first few by name."""
    lines = [f"{len(problems)} problems:", *problems[:_NAMED]]
    if len(problems) > _NAMED:
        lines.append(f"… and {len(problems) - _NAMED} more, in the store's notes")
    return lines


def _checked(key: str, file: Path, markup: str | None, problems: list[str]) -> _Entry:
    """Reads a file, so that a bad one is known now and not in the middle of a run."""
    if file.suffix.lower() == _INK:
        markup = markup or read_inkml(file, key).latex
    else:
        load_picture(file.read_bytes())
    latex = (markup or "").strip()
    return _Entry(key, file, latex, _tokens(key, latex, problems))


def _tokens(key: str, markup: str, problems: list[str]) -> tuple[str, ...]:
    if not markup:
        return ()
    try:
        return label_tokens(markup)
    except LatexError as error:
        problems.append(f"{key}: its label cannot be understood, so it counts as without: {error}")
        return ()


def _read_labels(folder: Path, file: Path | None) -> dict[str, str]:
    if file is None:
        file = next((folder / name for name in _LABELS if (folder / name).exists()), None)
        if file is None:
            return {}
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Im2TexError(f"the labels file {file} cannot be read: {error}") from error
    found: dict[str, str] = {}
    for number, name, latex in _lines(file, text):
        key = name.replace("\\", "/").removeprefix("./")
        if key in found:
            raise Im2TexError(f"{file}, line {number}: {key} has a label already.")
        found[key] = latex
    return found


def _lines(file: Path, text: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if file.suffix.lower() in (".jsonl", ".json"):
            try:
                row = json.loads(line)
                yield number, str(row["file"]), str(row["latex"])
            except (ValueError, KeyError, TypeError):
                raise Im2TexError(
                    f'{file}, line {number}: expected {{"file": "…", "latex": "…"}}.'
                ) from None
        else:
            key, tab, latex = line.rstrip("\r").partition("\t")
            if not tab:
                raise Im2TexError(f"{file}, line {number}: expected file<TAB>latex.")
            yield number, key.strip(), latex.strip()
