"""Prints the table of a test, and writes the result file and every sample."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from im2tex.data.store import Split
from im2tex.evaluation.environment import command_line
from im2tex.evaluation.rendered_pairs import AUTO, NONE, Engine, choose_engine
from im2tex.evaluation.reports.table import SplitScores, print_table
from im2tex.evaluation.reports.test_report import engine_note, save_report, scoring_conditions
from im2tex.evaluation.results import RunResult, SampleResult, result_path
from im2tex.evaluation.scoring import ScoredSplit, score_samples
from im2tex.training.access import formula_data
from im2tex.training.callbacks.predictions import gather_dict
from im2tex.training.callbacks.run_folder import run_folder
from im2tex.utils.output import ignore_broken_pipe


class TestReport(Callback):
    """Prints the table of a test, and writes it with the scores of every sample.

    Files: `NAME.json` (the result), `NAME.md` (table and breakdown) and one
    `NAME.SPLIT.samples.jsonl` for each split, in `FOLDER/STUDY/`, or in the run's own folder if no
    folder is given. A dry run (`fast_dev_run`) writes none.

    The module scores tokens and label graphs in every process; the first process renders the
    formulas and scores the images when all samples are predicted.

    Example:
        >>> Trainer(callbacks=[TestReport("results", engine="none")]).test(model, data)

    Args:
        folder: folder of all results, such as `results`.
        study: name of the study; the data source's if not given.
        name: name of the run.
        engine: renders the formulas for the image metrics: `tex`, `builtin` (needs no TeX, renders
            fewer commands), `none`; `auto` is the first of them that is installed.
    """

    __test__ = False  # pytest would collect the class by its name

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
        """Completes the scores, prints, logs and writes, on the first process.

        Raises:
            Im2TexError: if a file cannot be written.
        """
        data = formula_data(trainer)
        module: Any = pl_module
        columns: list[SplitScores] = []
        scored: dict[str, ScoredSplit] = {}
        own = run_folder(trainer)
        for name, test in module.tests.items():
            records = gather_dict({record.key: record for record in test.records})
            if trainer.is_global_zero:
                samples = list(_in_order(data.split(name), records))
                scored[name] = score_samples(samples, self._engine)
                columns.append(
                    _column(name, scored[name], test.values, data.statistics[name], module)
                )
        if not trainer.is_global_zero:
            return
        with ignore_broken_pipe():
            print_table(columns)
            note = engine_note(scored.values())
            if note is not None:
                print(note)
        for column in columns:
            # The module has logged the metrics that need no images.
            logged = module.tests[column.split].values
            rest = {f"{column.split}/{n}": v for n, v in column.metrics.items() if n not in logged}
            for logger in trainer.loggers:
                logger.log_metrics(rest, trainer.global_step)
        if getattr(trainer, "fast_dev_run", False):
            return
        path = self._path(own or Path(trainer.default_root_dir), data.source.name)
        result = RunResult(
            command=command_line(),
            config={
                "model": _settings(module.hparams),
                "data": dict(data.hparams),
                "trainer": {"precision": str(trainer.precision)},
            },
            data={
                "source": data.source.name,
                "splits": {column.split: column.samples for column in columns},
                "filter": {column.split: column.filter for column in columns},
                "failed": {name: split.failed for name, split in scored.items()},
                "engine": {name: split.engine for name, split in scored.items()},
                "stores": {name: data.split(name).metadata for name in module.tests},
            },
            seed=data.hparams["seed"],
            metrics={column.split: column.metrics for column in columns},
            wall_time_s=round(time.monotonic() - self._started, 1),
            signatures={k: v for split in scored.values() for k, v in split.signatures.items()}
            | {
                "beam": module.search_signature,
                "checkpoint": str(module.loaded_from or trainer.ckpt_path),
            },
            breakdown={name: split.breakdown for name, split in scored.items()},
        )
        save_report(path, result, columns, {name: split.samples for name, split in scored.items()})
        print(f"Result, breakdown and predictions: {path.with_suffix('')}.json, .md, .*.jsonl")
        if any(split.engine.name == NONE for split in scored.values()):
            print(
                "The scores of images can be added where TeX is installed: `im2tex score "
                f"--predictions {path.stem}.SPLIT.samples.jsonl --references "
                f"{data.source.name}:SPLIT`."
            )

    def _path(self, own: Path, source: str) -> Path:
        if self.folder is None:
            own.mkdir(parents=True, exist_ok=True)
            return own / f"{self.name}.json"
        return result_path(Path(self.folder), self.study or source, self.name)


def _in_order(split: Split, records: dict[str, SampleResult]) -> Iterator[SampleResult]:
    """The records in the order of the split, with the split's LaTeX and collection of each."""
    known = zip(split.all_keys(), split.latex(), split.extras("collection"), strict=True)
    for key, latex, collection in known:
        if key in records:
            yield replace(records[key], latex=latex, collection=collection or None)


def _column(
    name: str,
    scored: ScoredSplit,
    logged: dict[str, float],
    statistics: Any,
    module: Any,
) -> SplitScores:
    """A split's column of the table.

    Args:
        name: name of the split.
        scored: its scores.
        logged: the metrics that the module has logged, such as the perplexity.
        statistics: statistics of the samples that the data module kept.
        module: the model.
    """
    samples = scored.samples
    total = statistics.total
    unlabelled = sum(not sample.gold for sample in samples)
    unknown = sum(
        any(token not in module.vocabulary for token in sample.gold) for sample in samples
    )
    conditions = {"beam": str(module.search_options.beam_size)} | scoring_conditions(scored)
    conditions |= {
        "without a label": str(unlabelled),
        "with unknown tokens": str(unknown),
        "downscaled": str(statistics.downscaled),
    }
    if not module.ensemble_options.is_single_model:
        conditions["ensemble"] = str(module.ensemble_options)
    return SplitScores(
        split=name,
        metrics=logged | dict(scored.metrics),
        samples=len(samples),
        filter="none" if len(samples) == total else f"first {len(samples)} of {total}",
        conditions=conditions,
    )


def _settings(hparams: Any) -> dict[str, Any]:
    return {name: value for name, value in hparams.items() if name != "vocabulary"}
