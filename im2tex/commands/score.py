"""`im2tex score`: scores predictions of any system in the table of `im2tex test`."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from im2tex.commands.formula_files import read_split_or_file
from im2tex.errors import Im2TexError
from im2tex.latex.normalize import NormalizationForm, normalize_or_none
from im2tex.utils.output import ignore_broken_pipe
from im2tex.utils.untrusted_text import strip_control
from im2tex.utils.wording import counted

if TYPE_CHECKING:
    from im2tex.commands.pairing import PairedSamples
    from im2tex.evaluation.results import SampleResult

_GIVEN = "given"
_FORMS = (_GIVEN, *(str(form) for form in NormalizationForm))
_MAX_KEYS = 5  # keys in a message


def score(
    *,
    predictions: str,
    references: str,
    root: Path = Path("data"),
    engine: str = "auto",
    form: str = "given",
    out: Path | None = None,
) -> None:
    """Scores formulas against references and prints the table of `im2tex test`.

    Files are JSON lines, as predict, test and most other programs write them, JSON, TSV (key, tab,
    formula), or one formula per line. Formulas are paired by key, without keys line by line. A
    missing prediction counts as wrong.

    Args:
        predictions: file to score, or a prepared split such as crohme:test_2014.
        references: file of correct formulas, or a prepared split.
        root: folder of the prepared data.
        engine: renderer for the image scores: tex, builtin, which needs no TeX and knows fewer
            commands, none, or auto, the first of these that is installed.
        form: normalisation form of both sides, see `im2tex normalize`: norm, tok or crohme; given
            compares the formulas as they are.
        out: JSON file of the result; a table and the samples are written beside it.

    Raises:
        Im2TexError: if formulas cannot be read or paired, the engine is not installed, or the
            result is not writable.
    """
    from im2tex.commands.pairing import pair_predictions
    from im2tex.evaluation.environment import command_line
    from im2tex.evaluation.rendered_pairs import choose_engine
    from im2tex.evaluation.reports.table import SplitScores, print_table
    from im2tex.evaluation.reports.test_report import engine_note, save_report, scoring_conditions
    from im2tex.evaluation.results import RunResult
    from im2tex.evaluation.scoring import score_samples

    started = time.monotonic()
    if form not in _FORMS:
        raise Im2TexError(f"--form must be one of {', '.join(_FORMS)}; got {form}.")
    chosen = choose_engine(engine)
    _, predicted, _ = read_split_or_file(predictions, "predictions", root)
    split, gold, metadata = read_split_or_file(references, "references", root)
    path = None if out is None else result_path(out, (predictions, references))
    paired = pair_predictions(gold, predicted)
    _report_unpaired(paired, len(gold))
    scored = score_samples([_normalize_sample(sample, form) for sample in paired.samples], chosen)
    column = SplitScores(
        split=split,
        metrics=scored.metrics,
        samples=len(scored.samples),
        conditions={"form": form} | scoring_conditions(scored),
    )
    with ignore_broken_pipe():
        print_table([column], title=f"{Path(predictions).name} against {Path(references).name}")
        note = engine_note([scored])
        if note is not None:
            print(strip_control(note))
        if path is None:
            print("Use --out FILE.json to write samples, breakdown and signatures.")
    if path is None:
        return
    result = RunResult(
        command=command_line(),
        config={"engine": engine, "form": form},
        data={
            "source": metadata.get("source", references),
            "splits": {split: column.samples},
            "filter": {split: column.filter},
            "failed": {split: scored.failed},
            "engine": {split: scored.engine},
            "stores": {split: metadata},
            "predictions": predictions,
            "references": references,
            "without_reference": len(paired.unknown),
        },
        seed=None,
        metrics={split: column.metrics},
        wall_time_s=round(time.monotonic() - started, 1),
        signatures={**scored.signatures, "form": form},
        breakdown={split: scored.breakdown},
    )
    save_report(path, result, [column], {split: scored.samples})
    files = f"{path.with_suffix('')}.json, .md, .*.jsonl"
    print(strip_control(f"Result, breakdown and samples: {files}"))


def result_path(out: Path, inputs: Sequence[str] = ()) -> Path:
    """The path of a result file; `.json` is added if necessary.

    Args:
        out: as given with --out.
        inputs: files that neither the result nor the files beside it may overwrite.

    Raises:
        Im2TexError: if it is a folder, or would overwrite an input.
    """
    if out.is_dir() or not out.name:
        raise Im2TexError(f"--out {out} is a folder; give the path of a JSON file.")
    path = out if out.suffix == ".json" else out.with_name(f"{out.name}.json")
    written = {path.resolve(), path.with_suffix(".md").resolve()}
    written |= {samples.resolve() for samples in path.parent.glob(f"{path.stem}.*.samples.jsonl")}
    for name in inputs:
        if Path(name).resolve() in written:
            raise Im2TexError(f"--out {out} would overwrite {name}; choose another name.")
    return path


def _normalize_sample(sample: SampleResult, form: str) -> SampleResult:
    """The sample with both sides in a normalisation form, where they can be parsed."""
    if form == _GIVEN:
        return sample

    def convert(tokens: Sequence[str]) -> Sequence[str]:
        normalized = normalize_or_none(" ".join(tokens), form)
        return tokens if normalized is None else normalized.split()

    prediction = None if sample.prediction is None else convert(sample.prediction)
    return replace(sample, gold=convert(sample.gold), prediction=prediction)


def _report_unpaired(paired: PairedSamples, references: int) -> None:
    """Reports keys without a partner and formulas that cannot be used, on standard error."""
    faults = list(paired.faults.values())
    total = counted(references, "reference")
    for entries, text in (
        (faults, f"{len(faults):,} of {total} counted as wrong, without a usable formula"),
        (paired.missing, f"{len(paired.missing):,} of {total} counted as wrong, not predicted"),
        (
            paired.unknown,
            f"{counted(len(paired.unknown), 'prediction')} skipped, no reference",
        ),
    ):
        if entries:
            listed = "; ".join(map(strip_control, entries[:_MAX_KEYS]))
            more = "; …" if len(entries) > _MAX_KEYS else ""
            print(f"{text}: {listed}{more}", file=sys.stderr)
