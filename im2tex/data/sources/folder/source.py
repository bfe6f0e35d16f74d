r"""Source `folder`: a person's own pictures and InkML files, with or without labels."""

from __future__ import annotations

import csv
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from im2tex.data.labels import label_tokens
from im2tex.data.sample import Sample
from im2tex.data.source import SOURCES, PreparationReport, Source
from im2tex.data.sources.folder.files import (
    Files,
    endings,
    find_files,
    is_ink,
    labels_file,
    listed,
    sample_bytes,
)
from im2tex.data.sources.folder.labels import EXPECTED, read_labels
from im2tex.data.sources.folder.matching import Matched, match
from im2tex.data.store import Split, write_split
from im2tex.errors import Im2TexError
from im2tex.ink.images.ink_image import load_ink_image
from im2tex.ink.inkml import InkmlError, read_inkml
from im2tex.latex.tokens import LatexError
from im2tex.utils.files import atomic_write

_CHUNK = 64  # photographs held in memory at a time
_NAMED = 10  # files named one by one in a report
_LEFT_OUT, _UNLABELLED, _UNUSED = "left out", "kept without a label", "label not used"


class Problem(NamedTuple):
    """A line of `problems.tsv`.

    Attributes:
        file: relative to the folder, or a name in the labels file.
        reason: what is wrong.
        outcome: what became of it.
    """

    file: str
    reason: str
    outcome: str

    def __str__(self) -> str:
        line = " ".join(f"{self.file}: {self.reason}".split())
        return "".join(one if one.isprintable() else "\ufffd" for one in line)


@SOURCES.register("folder")
class FolderSource(Source):
    r"""Pictures in any format that `im2tex read` takes, and InkML files, of a folder and below it.

    Labels are optional. They come from a file in the folder, or one named by `labels`:

    - `labels.tsv`, `labels.txt` or `caption.txt`: a line a formula, `file<TAB>latex`;
    - `labels.csv`: `file,latex`, with quotes around what has commas;
    - `labels.json`, `labels.jsonl`: an object of formulas by file, or objects such as
      `{"file": "a/b.png", "latex": "x^{2}"}`, in a list or one a line.

    A first row of names (`file`, `latex` and the like) is understood. Files are named relative to
    the folder or to the labels file; the Unicode form, the case, the ending and the folders of a
    name may differ where it still means one file. Empty lines and lines that begin with `#` are
    passed over. An InkML file without a line there is labelled by its own truth, if it has one.
    Labels are brought to the canonical token form.

    Splits: `all` holds every file that can be read, and is what to predict on. Labelled files are
    also in `train` and `validation`, cut by a hash of the label, so that no label is in both.
    Keys are paths relative to the folder. Files that cannot be read, and labels that cannot be
    understood or whose file is not there, are counted, and named in `problems.tsv` beside the
    store.

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
        self.folder = None if path is None else Path(path).expanduser().absolute()
        self.labels = None if labels is None else Path(labels).expanduser().absolute()
        self.share = validation

    def portable(self, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
        """See `Source.portable`: path and labels are absolute."""
        paths = {"path": self.folder, "labels": self.labels}
        absolute = {name: str(path) for name, path in paths.items() if path is not None}
        return {**(arguments or {}), **absolute}

    def prepare(
        self, root: Path, raw_data: str | None = None, labels: Path | None = None
    ) -> PreparationReport:
        """See `Source.prepare`; `raw_data` is the folder."""
        folder = self.folder if raw_data is None else Path(raw_data).expanduser().absolute()
        if folder is None:
            raise Im2TexError(
                "source 'folder' needs a folder: --from PATH, or path in data.source_args."
            )
        files = find_files(folder)
        if not files.samples and not files.problems:
            raise Im2TexError(
                f"{folder} holds no PNG, JPEG, other picture or InkML file"
                + (f"; it holds {listed(files.texts)}." if files.texts else ".")
            )
        given = labels_file(folder, files, labels or self.labels)
        matched = _matched(folder, files, given)
        problems = [Problem(*one, _LEFT_OUT) for one in files.problems]
        problems += [
            Problem(*one, _UNLABELLED if one[0] in files.samples else _UNUSED)
            for one in matched.problems
        ]
        entries: list[_Entry] = []
        for key, file in files.samples.items():
            try:
                entries.append(_checked(key, file, matched.labels.get(key), problems))
            except (Im2TexError, OSError) as error:
                reason = error.reason if isinstance(error, InkmlError) else str(error)
                problems.append(Problem(key, reason.removeprefix(f"{key}: "), _LEFT_OUT))
        if not entries:
            raise Im2TexError(
                f"none of the {len(files.samples) + len(files.problems)} files in {folder} can be "
                f"read: {'; '.join(map(str, problems[:3]))}"
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
            "settings": self._settings(folder, files, labels or self.labels),
            "problems": [str(problem) for problem in problems],
        }
        prepared = PreparationReport()
        for split, chosen in splits.items():
            if chosen:
                samples = (entry.sample() for entry in chosen)
                prepared.splits[split] = write_split(
                    self.path(root, split), samples, about, chunk=_CHUNK
                )
            else:
                self.path(root, split).unlink(missing_ok=True)
        _write_problems(self._problems(root), problems)
        prepared.lines.append(
            f"{len(entries)} of {len(files.samples) + len(files.problems)} files read, "
            f"{len(labelled)} of them labelled"
        )
        if problems:
            prepared.lines += _told(list(map(str, problems)), self._problems(root))
        prepared.lines += _about_labels(folder, files, given)
        return prepared

    def ensure(self, root: Path) -> None:
        """Reads the folder again if files in it, or the settings, have changed."""
        store = self.path(root, "all")
        if self.folder is None:
            if not store.exists():
                self.prepare(root)
            return
        settings = self._settings(self.folder, find_files(self.folder), self.labels)
        if not store.exists() or Split(store).metadata.get("settings") != settings:
            self.prepare(root)
        problems = Split(store).metadata.get("problems") or []
        if problems:
            # A run says so every time: what is left out of it would otherwise go unnoticed.
            lines = _told(problems, self._problems(root))
            print("\n".join([f"{self.folder}:", *lines]), file=sys.stderr)

    def _problems(self, root: Path) -> Path:
        return root / self.name / "problems.tsv"

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

    def _settings(self, folder: Path, files: Files, labels: Path | None) -> dict[str, Any]:
        """What a store depends on; differs whenever it would have to be made again."""
        notes = list(files.labels.values()) if labels is None else [labels]
        digest = hashlib.sha256()
        for file in [*files.samples.values(), *(note for note in notes if note.exists())]:
            status = file.stat()
            digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
        return {
            "path": str(folder),
            "labels": None if labels is None else str(labels.absolute()),
            "validation": self.share,
            "files": digest.hexdigest(),
        }


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file that was read once without complaint; its contents are not kept in memory."""

    key: str
    file: Path
    latex: str
    tokens: tuple[str, ...]

    def sample(self) -> Sample:
        data = sample_bytes(self.file)
        if is_ink(self.file, data):
            return Sample(self.key, self.latex, self.tokens, ink=read_inkml(data, self.key).ink)
        return Sample(self.key, self.latex, self.tokens, image=data)


