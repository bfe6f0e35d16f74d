"""`im2tex score`: anyone's predictions in the table of `im2tex test`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from im2tex.commands.formula_files import Entry, Role, read_formulas
from im2tex.commands.pairing import Paired, pair
from im2tex.data.source import SOURCES
from im2tex.errors import Im2TexError
from im2tex.evaluation.rendered_pairs import AUTO, choose_engine
from im2tex.evaluation.reports.table import SplitScores, print_table
from im2tex.evaluation.reports.test_report import conditions, engine_note, save_report
from im2tex.evaluation.results import RunResult, SampleResult, command_line
from im2tex.evaluation.scoring import ScoredSplit, score_samples
from im2tex.latex.normalize import NormalizationForm, normalize_or_none
from im2tex.utils.output import ignore_broken_pipe
from im2tex.utils.untrusted_text import strip_control

GIVEN = "given"
FORMS = (GIVEN, *(str(mode) for mode in NormalizationForm))
"""What both sides are brought to before anything is compared; `given` is as they are."""

_NAMED = 5  # keys named in a message


def score(
    predictions: str | Path,
    references: str | Path,
    *,
    root: Path = Path("data"),
    engine: str = AUTO,
    form: str = GIVEN,
    out: Path | None = None,
) -> None:
    """Scores predictions, prints the table, and writes a result like that of `im2tex test`.

    Args:
        predictions: a file of formulas, see `formula_files`, or a prepared split, `SOURCE:SPLIT`.
        references: likewise.
        root: folder of the stores.
        engine: what draws the pictures, one of `rendered_pairs.CHOICES`.
        form: one of `FORMS`.
        out: `FOLDER/NAME` of the result; none is written if not given.

    Raises:
        Im2TexError: if a file or split cannot be read, its formulas do not pair, the engine is
            not installed, or the result cannot be written.
    """
    started = time.monotonic()
    predictions, references = str(predictions), str(references)
    if form not in FORMS:
        raise Im2TexError(f"--form {form}: the forms are {', '.join(FORMS)}.")
    chosen = choose_engine(engine)
    _, guesses, _ = _formulas(predictions, "predictions", root)
    split, gold, about = _formulas(references, "references", root)
    path = None if out is None else _result_path(out, (predictions, references))
    paired = pair(gold, guesses)
    _say(paired, len(gold))
    scored = score_samples([_in_form(one, form) for one in paired.samples], chosen)
    column = _column(split, scored, form)
    with ignore_broken_pipe():
        print_table([column], title=f"{Path(predictions).name} against {Path(references).name}")
        note = engine_note([scored])
        if note is not None:
            print(strip_control(note))
        if path is None:
            print("Samples, breakdown and signatures: --out FOLDER/NAME writes them.")
    if path is None:
        return
    result = RunResult(
        command=command_line(),
        config={"engine": engine, "form": form},
        data={
            "source": about.get("source", references),
            "splits": {split: column.samples},
            "filter": {split: column.filter},
            "failed": {split: scored.failed},
            "engine": {split: scored.engine},
            "stores": {split: about},
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
    with ignore_broken_pipe():
        print(
            strip_control(
                f"Result, breakdown and samples: {path.with_suffix('')}.json, .md, .*.jsonl"
            )
        )


def _formulas(given: str, role: Role, root: Path) -> tuple[str, list[Entry], dict[str, object]]:
    """Name, formulas and, for a prepared split, what is known of it."""
    source, colon, split = given.partition(":")
    if not colon or Path(given).exists():
        return Path(given).stem, read_formulas(Path(given), role), {}
    # As it was prepared: to make it now, with the source's default settings, could change it.
    stored = SOURCES.build(source).split(root, split)
    known = (stored.all_keys(), stored.tokens(), stored.latex(), stored.extras("collection"))
    entries = [
        Entry(f"{given}, '{key}'", key, tokens, latex, {"collection": collection or None})
        for key, tokens, latex, collection in zip(*known, strict=True)
    ]
    return split, entries, dict(stored.about)


def _result_path(out: Path, read: Sequence[str]) -> Path:
    """`FOLDER/NAME.json`, which must not be, nor bring with it, a file that is read.

    Raises:
        Im2TexError: if it is.
    """
    path = out if out.suffix == ".json" else out.with_name(f"{out.name}.json")
    if out.is_dir() or not out.name:
        raise Im2TexError(f"--out {out} is a folder; give FOLDER/NAME, the result's name in it.")
    made = {path.resolve(), path.with_suffix(".md").resolve()}
    made |= {one.resolve() for one in path.parent.glob(f"{path.stem}.*.samples.jsonl")}
    for name in read:
        if Path(name).resolve() in made:
            raise Im2TexError(f"--out {out} would overwrite {name}; choose another name.")
    return path


def _in_form(sample: SampleResult, form: str) -> SampleResult:
    if form == GIVEN:
        return sample
    prediction = sample.prediction
    return replace(
        sample,
        gold=_formed(sample.gold, form),
        prediction=None if prediction is None else _formed(prediction, form),
    )


def _formed(tokens: Sequence[str], form: str) -> Sequence[str]:
    """Tokens in the form; as they are where they cannot be read."""
    found = normalize_or_none(" ".join(tokens), form)
    return tokens if found is None else found.split()


def _column(split: str, scored: ScoredSplit, form: str) -> SplitScores:
    samples = scored.samples
    known = [one.verdicts["finished"] for one in samples if "finished" in one.verdicts]
    return SplitScores(
        split=split,
        metrics=dict(scored.metrics),
        samples=len(samples),
        failed=scored.failed["read"],
        unfinished=1 - sum(known) / len(known) if known else None,
        facts={"form": form} | conditions(scored),
    )


def _say(paired: Paired, references: int) -> None:
    """Names what has no partner or cannot be used, on the error stream."""
    if paired.faults:
        print(
            f"{len(paired.faults):,} of {references:,} samples have a formula that cannot be used "
            f"and count as wrong: {'; '.join(_some(list(paired.faults.values())))}",
            file=sys.stderr,
        )
    for keys, what in (
        (paired.missing, f"of {references:,} references have no prediction and count as wrong"),
        (paired.unknown, "predictions belong to no reference and are left out"),
    ):
        if keys:
            print(f"{len(keys):,} {what}: {', '.join(_some(keys))}", file=sys.stderr)


def _some(keys: Sequence[str]) -> Iterator[str]:
    yield from map(strip_control, keys[:_NAMED])
    if len(keys) > _NAMED:
        yield "…"
