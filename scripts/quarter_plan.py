"""What `gpu_quarter.py` trains: the fits of each run, and their shares of the time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

CONFIGS = Path(__file__).resolve().parents[1] / "configs"


@dataclass(frozen=True)
class Fit:
    """A fit of the queue.

    Attributes:
        name: of the fit.
        config: file in `configs/`.
        source: the source that it trains on.
        share: of the time, relative to those of the other fits.
    """

    name: str
    config: str
    source: str
    share: float

    @property
    def speed(self) -> str:
        """The name of its speed, which depends on the size of the model and on the source."""
        return f"{'small' if 'small' in self.config else 'paper'}-{self.source}"


RUNS = {
    "small": (
        Fit("small_pretraining", "synthetic_small.yaml", "handwriting", 0.18),
        Fit("small", "crohme_small.yaml", "crohme", 0.17),
    ),
    "transfer": (
        Fit("transfer_pretraining", "synthetic_pretrain.yaml", "handwriting", 0.25),
        Fit("transfer", "crohme_finetune.yaml", "crohme", 0.2),
    ),
    "scratch": (Fit("scratch", "crohme_finetune.yaml", "crohme", 0.2),),
}
"""The queue: a fit starts from the weights of the one before, and the last of a run is tested."""

TOY_SAMPLES = 40
TOY = (
    *("--model.encoder_args.channels", "[4,4,8,8,8,8]", "--model.encoder_args.row_hidden_size"),
    *("8", "--model.decoder_args.hidden_size", "16", "--model.decoder_args.embedding_dim", "8"),
    *("--data.batch_size", "4", "--data.train_samples", str(TOY_SAMPLES)),
    *("--trainer.limit_val_batches", "2", "--trainer.precision", "32-true"),
)
"""Flags of the fits in a rehearsal."""


@dataclass
class Options:
    """The command line.

    Attributes:
        pack: the packed data.
        out: folder of the results.
        seconds: time of this call.
        total: time of all calls.
        runs: names of `RUNS`, in their order.
        rehearse: whether all is of toy size, on a CPU.
        flags: further flags of all fits.
        interrupted: name of the fit in which the call ends after a checkpoint, to rehearse it.
        started: time of the call.
    """

    pack: Path
    out: Path
    seconds: float
    total: float
    runs: Sequence[str] = tuple(RUNS)
    rehearse: bool = False
    flags: Sequence[str] = ()
    interrupted: str | None = None
    started: float = field(default_factory=time.monotonic)

    @property
    def work(self) -> Path:
        """The folder of the runs, which a machine that is kept has still in the next call."""
        name = sha256(str(self.out.resolve()).encode()).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"im2tex-quarter-{name}"

    @property
    def elapsed(self) -> float:
        """Seconds since the call."""
        return time.monotonic() - self.started

    @property
    def fits(self) -> list[Fit]:
        """All fits of the runs."""
        return [fit for run in self.runs for fit in RUNS[run]]
