"""The result files of a run: `results/STUDY/NAME.json`, and the samples of a test.

Reports and tables are made from these files. The samples of a split are JSON lines beside the
result, in `NAME.SPLIT.samples.jsonl`.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.evaluation.environment import current_commit, describe_environment
from im2tex.evaluation.metrics.bleu import bleu_names
from im2tex.evaluation.metrics.names import BLEUS
from im2tex.evaluation.result_checks import check_result, check_sample
from im2tex.evaluation.sample_scores import score_sample
from im2tex.renames import current_components, current_settings
from im2tex.utils.files import write_text_atomic
from im2tex.utils.text_files import read_text
from im2tex.utils.untrusted_text import BadJsonError, parse_json, quote

FORMAT = 1
_NAME = re.compile(r"\w[\w.+=-]*")


@dataclass(frozen=True)
class SampleResult:
    """The result of a test on one sample.

    Example:
        >>> SampleResult.of("a", ["x"], ["x"]).metrics["token_exact"]
        True

    Attributes:
        key: the sample's key in its split.
        gold: the reference tokens; empty for a sample without a label.
        prediction: the predicted tokens; None where there is no prediction.
        metrics: the sample's scores by name: booleans, or numbers such as `token_edits`.
        failed_at: the stage that failed (`read`, `draw`, `decode`, `render`, `score`), or None. A
            sample that failed before its prediction counts as wrong.
        score: log-probability of the prediction, nats; None where there is none.
        latex: the reference as found, where that is known; `gold` are its tokens, normalised.
        collection: the part of the data that the sample is from, where the source has parts.
        reason: why the sample failed.
    """

    key: str
    gold: Sequence[str]
    prediction: Sequence[str] | None
    metrics: Mapping[str, bool | float]
    failed_at: str | None = None
    score: float | None = None
    latex: str | None = None
    collection: str | None = None
    reason: str | None = None

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
        **metrics: bool | float,
    ) -> SampleResult:
        """A sample with the scores of `score_sample`, and further ones."""
        scores = score_sample(prediction, gold) | metrics
        return cls(key, gold, prediction, scores, failed_at, score, reason=reason)

    def to_json(self) -> dict[str, Any]:
        """The sample in JSON's types, without the counts that only totals need."""
        stored = {name: value for name, value in self.metrics.items() if name not in _NOT_STORED}
        return to_jsonable(replace(self, metrics=stored))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, where: str, record: object) -> SampleResult:
        """The sample of a line that `write_samples` wrote, of this or an earlier version.

        Args:
            where: the file and line, for messages.
            record: the parsed line.

        Raises:
            Im2TexError: if it is no sample.
        """
        if isinstance(record, dict) and "verdicts" in record and "metrics" not in record:
            record = {_OLD_NAMES.get(name, name): value for name, value in record.items()}
        check_sample(where, record)
        sample = cls(**record)  # type: ignore[arg-type] # checked
        metrics = {"reference_tokens": len(sample.gold), **sample.metrics}
        if "image_match_released" in metrics:
            for name in ("image_edits", "image_columns"):
                if name in metrics:
                    metrics.setdefault(f"{name}_released", metrics[name])
        return replace(sample, metrics=metrics)


_OLD_NAMES = {"verdicts": "metrics"}  # names until November 2026
_NOT_STORED = {
    "reference_tokens",
    "prediction_has_graph",
    "reference_has_graph",
    *(name for bleu in BLEUS for name in bleu_names(bleu)),
}


@dataclass
class RunResult:
    """The content of a result file.

    Example:
        >>> result = RunResult(command_line(), {}, {"source": "crohme"}, 0, {"test": {}}, 1.0)
        >>> result.save(result_path(Path("results"), "study", "name"))

    Attributes:
        command: the command line of the run.
        config: the full configuration.
        data: source, split or splits, counts, filter.
        seed: the seed of the run.
        metrics: `{split: {name: value}}`; a value that is not finite is written as null.
        wall_time_s: seconds the run took.
        signatures: the settings under which values are comparable, by metric name.
        commit: commit of the im2tex checkout, see `current_commit`.
        machine: hardware and versions, see `describe_environment`.
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
    commit: str | None = field(default_factory=current_commit)
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
        """Writes the result and its samples, each file atomically.

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
        record = {"format": FORMAT} | to_jsonable(self) | {"samples": names}
        write_text_atomic(
            path, json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        )
        return path


def result_path(folder: Path, study: str, name: str) -> Path:
    """The path `FOLDER/STUDY/NAME.json`.

    Raises:
        Im2TexError: if the study or the name is not a plain file name.
    """
    for what, value in (("study", study), ("name", name)):
        if not _NAME.fullmatch(value):
            raise Im2TexError(
                f"the {what} '{value}' names a file: use letters, digits and . _ + = - only, "
                "beginning with a letter or a digit."
            )
    return folder / study / f"{name}.json"


def read_result(path: Path) -> dict[str, Any]:
    """Reads a result file, of this or an earlier version, with the current names of settings.

    Raises:
        Im2TexError: if it is missing, not a result, of an unknown format, or has parts of another
            type than their names promise.
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
    record |= {name: record.get(name) or {} for name in ("data", "signatures", "machine")}
    if "beam" in record["signatures"]:
        beam = record["signatures"]["beam"].replace(", views=", ", scales=")  # until December 2026
        record["signatures"]["beam"] = beam
    return record


def write_samples(path: Path, samples: Iterable[SampleResult]) -> None:
    """Writes samples as JSON lines, atomically.

    Raises:
        Im2TexError: if the file cannot be written.
    """
    write_text_atomic(
        path,
        "".join(
            json.dumps(sample.to_json(), ensure_ascii=False, allow_nan=False) + "\n"
            for sample in samples
        ),
    )


def read_samples(path: Path) -> Iterator[SampleResult]:
    """Reads the samples of a file that `write_samples` wrote, of this or an earlier version.

    Raises:
        Im2TexError: if the file or a line cannot be read.
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
        yield SampleResult.from_json(where, record)


def to_jsonable(value: Any) -> Any:
    """Converts to JSON's types: nan and inf become null, unknown values their `str`."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            part.name: to_jsonable(getattr(value, part.name)) for part in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_jsonable(part) for part in value]
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:  # a scalar of numpy or torch
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | bool | int | float | None) else str(value)


def _file_part(name: str) -> str:
    return re.sub(r"[^\w.+=-]", "_", name)
