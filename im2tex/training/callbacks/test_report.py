"""What `test` prints and writes: the table, the result file, every sample."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from im2tex.data.store import Split
from im2tex.evaluation.rendered_pairs import AUTO, Engine, choose_engine
from im2tex.evaluation.reports.table import SplitScores, print_table
from im2tex.evaluation.reports.test_report import conditions, engine_note, save_report
from im2tex.evaluation.results import RunResult, SampleResult, command_line, result_path
from im2tex.evaluation.scoring import ScoredSplit, score_samples
from im2tex.training.access import formula_data
from im2tex.training.callbacks.predictions import gather_dict
from im2tex.training.callbacks.run_folder import run_folder
from im2tex.utils.output import ignore_broken_pipe


class TestReport(Callback):
    """Prints the table of a test, and writes it with every sample's verdicts.

    Files: `NAME.json` (the result), `NAME.md` (table and breakdown) and a
    `NAME.SPLIT.samples.jsonl` a split, in `FOLDER/STUDY/`, or in the run's own folder if no folder
    is given. A dry run (`fast_dev_run`) leaves none.

    The first process draws the pictures and scores, when all have read their samples.

    Args:
        folder: where results are collected, such as `results`.
        study: name of the study; the data source's if not given.
        name: name of the run.
        engine: what draws the pictures that the image scores compare: `tex`, `builtin` (needs no
            TeX, and draws less), `none`; `auto` is the first of them that is installed.
    """

    __test__ = False  # no test case, whatever pytest makes of the name

    def __init__(
        self,
        folder: str | None = None,
        study: str | None = None,
        name: str = "test",
        engine: str = AUTO,
    ) -> None:
        self.folder = folder
        self.study = study
        self.name = name
        self.engine = engine
        self._engine: Engine
        self._started = 0.0

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock, and finds the engine.

        Raises:
            Im2TexError: if there is no such engine, or the one asked for is not installed.
        """
        self._started = time.monotonic()
        self._engine = choose_engine(self.engine)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Scores, prints, logs and writes, on the first process.

        Raises:
            Im2TexError: if a file cannot be written.
        """
        data = formula_data(trainer)
        module: Any = pl_module
        own = run_folder(trainer)
        columns: list[SplitScores] = []
        scored: dict[str, ScoredSplit] = {}
        for name, test in module.tests.items():
            records = gather_dict({record.key: record for record in test.records})
            unfinished = sum(gather_dict({str(trainer.global_rank): test.unfinished}).values())
            if not trainer.is_global_zero:
                continue
            scored[name] = score_samples(list(_in_order(data.split(name), records)), self._engine)
            columns.append(
                _column(name, scored[name], test.scores, data.statistics[name], module, unfinished)
            )
        if not trainer.is_global_zero:
            return
        with ignore_broken_pipe():
            print_table(columns)
            note = engine_note(scored.values())
            if note is not None:
                print(note)
        for column in columns:
            logged = module.tests[column.split].scores  # by the module itself
            figures = {
                f"{column.split}/{name}": value
                for name, value in column.metrics.items()
                if name not in logged
            }
            for logger in trainer.loggers:
                logger.log_metrics(figures, trainer.global_step)
        if getattr(trainer, "fast_dev_run", False):
            return
        path = self._path(own or Path(trainer.default_root_dir), data.source.name)
        result = RunResult(
            command=command_line(),
            config={"model": _settings(module.hparams), "data": dict(data.hparams)},
            data={
                "source": data.source.name,
                "splits": {one.split: one.samples for one in columns},
                "filter": {one.split: one.filter for one in columns},
                "failed": {name: one.failed for name, one in scored.items()},
                "engine": {name: one.engine for name, one in scored.items()},
                "stores": {name: data.split(name).metadata for name in module.tests},
            },
            seed=data.hparams["seed"],
            metrics={one.split: one.metrics for one in columns},
            wall_time_s=round(time.monotonic() - self._started, 1),
            signatures={k: v for one in scored.values() for k, v in one.signatures.items()}
            | {
                "beam": module.search_signature,
                "checkpoint": str(module.loaded_from or trainer.ckpt_path),
            },
            breakdown={name: one.breakdown for name, one in scored.items()},
        )
        save_report(path, result, columns, {name: one.samples for name, one in scored.items()})
        print(f"Result, breakdown and predictions: {path.with_suffix('')}.json, .md, .*.jsonl")

    def _path(self, own: Path, source: str) -> Path:
        if self.folder is None:
            own.mkdir(parents=True, exist_ok=True)
            return own / f"{self.name}.json"
        return result_path(Path(self.folder), self.study or source, self.name)


def _in_order(split: Split, records: dict[str, SampleResult]) -> Iterator[SampleResult]:
    """The records in the order of the split, with what the split knows of each."""
    known = zip(split.all_keys(), split.latex(), split.extras("collection"), strict=True)
    for key, latex, collection in known:
        if key in records:
            yield replace(records[key], latex=latex, collection=collection or None)


def _column(
    name: str,
    scored: ScoredSplit,
    logged: dict[str, float],
    kept: Any,
    module: Any,
    unfinished: int,
) -> SplitScores:
    """A split's column of the table.

    Args:
        name: of the split.
        scored: its scores.
        logged: what the module has measured itself, such as the perplexity.
        kept: which samples the data module kept.
        module: the model.
        unfinished: hypotheses cut off at the length limit.
    """
    samples = scored.samples
    known = module.vocabulary
    return SplitScores(
        split=name,
        metrics=logged | dict(scored.metrics),
        samples=len(samples),
        failed=sum(one.prediction is None for one in samples),
        filter="none" if len(samples) == kept.total else f"first {len(samples)} of {kept.total}",
        beam=module.search_options.beam_size,
        unfinished=unfinished / max(1, len(samples)),
        facts=conditions(scored)
        | {
            "without a label": str(sum(not one.gold for one in samples)),
            "with unknown tokens": str(
                sum(any(token not in known for token in one.gold) for one in samples)
            ),
            "made smaller": str(kept.downscaled),
        }
        | (
            {}
            if module.ensemble_options.is_single_model
            else {"reading together": str(module.ensemble_options)}
        ),
    )


def _settings(hparams: Any) -> dict[str, Any]:
    return {name: value for name, value in hparams.items() if name != "vocabulary"}
