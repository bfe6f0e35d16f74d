"""A trained model that many tests look at, made once."""

import os

import pytest
from tiny_run import TINY, config, im2tex

# Runs so small are slowed down by threads, and two test processes by each other's, which spin while
# they wait.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GOMP_SPINCOUNT", "0")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Folder of a run of one epoch: `tiny.yaml`, `data/` and `runs/version_0/`."""
    folder = tmp_path_factory.mktemp("trained")
    path = config(folder, TINY)
    assert im2tex("fit", "--config", path) == 0
    return folder


@pytest.fixture(scope="session")
def checkpoint(trained):
    """Its last checkpoint."""
    return trained / "runs" / "version_0" / "checkpoints" / "last.ckpt"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, tmp_path_factory, monkeypatch):
    """Runs without a folder of their own lie in `runs/`: not in that of this checkout.

    Nor are pictures kept for the person who runs the tests.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def _no_bf16(monkeypatch):
    """`trainer.precision: auto` is float32, so that results do not depend on the processor."""
    monkeypatch.setattr("im2tex.training.precision.cpu_has_bf16", lambda: False)
