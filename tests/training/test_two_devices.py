"""Each kind of decoder on two processes of a CPU; the one that cannot says which flag it needs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_run import TINY, changed, close, config

# Processes that wait for each other take long where others wait for the processor too.
pytestmark = pytest.mark.timeout(600)

SCRIPT = """
import sys
from im2tex.cli import main

two = ["--trainer.accelerator", "cpu", "--trainer.devices", "2", "--trainer.strategy", "ddp_fork"]
one = ["--trainer.accelerator", "cpu", "--trainer.devices", "1"]
for name in sys.argv[1:]:
    print("fit", name, main(["fit", "--config", f"{name}/tiny.yaml", *two]), flush=True)
    last = f"{name}/runs/version_0/checkpoints/last.ckpt"
    for folder, devices in ("two", two), ("one", one):
        flags = ["--ckpt_path", last, "--report.folder", f"{name}/{folder}"]
        print("test", name, main(["test", *flags, *devices]), flush=True)
"""

COARSE = {"encoder_args": TINY["model"]["encoder_args"] | {"coarse": True, "block": 2}}
LSTM = {"hidden_size": 16, "embedding_dim": 8}
MODELS = {
    "hierarchical": COARSE
    | {"attention": "hierarchical", "decoder_args": LSTM | {"guided_attention": 1.0}},
    "transformer": {
        "decoder": "transformer",
        "decoder_args": {"d_model": 16, "num_layers": 2, "num_heads": 2, "dim_feedforward": 16},
    },
    "ctc": {"decoder": "ctc", "decoder_args": {"hidden_size": 16, "upsample": 8}},
    "coarse_only": COARSE | {"attention": "coarse_only"},
}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder, and the script after it ran there."""
    folder = tmp_path_factory.mktemp("devices")
    data = {"source_args": {"size_train": 24, "size_validation": 7, "size_test": 9}}
    data |= {"batch_size": 4, "eval_batch_factor": 4}  # nine samples are not shared evenly
    for name, model in MODELS.items():
        (folder / name).mkdir()
        trainer = {"limit_train_batches": 3, "limit_val_batches": 0}
        config(folder / name, changed(TINY, data=data, model=model, trainer=trainer))
    (folder / "two.py").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "two.py", *MODELS],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=580,
    )
    return folder, done


def scores(folder: Path):
    text = (folder / "grammar" / "test.json").read_text(encoding="utf-8")
    return json.loads(text)["metrics"]["test"]


@pytest.mark.parametrize("name", ["hierarchical", "transformer", "ctc"])
def test_two_devices_fit_and_test_equal_single_device(name, ran):
    folder, done = ran
    assert f"fit {name} 0\n" in done.stdout, done.stderr[-3000:]
    assert done.stdout.count(f"test {name} 0\n") == 2, done.stderr[-3000:]
    # An untrained perplexity is e to the power of many nats, and shows their rounding.
    assert close(scores(folder / name / "two"), scores(folder / name / "one"), 1e-4)


def test_two_devices_coarse_only_names_strategy(ran):
    _, done = ran
    assert "fit coarse_only 2\n" in done.stdout
    assert "add --trainer.strategy=ddp_find_unused_parameters_true" in done.stderr
