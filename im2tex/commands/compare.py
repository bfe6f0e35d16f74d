"""`im2tex compare`: compares results on the same samples, with tests of significance."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.utils.checks import check_settings
from im2tex.utils.files import write_text_atomic
from im2tex.utils.untrusted_text import strip_control
from im2tex.utils.wording import counted


def compare(
    result: Path,
    others: Sequence[Path],
    *,
    metrics: Sequence[str] = (),
    changed: Path | None = None,
    as_json: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
) -> None:
    """Compares results of `im2tex test` or `im2tex score` with a first one, sample by sample.

    Prints each metric, its difference with a paired bootstrap interval, and McNemar's exact test. A
    result is a file NAME.json, the folder of a run, or a file NAME.SPLIT.samples.jsonl.

    Args:
        result: the result to compare with.
        others: another result.
        metrics: compare by these metrics only. The first yes-or-no metric decides which samples
            are right.
        changed: JSON Lines file for the samples that only one of two results has right.
        as_json: print JSON instead of tables.
        resamples: resamples of the bootstrap.
        seed: seed of the bootstrap.

    Raises:
        Im2TexError: if results cannot be read or compared, or the file is not writable.
    """
    from im2tex.evaluation.comparison.comparison import (
        changed_records,
        compare_tests,
        comparison_record,
    )
    from im2tex.evaluation.comparison.loading import load_test_result
    from im2tex.evaluation.comparison.terminal import print_comparisons

    check_settings("--", 0, seed=seed)
    check_settings("--", 1, resamples=resamples)
    if changed is not None and changed.suffix != ".jsonl":
        raise Im2TexError(f"--changed must be a .jsonl file, got {changed}.")
    compared = compare_tests(
        load_test_result(result),
        [load_test_result(other) for other in others],
        only=metrics,
        resamples=resamples,
        seed=seed,
    )
    if changed is not None:
        records = [json.dumps(record, ensure_ascii=False) for record in changed_records(compared)]
        write_text_atomic(changed, "".join(f"{record}\n" for record in records))
        message = f"{counted(len(records), 'sample')} that only one has right: {changed}"
        print(strip_control(message), file=sys.stderr)
    if as_json:
        # ASCII only: a key or a name can hold control sequences of a terminal.
        print(json.dumps(comparison_record(compared, resamples, seed), indent=2))
    else:
        print_comparisons(compared, resamples=resamples, seed=seed)
