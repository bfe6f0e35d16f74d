"""`im2tex compare`: compares results on the same samples, with tests of significance."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from im2tex.commands.command_parser import check_minimum
from im2tex.utils.output import ignore_broken_pipe
from im2tex.utils.untrusted_text import strip_control


def compare(
    result: Path,
    others: Sequence[Path],
    *,
    metrics: Sequence[str] = (),
    show: int = 10,
    out: Path | None = None,
    as_json: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
) -> None:
    """Compares results of `im2tex test` or `im2tex score` with a first one, sample by sample.

    Prints each metric, its difference with a paired bootstrap interval, McNemar's exact test, and
    the samples that only one of two results has right. A result is a file NAME.json, the folder of
    a run, or a file NAME.SPLIT.samples.jsonl.

    Args:
        result: the result to compare with.
        others: another result.
        metrics: compare by these metrics only. The first yes-or-no metric decides which samples
            are listed as right.
        show: how many samples to list that only one result has right, per split.
        out: file for all samples with different predictions or scores, .jsonl or .md.
        as_json: print JSON instead of tables.
        resamples: resamples of the bootstrap.
        seed: seed of the bootstrap.

    Raises:
        Im2TexError: if results cannot be read or compared, or the file is not writable.
    """
    from im2tex.evaluation.comparison.comparison import compare_tests
    from im2tex.evaluation.comparison.export import check_suffix, comparison_record, write_changes
    from im2tex.evaluation.comparison.loading import load_test_result
    from im2tex.evaluation.comparison.terminal import print_comparisons

    check_minimum(0, show=show, seed=seed)
    check_minimum(1, resamples=resamples)
    if out is not None:
        check_suffix(out)
    compared = compare_tests(
        load_test_result(result),
        [load_test_result(other) for other in others],
        only=metrics,
        resamples=resamples,
        seed=seed,
    )
    if out is not None:
        write_changes(out, compared, resamples, seed)
    with ignore_broken_pipe():
        if as_json:
            record = comparison_record(compared, resamples, seed)
            # ASCII only: a key or a name can hold control sequences of a terminal.
            print(json.dumps(record, indent=2, allow_nan=False))
        else:
            print_comparisons(compared, show=show, resamples=resamples, seed=seed)
    if out is not None:
        changed = sum(len(split.changes) for one in compared for split in one.splits)
        print(f"{changed:,} samples that changed: {strip_control(out)}", file=sys.stderr)
