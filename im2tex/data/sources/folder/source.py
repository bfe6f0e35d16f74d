r"""Source `folder`: a user's own images and InkML files, with or without labels."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from im2tex.data.labels import label_tokens
from im2tex.data.preparation.hashing import hash_fraction
from im2tex.data.preparation.labels_file import EXPECTED, read_labels
from im2tex.data.preparation.publishing import PROBLEMS, write_problems
from im2tex.data.sample import Sample
from im2tex.data.source import SOURCES, PreparationReport, Source
from im2tex.data.sources.folder.files import (
    FolderFiles,
    find_files,
    is_ink,
    join_names,
    labels_file,
    sample_bytes,
    sample_endings,
)
from im2tex.data.sources.folder.matching import MatchedLabels, match_labels
from im2tex.data.store import read_metadata, write_split
from im2tex.errors import Im2TexError
from im2tex.ink.images.ink_image import load_ink_image
from im2tex.ink.inkml import InkmlError, read_inkml
from im2tex.latex.tokens import LatexError
from im2tex.utils.wording import counted

_CHUNK = 64  # photographs in memory at a time
_LISTED = 10  # problems in a report
_SKIPPED, _UNLABELLED, _UNUSED = "skipped", "kept without a label", "label not used"


class FolderProblem(NamedTuple):
    """A line of `problems.tsv`.

    Attributes:
        file: path relative to the folder, or a name in the labels file.
        reason: what is wrong.
        outcome: consequence, such as `skipped`.
    """

    file: str
    reason: str
    outcome: str

    def __str__(self) -> str:
        line = " ".join(f"{self.file}: {self.reason}".split())
        return "".join(character if character.isprintable() else "\ufffd" for character in line)


@dataclass(frozen=True, slots=True)
class _ReadableFile:
    """A file that can be read; its content is not kept in memory."""

    key: str
    file: Path
    latex: str
    tokens: tuple[str, ...]

    def sample(self) -> Sample:
        data = sample_bytes(self.file)
        if is_ink(self.file, data):
            return Sample(self.key, self.latex, self.tokens, ink=read_inkml(data, self.key).ink)
        return Sample(self.key, self.latex, self.tokens, image=data)


@SOURCES.register("folder")
class FolderSource(Source):
    r"""Images in any format that `im2tex read` accepts, and InkML files, of a folder.

    Labels are optional. They come from a file in the folder, or one named by `labels`:

    - `labels.tsv`, `labels.txt` or `caption.txt`: lines `file<TAB>latex`;
    - `labels.csv`: lines `file,latex`, with quotes around cells with commas;
    - `labels.json`, `labels.jsonl`: an object of formulas by file, or objects such as
      `{"file": "a/b.png", "latex": "x^{2}"}`, in a list or one in each line.

    A header (`file`, `latex` and the like) is optional. Files are named relative to the folder or
    to the labels file; the Unicode form, the case, the ending and the folders of a name may differ
    if it still matches one file. Empty lines and lines that begin with `#` are ignored. An InkML
    file without a line is labelled by its own truth, if it has one. Labels are brought to the
    canonical token form.

    Splits: `all` has every readable file, for predictions. Labelled files are also in `train` and
    `validation`, separated by a hash of the label, so that no label is in both. Keys are paths
    relative to the folder. Unreadable files and labels, labels without a file, and files without a
    label beside a labels file, are counted in the report and listed in `problems.tsv` beside the
    store.

    Example:
        >>> source = FolderSource("photos")
        >>> source.ensure(Path("data"))
        >>> [sample.key for sample in source.split(Path("data"), "all")]

    Args:
        path: the folder; `--from` of `im2tex data prepare` overrides it.
        labels: the labels file, if it is not in the folder under a name above.
        validation: fraction of the labels in `validation`.

    Raises:
        Im2TexError: if `validation` is out of range.
    """

    name: ClassVar[str] = "folder"
    tests: ClassVar[tuple[str, ...]] = ("validation",)

    def __init__(
        self, path: str | None = None, labels: str | None = None, validation: float = 0.1
    ) -> None:
        if not 0 <= validation < 1:
            raise Im2TexError(
                f"source 'folder': validation must be from 0 to below 1, got {validation}."
            )
        self.folder = None if path is None else Path(path).expanduser().absolute()
        self.labels = None if labels is None else Path(labels).expanduser().absolute()
        self.validation_fraction = validation

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
                "source 'folder' needs a folder: pass --from PATH, or path in data.source_args."
            )
        files = find_files(folder)
        total = len(files.samples) + len(files.problems)
        if not total:
            texts = f"; it has {join_names(files.texts)}" if files.texts else ""
            raise Im2TexError(f"{folder} has no PNG, JPEG, other image or InkML file{texts}.")
        labels = labels or self.labels
        used = labels_file(folder, files, labels)
        matched = _matched_labels(folder, files, used)
        problems = [FolderProblem(*problem, _SKIPPED) for problem in files.problems]
        problems += [
            FolderProblem(name, reason, _UNLABELLED if name in files.samples else _UNUSED)
            for name, reason in matched.problems
        ]
        entries = _read_all(files, matched, problems)
        unlabelled = [
            FolderProblem(entry.key, "no line of the labels file is for it", _UNLABELLED)
            for entry in entries
            if used is not None and not entry.latex and entry.key not in matched.labels
        ]
        if not entries:
            raise Im2TexError(
                f"0 of {counted(total, 'file')} in {folder} can be read: "
                f"{'; '.join(map(str, problems[:3]))}"
            )
        labelled = [entry for entry in entries if entry.tokens]
        held_out = self._held_out({entry.tokens for entry in labelled})
        splits = {
            "all": entries,
            "train": [entry for entry in labelled if entry.tokens not in held_out],
            "validation": [entry for entry in labelled if entry.tokens in held_out],
        }
        problem_texts = [str(problem) for problem in problems]
        metadata = {
            "source": self.name,
            "settings": self._settings(folder, files, labels),
            "problems": problem_texts,
        }
        report = PreparationReport()
        for split, chosen in splits.items():
            path = self.path(root, split)
            if chosen:
                samples = (entry.sample() for entry in chosen)
                report.splits[split] = write_split(path, samples, metadata, chunk=_CHUNK)
            else:
                path.unlink(missing_ok=True)
        problems_file = root / self.name / PROBLEMS
        write_problems(problems_file, FolderProblem._fields, [*problems, *unlabelled])
        line = f"{len(entries)} of {counted(total, 'file')} read, {len(labelled)} labelled"
        if unlabelled:
            line += f"; {len(unlabelled):,} without a line in the labels file, see {PROBLEMS}"
        report.lines.append(line)
        report.lines += _problem_lines(problem_texts, problems_file)
        report.lines += _labels_lines(folder, files, used)
        return report

    def ensure(self, root: Path) -> None:
        """Makes the store again if files in the folder or the settings have changed."""
        store = self.path(root, "all")
        if self.folder is None:
            if not store.exists():
                self.prepare(root)
            return
        settings = self._settings(self.folder, find_files(self.folder), self.labels)
        if not store.exists() or read_metadata(store).get("settings") != settings:
            self.prepare(root)
        # Each run prints the problems, because they mean that files are missing from it.
        lines = _problem_lines(
            read_metadata(store).get("problems", []), root / self.name / PROBLEMS
        )
        if lines:
            print("\n".join([f"{self.folder}:", *lines]), file=sys.stderr)

    def _held_out(self, labels: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
        """Returns the labels of the validation split; with two labels or more, both splits."""
        order = sorted(labels, key=lambda label: hash_fraction(" ".join(label)))
        count = sum(hash_fraction(" ".join(label)) < self.validation_fraction for label in order)
        if self.validation_fraction and len(order) > 1:
            count = min(max(count, 1), len(order) - 1)
        return set(order[:count])

    def _settings(self, folder: Path, files: FolderFiles, labels: Path | None) -> dict[str, Any]:
        """Returns what a store depends on; a store with other settings is made again."""
        labels_files = list(files.labels.values()) if labels is None else [labels]
        digest = hashlib.sha256()
        for file in [
            *files.samples.values(),
            *(path for path in labels_files if path.exists()),
        ]:
            status = file.stat()
            digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
        return {
            "path": str(folder),
            "labels": None if labels is None else str(labels.absolute()),
            "validation": self.validation_fraction,
            "files": digest.hexdigest(),
        }


def _matched_labels(folder: Path, files: FolderFiles, labels: Path | None) -> MatchedLabels:
    """Returns the label of each file by its key."""
    if labels is None:
        return MatchedLabels({}, [])
    parent = labels.parent.absolute()
    below = parent.relative_to(folder).as_posix() if parent.is_relative_to(folder) else ""
    unreadable = {name for name, _ in files.problems}
    matched = match_labels(
        read_labels(labels),
        [*files.samples, *unreadable],
        "" if below == "." else below,
        set(sample_endings()),
    )
    for name in unreadable:
        matched.labels.pop(name, None)
    return matched


def _read_all(
    files: FolderFiles, matched: MatchedLabels, problems: list[FolderProblem]
) -> list[_ReadableFile]:
    """Reads every file once, so that an unreadable one is reported before a run."""
    entries: list[_ReadableFile] = []
    for key, file in files.samples.items():
        try:
            data = sample_bytes(file)
            markup = matched.labels.get(key)
            if is_ink(file, data):
                inkml = read_inkml(data, key)
                problems += [FolderProblem(key, note, "read") for note in inkml.notes]
                markup = markup or inkml.latex
            else:
                load_ink_image(data)
        except (Im2TexError, OSError) as error:
            reason = error.reason if isinstance(error, InkmlError) else str(error)
            problems.append(FolderProblem(key, reason.removeprefix(f"{key}: "), _SKIPPED))
            continue
        latex = (markup or "").strip()
        tokens: tuple[str, ...] = ()
        try:
            tokens = label_tokens(latex) if latex else ()
        except LatexError as error:
            problems.append(FolderProblem(key, f"its label cannot be read: {error}", _UNLABELLED))
        entries.append(_ReadableFile(key, file, latex, tokens))
    return entries


def _problem_lines(problems: Sequence[str], path: Path) -> list[str]:
    """Returns the number of problems and the first of them."""
    if not problems:
        return []
    lines = [f"{counted(len(problems), 'problem')}:", *problems[:_LISTED]]
    if len(problems) > _LISTED:
        lines.append(f"… and {len(problems) - _LISTED} more, in {path}")
    return lines


def _labels_lines(folder: Path, files: FolderFiles, used: Path | None) -> list[str]:
    """Returns which labels files are not used, or what is expected if none is used."""
    others = [name for name, path in files.labels.items() if path != used]
    if used is not None:
        return [f"labels from {used}; not used: {join_names(others)}"] if others else []
    found = f" Found: {join_names(files.texts)}." if files.texts else ""
    return [f"no labels file in {folder}: expected {EXPECTED}, or --labels FILE.{found}"]
