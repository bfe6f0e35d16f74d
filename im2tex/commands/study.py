"""`im2tex report study`: prints the results of a folder as one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.utils.files import write_text_atomic
from im2tex.utils.untrusted_text import strip_control


def study(folder: Path, *, metrics: Sequence[str] = (), out: Path | None = None) -> None:
    """Prints the results of a study as Markdown tables, one per split, with published results.

    Runs that differ only by their seed are averaged. Below the tables stands how each run was made.

    Args:
        folder: folder of results, such as results/transfer.
        metrics: columns of the tables; the usual metrics if not given.
        out: Markdown file to write instead of printing.

    Raises:
        Im2TexError: if there are no results, no result has a metric, or the file is not writable.
    """
    from im2tex.evaluation.metrics.names import STUDY_METRICS
    from im2tex.evaluation.reports.study import metric_names, read_study, study_markdown

    entries = read_study(folder)
    known = metric_names(entries)
    for name in metrics:
        if name not in known:
            raise Im2TexError(
                f"no result in {folder} has the metric '{name}'. There are: "
                f"{', '.join(sorted(known))}."
            )
    page = study_markdown(folder, entries, metrics or STUDY_METRICS)
    if out is None:
        print(strip_control(page, keep="\n"), end="")
        return
    write_text_atomic(out, page)
    print(strip_control(out))
