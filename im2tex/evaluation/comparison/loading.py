"""What a test left, read back: its samples by split and key, and under which conditions.

From a result (`results/STUDY/NAME.json`, or the `test.json` of a run), the folder of a run, or one
samples file (`NAME.SPLIT.samples.jsonl`), whose result is looked for beside it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.evaluation.result_checks import check_names
from im2tex.evaluation.results import SampleResult, read_result, read_samples
from im2tex.utils.untrusted_text import quote

_LONGEST_NAME = 255  # characters, where file systems end
_SAMPLES = ".samples.jsonl"
_EXPECTED = (
    "expected what `im2tex test` or `im2tex score` writes: a result NAME.json, a run's folder with "
    f"a test.json, or a file NAME.SPLIT{_SAMPLES}"
)


@dataclass(frozen=True)
class TestResult:
    """A test's samples and conditions.

    Attributes:
        path: the file that was named.
        record: the result file's content; None for samples without one.
        splits: samples by split, each by key, in the order of the file.
    """

    path: Path
    record: Mapping[str, Any] | None
    splits: Mapping[str, Mapping[str, SampleResult]]

    @property
    def is_one_file(self) -> bool:
        """Whether one samples file was named, not a result."""
        return self.path.suffix == ".jsonl"


def load_test_result(path: Path) -> TestResult:
    """Reads a result with all of its samples, or one samples file.

    Raises:
        Im2TexError: if it is neither, or a file is missing or damaged.
    """
    if path.is_dir() and (path / "test.json").is_file():
        path = path / "test.json"
    if path.is_dir() or path.suffix not in (".json", ".jsonl"):
        what = "is a folder without a test.json" if path.is_dir() else "is no result"
        raise Im2TexError(f"{path} {what}; {_EXPECTED}.")
    if path.suffix == ".jsonl":
        record, split = _beside(path)
        return TestResult(path, record, {split: _samples(path)})
    record = read_result(path)
    names = record.get("samples") or {}
    if not isinstance(names, dict) or not names:
        raise Im2TexError(f"{path} lists no samples; {_EXPECTED}.")
    check_names(f"{path}, samples", names)
    return TestResult(
        path, record, {split: _samples(_neighbour(path, name)) for split, name in names.items()}
    )


def number(value: object) -> float | None:
    """A verdict as a number; None where there is none, or it is not finite."""
    if isinstance(value, bool | int | float) and math.isfinite(value):
        return float(value)
    return None


def _neighbour(result: Path, name: object) -> Path:
    """The samples file of that name beside a result: a result does not lead out of its folder."""
    known = isinstance(name, str) and 0 < len(name) <= _LONGEST_NAME
    if not isinstance(name, str) or not known or Path(name).name != name:
        raise Im2TexError(f"{result}: samples lie beside their result, not in {quote(name)}.")
    path = result.with_name(name)
    if not os.path.isfile(path):  # Path's own raises for some names
        raise Im2TexError(
            f"{path}, the samples of {result}, is not there. Samples are not always handed on with "
            "a result: run its command again."
        )
    return path


def _beside(samples: Path) -> tuple[Mapping[str, Any] | None, str]:
    """The result that lists a samples file, and the split it gives; from the name without one."""
    parts = samples.name.removesuffix(".jsonl").removesuffix(".samples").split(".")
    for end in range(1, len(parts)):
        result = samples.with_name(".".join(parts[:end]) + ".json")
        try:
            record = read_result(result)
        except Im2TexError:
            continue  # not there, or another file of that name
        names = record.get("samples")
        for split, name in names.items() if isinstance(names, dict) else ():
            if name == samples.name:
                return record, split
    return None, parts[-1]


def _samples(path: Path) -> Mapping[str, SampleResult]:
    samples: dict[str, SampleResult] = {}
    for number, sample in enumerate(read_samples(path), 1):
        if sample.key in samples:
            raise Im2TexError(
                f"{path} has two samples with the key {quote(sample.key)}, the second on line "
                f"{number}: a key is a sample's own. Keep one of them."
            )
        samples[sample.key] = sample
    return samples