def _matched(folder: Path, files: Files, labels: Path | None) -> Matched:
    """The labels of the files by key."""
    if labels is None:
        return Matched({}, [])
    place = labels.parent.absolute()
    below = place.relative_to(folder).as_posix() if place.is_relative_to(folder) else ""
    keys = [*files.samples, *(name for name, _ in files.problems)]
    matched = match(read_labels(labels), keys, "" if below == "." else below, set(endings()))
    bad = {name for name, _ in files.problems}
    return Matched(
        {key: latex for key, latex in matched.labels.items() if key not in bad}, matched.problems
    )


def _told(problems: Sequence[str], path: Path) -> list[str]:
    """The problems, counted, the first few by name."""
    lines = [f"{len(problems)} problems:", *problems[:_NAMED]]
    if len(problems) > _NAMED:
        lines.append(f"… and {len(problems) - _NAMED} more, in {path}")
    return lines


def _about_labels(folder: Path, files: Files, used: Path | None) -> list[str]:
    """Which files might be labels and are not used; where none is used, what is expected."""
    others = [name for name, path in files.labels.items() if path != used]
    if used is not None:
        return [f"labels from {used}; not used: {listed(others)}"] if others else []
    seen = f" Seen there: {listed(files.texts)}." if files.texts else ""
    return [f"no labels file in {folder}: expected {EXPECTED}, or --labels FILE.{seen}"]


def _write_problems(path: Path, problems: Sequence[Problem]) -> None:
    try:
        with atomic_write(path) as part, part.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(Problem._fields)
            writer.writerows(problems)
    except OSError as error:
        raise Im2TexError(
            f"cannot write {path}: {error.strerror or error}. Choose another folder with --root, "
            "or make room there."
        ) from error


def _checked(key: str, file: Path, markup: str | None, problems: list[Problem]) -> _Entry:
    """Reads a file, so that a bad one is known now and not in the middle of a run."""
    data = sample_bytes(file)
    if is_ink(file, data):
        inkml = read_inkml(data, key)
        problems += [Problem(key, note, "read") for note in inkml.notes]
        markup = markup or inkml.latex
    else:
        load_ink_image(data)
    latex = (markup or "").strip()
    return _Entry(key, file, latex, _tokens(key, latex, problems))


def _tokens(key: str, markup: str, problems: list[Problem]) -> tuple[str, ...]:
    if not markup:
        return ()
    try:
        return label_tokens(markup)
    except LatexError as error:
        reason = f"its label cannot be read: {error}"
        problems.append(Problem(key, reason, _UNLABELLED))
        return ()
