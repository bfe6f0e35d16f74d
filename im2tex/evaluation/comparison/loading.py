"""Loads the result of a test with its samples, for a comparison.

From a result (`results/STUDY/NAME.json`, or the `test.json` of a run), the folder of a run, or one
samples file (`NAME.SPLIT.samples.jsonl`), whose result is looked up beside it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.evaluation.results import SampleResult, read_result, read_samples
from im2tex.utils.untrusted_text import quote

_SAMPLES = ".samples.jsonl"
_EXPECTED = (
    "expected what `im2tex test` or `im2tex score` writes: a result NAME.json, a run's folder with "
    f"a test.json, or a file NAME.SPLIT{_SAMPLES}"
)


@dataclass(frozen=True)
class TestResult:
    """The samples and conditions of a test.

    Attributes:
        path: the file that was given.
        record: the content of the result file; None for samples without one.
        splits: samples by split and by key, in the order of the file.
    """

    path: Path
    record: Mapping[str, Any] | None
    splits: Mapping[str, Mapping[str, SampleResult]]

    @property
    def is_one_file(self) -> bool:
        """Whether a samples file was given instead of a result."""
        return self.path.suffix == ".jsonl"


def load_test_result(path: Path) -> TestResult:
    """Loads a result with all of its samples, or one samples file.

    Raises:
        Im2TexError: if it is neither, or a file is missing or damaged.
    """
    if path.is_dir() and (path / "test.json").is_file():
        path = path / "test.json"
    if path.is_dir() or path.suffix not in (".json", ".jsonl"):
        problem = "is a folder without a test.json" if path.is_dir() else "is no result"
        raise Im2TexError(f"{path} {problem}; {_EXPECTED}.")
    if path.suffix == ".jsonl":
        record, split = _find_result(path)
        return TestResult(path, record, {split: _load_samples(path)})
    record = read_result(path)
    names = record.get("samples")
    if not isinstance(names, dict) or not names:
        raise Im2TexError(f"{path} lists no samples; {_EXPECTED}.")
    samples = {split: _load_samples(_samples_path(path, name)) for split, name in names.items()}
    return TestResult(path, record, samples)


def _samples_path(result: Path, name: object) -> Path:
    """The samples file of a result, which must lie beside it."""
    if not isinstance(name, str) or not 0 < len(name) < 256 or Path(name).name != name:
        raise Im2TexError(f"{result}: samples must lie beside their result, got {quote(name)}.")
    path = result.with_name(name)
    if not os.path.isfile(path):  # Path.is_file raises for some names
        raise Im2TexError(
            f"{path}, the samples of {result}, is not there. Samples are not always handed on with "
            "a result: run its command again."
        )
    return path


def _find_result(samples: Path) -> tuple[Mapping[str, Any] | None, str]:
    """The result that lists a samples file, and its split; without a result, from the name."""
    parts = samples.name.removesuffix(".jsonl").removesuffix(".samples").split(".")
    for end in range(1, len(parts)):
        try:
            record = read_result(samples.with_name(".".join(parts[:end]) + ".json"))
        except Im2TexError:
            continue  # missing, or another file of that name
        names = record.get("samples")
        for split, name in names.items() if isinstance(names, dict) else ():
            if name == samples.name:
                return record, split
    return None, parts[-1]


def _load_samples(path: Path) -> Mapping[str, SampleResult]:
    samples: dict[str, SampleResult] = {}
    for line, sample in enumerate(read_samples(path), 1):
        if sample.key in samples:
            raise Im2TexError(
                f"{path} has two samples with the key {quote(sample.key)}, the second on line "
                f"{line}: keys must be unique. Keep one of them."
            )
        samples[sample.key] = sample
    return samples
