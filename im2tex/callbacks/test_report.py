"""What `test` prints and writes: the table, the result file, every sample."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from im2tex.callbacks.predictions import gathered
from im2tex.callbacks.run_folder import run_folder
from im2tex.report.results import RunResult, command_line, result_path
from im2tex.report.table import SplitScores, markdown_table, print_table


class TestReport(Callback):
    """Prints the table of a test, and writes it with every sample's verdicts.

    Files: `NAME.json` (the result), `NAME.md` (the table) and a `NAME.SPLIT.samples.jsonl` a
    split, in `FOLDER/STUDY/`, or in the run's own folder if no folder is given.

    Args:
        folder: where results are collected, such as `results`.
        study: name of the study; the data source's if not given.
        name: name of the run.
    """

    __test__ = False  # no test case, whatever pytest makes of the name

    def __init__(
        self, folder: str | None = None, study: str | None = None, name: str = "test"
    ) -> None:
        self.folder = folder
        self.study = study
        self.name = name
        self._started = 0.0

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Starts the clock."""
        self._started = time.monotonic()

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Prints and writes, on the first process.

        Raises:
            Im2TexError: if a file cannot be written.
        """
        data = trainer.datamodule  # type: ignore[attr-defined]
        module: Any = pl_module
        own = run_folder(trainer)
        scores: list[SplitScores] = []
        samples = {}
        for name, test in module.tests.items():
            records = gathered({record.key: record for record in test.records})
            unfinished = sum(gathered({str(trainer.global_rank): test.unfinished}).values())
            kept = data.kept[name]
            order = [key for key in data.split(name).all_keys() if key in records]
            samples[name] = [records[key] for key in order]
            scores.append(
                SplitScores(
                    split=name,
                    metrics=test.scores,
                    samples=len(order),
                    failed=sum(one.prediction is None for one in samples[name]),
                    filter="none"
                    if len(order) == kept.total
                    else f"first {len(order)} of {kept.total}",
                    beam=module.search_options.beam_size,
                    unfinished=unfinished / max(1, len(order)),
                    facts={
                        "without a label": str(sum(not one.gold for one in samples[name])),
                        "with unknown tokens": str(
                            sum(
                                any(t not in module.words for t in one.gold)
                                for one in samples[name]
                            )
                        ),
                        "made smaller": str(kept.limited),
                    },
                )
            )
        if not trainer.is_global_zero:
            return
        print_table(scores)
        path = self._path(own or Path(trainer.default_root_dir), data.source.name)
        result = RunResult(
            command=command_line(),
            config={"model": _settings(module.hparams), "data": dict(data.hparams)},
            data={
                "source": data.source.name,
                "splits": {one.split: one.samples for one in scores},
                "filter": {one.split: one.filter for one in scores},
                "stores": {name: data.split(name).about for name in module.tests},
            },
            seed=data.hparams["seed"],
            metrics={one.split: one.metrics for one in scores},
            wall_time_s=round(time.monotonic() - self._started, 1),
            signatures=module.val_metrics.signatures
            | {"beam": str(module.search_options), "checkpoint": str(trainer.ckpt_path)},
        )
        result.save(path, samples)
        path.with_suffix(".md").write_text(markdown_table(scores), encoding="utf-8")
        print(f"Result and predictions: {path}")

    def _path(self, own: Path, source: str) -> Path:
        if self.folder is None:
            own.mkdir(parents=True, exist_ok=True)
            return own / f"{self.name}.json"
        return result_path(Path(self.folder), self.study or source, self.name)


def _settings(hparams: Any) -> dict[str, Any]:
    return {name: value for name, value in hparams.items() if name != "vocabulary"}
