"""The files a run leaves: `results/STUDY/NAME.json`, and for a test its samples.

Pages and tables are made from these, never typed. The samples of a split lie beside the result, as
JSON lines, in `NAME.SPLIT.samples.jsonl`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.evaluation.environment import describe_environment
from im2tex.evaluation.metrics import token_edits
from im2tex.evaluation.result_checks import check_result, check_sample
from im2tex.renames import current_components, current_settings
from im2tex.utils.files import write_text_atomic
from im2tex.utils.text_files import read_text
from im2tex.utils.untrusted_text import BadJsonError, parse_json, quote

FORMAT = 1
_NAME = re.compile(r"\w[\w.+=-]*")


@dataclass(frozen=True)
class SampleResult:
    """What became of one sample of a test.

    Attributes:
        key: the sample's key in its split.
        gold: the reference tokens.
        prediction: the predicted tokens; None where there is no prediction.
        verdicts: every verdict by name: booleans, or numbers such as `token_edits`.
        failed_at: the stage that failed (`read`, `draw`, `decode`, `render`, `score`); None where
            nothing did. A sample that failed before its prediction counts as wrong.
        score: log-probability of the prediction, nats; None where there is none.
        latex: the reference as found, where that is known; `gold` is what came of it.
        collection: the part of the data that the sample is from, where the source knows parts.
        reason: why it failed, in words.
    """

    key: str
    gold: Sequence[str]
    prediction: Sequence[str] | None
    verdicts: Mapping[str, bool | float]
    failed_at: str | None = None
    score: float | None = None
    latex: str | None = None
    collection: str | None = None
    reason: str | None = None

    @property
    def length(self) -> int:
        """Tokens of the reference."""
        return len(self.gold)

    @property
    def scored_prediction(self) -> Sequence[str] | None:
        """The prediction; None, which is always wrong, for a sample without a label.

        An empty prediction would else be right there.
        """
        return self.prediction if self.gold else None

    @classmethod
    def of(
        cls,
        key: str,
        gold: Sequence[str],
        prediction: Sequence[str] | None,
        *,
        failed_at: str | None = None,
        score: float | None = None,
        reason: str | None = None,
        **verdicts: bool | float,
    ) -> SampleResult:
        """A sample with its token-level verdicts, `token_exact` and `token_edits`, filled in."""
        edits = token_edits(prediction, gold)
        token: dict[str, bool | float] = {
            "token_exact": prediction is not None and edits == 0,
            "token_edits": edits,
        }
        return cls(key, gold, prediction, token | verdicts, failed_at, score, reason=reason)


@dataclass
class RunResult:
    """A run's result file.

    Attributes:
        command: what was run, as one would type it.
        config: the full configuration.
        data: source, split or splits, counts, filter.
        seed: the seed of the run.
        metrics: `{split: {name: value}}`; a value that is not finite is written as null.
        wall_time_s: seconds the run took.
        signatures: what makes figures comparable, by metric name.
        commit: of the im2tex checkout, `-dirty` with changes; None outside of one.
        machine: see `describe_environment`.
        date: when the run ended, ISO 8601 with its time zone.
        samples: file names of the samples, by split, relative to the result.
        breakdown: by split, see `im2tex.evaluation.breakdown`.
    """

    command: str
    config: Mapping[str, Any]
    data: Mapping[str, Any]
    seed: int | None
    metrics: Mapping[str, Mapping[str, float]]
    wall_time_s: float
    signatures: Mapping[str, str] = field(default_factory=dict)
    commit: str | None = field(default_factory=lambda: current_commit())  # noqa: PLW0108 - defined below
    machine: Mapping[str, Any] = field(default_factory=describe_environment)
    date: str = field(
        default_factory=lambda: datetime.now().astimezone().isoformat(timespec="seconds")
    )
    samples: Mapping[str, str] = field(default_factory=dict)
    breakdown: Mapping[str, Any] = field(default_factory=dict)

    def save(
        self,
        path: Path,
        samples: Mapping[str, Iterable[SampleResult]] | None = None,
    ) -> Path:
        """Writes the result and its samples, each file whole or not at all.

        Args:
            path: `results/STUDY/NAME.json`; folders are made, a file of that name is replaced.
            samples: the samples of each split tested.

        Returns:
            `path`.

        Raises:
            Im2TexError: if a file cannot be written.
        """
        names = dict(self.samples)
        for split, of_split in (samples or {}).items():
            names[split] = f"{path.stem}.{_file_part(split)}.samples.jsonl"
            write_samples(path.with_name(names[split]), of_split)
        record = {"format": FORMAT} | _jsonable(self) | {"samples": names}
        write_text_atomic(
            path, json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        )
        return path


def result_path(folder: Path, study: str, name: str) -> Path:
    """`FOLDER/STUDY/NAME.json`.

    Raises:
        Im2TexError: if the study or the name is no plain file name.
    """
    for what, value in (("study", study), ("name", name)):
        if not _NAME.fullmatch(value):
            raise Im2TexError(
                f"the {what} '{value}' names a file: use letters, digits and . _ + = - only, "
                "beginning with a letter or a digit."
            )
    return folder / study / f"{name}.json"


def read_result(path: Path) -> dict[str, Any]:
    """A result file's content, its configuration with the current names of settings.

    Raises:
        Im2TexError: if it is missing, no result file, of a format this version cannot read, or
            has parts that are not what they are called.
    """
    text = read_text(path)
    try:
        record = parse_json(text)
    except BadJsonError as error:
        line = "" if error.line is None else f"line {error.line}: "
        raise Im2TexError(f"{path} is no result file: {line}{error}.") from error
    given = record.get("format") if isinstance(record, dict) else record
    if not isinstance(record, dict) or given != FORMAT or isinstance(given, bool):
        raise Im2TexError(
            f"{path} has result format {quote(given)}; this version reads {FORMAT}. Give a file "
            "that `im2tex test` or `im2tex score` wrote, or update im2tex."
        )
    check_result(str(path), record)
    if "config" in record:
        record["config"] = current_components(current_settings(record["config"])[0])
    return record | {name: record.get(name) or {} for name in ("data", "signatures", "machine")}


def write_samples(path: Path, samples: Iterable[SampleResult]) -> None:
    """Writes samples as JSON lines, whole or not at all.

    Raises:
        Im2TexError: if the file cannot be written.
    """
    write_text_atomic(
        path,
        "".join(
            json.dumps(_jsonable(sample), ensure_ascii=False, allow_nan=False) + "\n"
            for sample in samples
        ),
    )


def read_samples(path: Path) -> Iterator[SampleResult]:
    """The samples of a file that `write_samples` wrote.

    Raises:
        Im2TexError: if it cannot be read, naming the line.
    """
    lines = read_text(path).split("\n")
    for number, line in enumerate(lines, 1):
        if not line and number == len(lines):
            return
        where = f"{path}, line {number}"
        try:
            record = parse_json(line)
        except BadJsonError as error:
            raise Im2TexError(
                f"{where}: no sample: {error}. For predictions alone, `im2tex score` makes samples."
            ) from error
        check_sample(where, record)
        yield SampleResult(**record)


def command_line(arguments: Sequence[str] | None = None) -> str:
    """The command as one would type it.

    Args:
        arguments: what follows `im2tex`; this process's own arguments by default.
    """
    return shlex.join(["im2tex", *(sys.argv[1:] if arguments is None else arguments)])


def current_commit() -> str | None:
    """The commit of the checkout this package runs from.

    Returns:
        The full hash, with `-dirty` where a tracked file has changed. None where the package is
        installed rather than checked out, even inside another project's repository, and where
        there is no git.
    """
    package = Path(__file__).resolve().parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(package), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _file_part(name: str) -> str:
    return re.sub(r"[^\w.+=-]", "_", name)


def _jsonable(value: Any) -> Any:
    """`value` in JSON's types: nan and inf become null, whatever JSON does not know its text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            part.name: _jsonable(getattr(value, part.name)) for part in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): _jsonable(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(part) for part in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a scalar of numpy or torch
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | bool | int | float | None) else str(value)
