"""A module and data small enough to fit in a blink."""

from dataclasses import dataclass

import numpy as np
import torch
from lightning.pytorch import LightningModule, Trainer
from torch.utils.data import DataLoader


@dataclass
class Batch:
    images: torch.Tensor


@dataclass
class Example:
    image: np.ndarray
    gold: list
    prediction: list | None
    score: float | None


class Small(LightningModule):
    def __init__(self, width: int = 1):
        super().__init__()
        self.layer = torch.nn.Linear(1, width)
        self.validation_examples = [
            Example(np.full((20, 30), 255, np.uint8), ["x"], ["y"], -1.0) for _ in range(3)
        ]

    def training_step(self, batch, batch_idx):
        # The step's number is its loss, so that the mean of an epoch is known.
        loss = self.layer(batch.images).mean() * 0 + batch_idx
        self.log("train/grad_norm", 1.5)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val/perplexity", 1.23456)
        self.log("val/token_exact", 0.125)
        for detail in ("token_within_1", "expression_rate_2_strict", "structure_rate"):
            self.log(f"val/{detail}", 0.5)

    test_step = validation_step

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)


def batches(number: int, size: int = 4):
    """`number` batches of `size` images."""
    data = torch.zeros(number * size, 1)
    return DataLoader(data, size, collate_fn=lambda rows: Batch(torch.stack(rows)))


def small_trainer(folder, *callbacks, **arguments):
    return Trainer(
        **{
            "accelerator": "cpu",
            "max_epochs": 2,
            "default_root_dir": folder,
            "logger": False,
            "enable_model_summary": False,
            "enable_checkpointing": False,
            "callbacks": list(callbacks),
        }
        | arguments
    )
