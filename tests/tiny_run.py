"""Settings of a tiny model and data set, and the command line run in this process."""

import copy
import csv
import json
import math
from pathlib import Path

import yaml

from im2tex.cli import main

TINY = {
    "trainer": {
        "accelerator": "cpu",
        "precision": "32-true",
        "max_epochs": 1,
        "log_every_n_steps": 1,
        "num_sanity_val_steps": 0,
    },
    "data": {
        "source": "grammar",
        "source_args": {"size_train": 40, "size_validation": 8, "size_test": 8},
        "batch_size": 8,
        "num_workers": 0,
    },
    "model": {
        "preprocessing": {"symbol_size": 12},
        "encoder": "row_cnn",
        "encoder_args": {
            "channels": [4, 8],
            "pools": ["4x4", "2x2"],
            "batch_norm": [True, True],
            "row_hidden_size": 8,
            "num_row_embeddings": 4,
        },
        "decoder": "lstm",
        "decoder_args": {"hidden_size": 16, "embedding_dim": 8},
        "max_length": 12,
    },
}


def changed(settings, **groups):
    """Settings with some replaced: `changed(TINY, data={"num_workers": 1})`."""
    settings = copy.deepcopy(settings)
    for group, values in groups.items():
        settings.setdefault(group, {}).update(values)
    return settings


def config(folder, settings, name="tiny.yaml", absolute=True):
    """Writes a configuration whose data and runs lie in its folder."""
    if absolute:
        settings = changed(
            settings,
            trainer={"default_root_dir": str(folder / "runs")},
            data={"root": str(folder / "data")},
        )
    path = Path(folder) / name
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def im2tex(*arguments):
    """Runs a command in this process."""
    return main([str(argument) for argument in arguments])


def steps(run, *names):
    """Column values of a run's CSV log by step, for the rows that have all of them."""
    found = {}
    with (Path(run) / "metrics.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if all(row.get(name) for name in names):
                found[int(row["step"])] = tuple(float(row[name]) for name in names)
    return found


def lines(path):
    """A file of JSON lines."""
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def close(one, other, tolerance=1e-6):
    """Whether two dictionaries of numbers agree."""
    return one.keys() == other.keys() and all(
        math.isclose(value, other[key], rel_tol=tolerance, abs_tol=tolerance)
        for key, value in one.items()
    )
