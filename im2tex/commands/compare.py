"""`im2tex compare`: which of two results is better on the same samples, how surely, and where."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.evaluation.comparison.comparison import compare_tests
from im2tex.evaluation.comparison.export import check_suffix, comparison_record, write_changes
from im2tex.evaluation.comparison.loading import load_test_result
from im2tex.evaluation.comparison.terminal import print_comparisons
from im2tex.utils.output import ignore_broken_pipe
from im2tex.utils.untrusted_text import strip_control


def compare(
    first: Path,
    others: Sequence[Path],
    *,
    verdicts: Sequence[str] = (),
    show: int = 10,
    out: Path | None = None,
    as_json: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
) -> None:
    """Compares results with a first one and prints how they differ.

    Args:
        first: a result, the folder of a run, or a samples file.
        others: the same.
        verdicts: to compare; all that both have by default.
        show: how many changed samples of a kind to list in each split.
        out: file for all of them, `.jsonl` or `.md`.
        as_json: whether to print JSON.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        Im2TexError: for what cannot be read, compared or written.
    """
    for flag, value, least in (("show", show, 0), ("resamples", resamples, 1), ("seed", seed, 0)):
        if value < least:
            raise Im2TexError(f"--{flag} is at least {least}, got {value}.")
    if out is not None:
        check_suffix(out)
    compared = compare_tests(
        load_test_result(first),
        [load_test_result(other) for other in others],
        only=verdicts,
        resamples=resamples,
        seed=seed,
    )
    if out is not None:
        write_changes(out, compared, resamples, seed)
    with ignore_broken_pipe():
        if as_json:
            record = comparison_record(compared, resamples, seed)
            # In ASCII: a key or a name can hold what a terminal obeys.
            print(json.dumps(record, indent=2, allow_nan=False))
        else:
            print_comparisons(compared, show=show, resamples=resamples, seed=seed)
    if out is not None:
        changed = sum(len(split.changes) for one in compared for split in one.splits)
        print(f"{changed:,} samples that changed: {strip_control(out)}", file=sys.stderr)
