"""Every shipped configuration says what it is, is parsed and built, and learns for a step.

A step at a paper's sizes takes seconds to minutes, so each configuration is built at its own sizes
and learns for a step with narrower layers, all else as it says. A model of each architecture
learns for a step at its own sizes.
"""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tiny_run import TINY, changed, config, im2tex, steps

from im2tex import Im2Tex
from im2tex.commands.trainer.config_layers import load_config
from im2tex.data.preparation.printed.settings import ArxivSettings
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.source import SOURCES
from im2tex.data.sources import arxiv
from im2tex.data.sources.handwriting import HandwritingSource
from im2tex.data.store import write_split
from im2tex.ink.glyphs import built_in_bank
from im2tex.renames import current_components, current_settings
from im2tex.render.rendering import encode_png

PRINTED = ("arxiv", "im2latex")
NARROW = {
    "row_cnn": {"channels": [4, 4, 8, 8, 8, 8], "row_hidden_size": 8},
    "cnn": {"channels": [4, 4, 8, 8, 8, 8]},
    "densenet": {"growth_rate": 4, "num_layers": 2, "out_channels": 16},
    "none": {},
    "lstm": {"hidden_size": 16, "embedding_dim": 8},
    "ctc": {"hidden_size": 16},
    "transformer": {"d_model": 16, "num_heads": 2, "dim_feedforward": 16, "coverage_channels": 4},
}
"""Sizes by component, for layers as many as by default."""
NOT_OF_THE_ARCHITECTURE = {"dropout", "reduction", "guided_attention", "symbol_loss"}
CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Stores with a few made-up formulas, under the name of every source that is asked for."""
    root = tmp_path_factory.mktemp("data")
    grammar = SOURCES.build("grammar", {"size_train": 24, "size_validation": 4, "size_test": 4})
    grammar.ensure(root)
    for path in CONFIGS:
        data = load_config(path)["data"]
        name = data["source"]
        if name != "grammar":
            for split in ("train", "validation"):
                samples = grammar.split(root, split)
                if name in PRINTED:
                    samples = map(printed, samples)
                about = stand_in(name, data.get("source_args", {}))
                write_split(root / name / f"{split}.parquet", samples, about)
    built_in_bank().save(root / "glyphs" / "bank.parquet")
    return root


def printed(sample):
    """The same formula as a picture in the size of print."""
    pixels = 255 - Preprocessing(symbol_size=8, stroke_width=0.12).rasterize(sample.ink).image
    extra = {**sample.extra, "tok": " ".join(sample.tokens)}
    return replace(sample, ink=None, image=encode_png(pixels), extra=extra)


def stand_in(name, arguments):
    """What the store of a source says of itself."""
    if name == "handwriting":
        return {"source": name, "settings": HandwritingSource(**arguments).build_settings}
    if name != "arxiv":
        return {"source": name}
    # As if the papers had given no more than this.
    settings = ArxivSettings(limit=10**6, limit_validation=10**6).resolved()
    return {"source": name, "version": arxiv.VERSION, "settings": settings}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_header_has_command_and_measured_value(path):
    header = "".join(re.findall(r"^#.*\n", path.read_text(), re.MULTILINE))
    assert path.read_text().startswith("#")
    assert f"im2tex fit --config configs/{path.name}" in header
    assert re.search(r"Measured: .*\d|not measured", header), "no value, and not said to be missing"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_uses_current_names_only(path):
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert current_settings(content) == (content, [])
    settings = load_config(path)
    assert current_components(settings) == settings


def architecture(path):
    """What the shapes of a configuration's weights, and the way through them, follow from."""
    model = load_config(path)["model"]
    parts = []
    for kind in ("encoder", "attention", "decoder"):
        arguments = model.get(f"{kind}_args", {}).items()
        sizes = {name: one for name, one in arguments if name not in NOT_OF_THE_ARCHITECTURE}
        parts.append((model.get(kind), sizes))
    return json.dumps(parts, sort_keys=True)


ARCHITECTURES = list({architecture(path): path for path in CONFIGS}.values())


def learns_for_a_step(path, root, *flags):
    """Runs a step of training and one of validation; returns the exit status."""
    settings = load_config(path)
    flags = [f"--data.root={root}", "--data.num_workers=0", "--trainer.fast_dev_run=1", *flags]
    flags += ["--trainer.accelerator=cpu", "--trainer.devices=1"]
    if settings["data"]["source"] == "grammar":
        # The store of the fixture, which another size would make anew.
        flags.append("--data.source_args={size_train: 24, size_validation: 4, size_test: 4}")
    return im2tex("fit", "--config", path, *flags)


def narrow_layers(path):
    """Flags for the sizes of a configuration."""
    model = load_config(path)["model"]
    return [
        f"--model.{kind}_args.{name}={value}"
        for kind in ("encoder", "decoder")
        for name, value in NARROW[model[kind]].items()
    ]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_builds_and_trains_for_a_step_with_narrow_layers(path, root, capsys):
    model = load_config(path)["model"]
    own = Im2Tex(vocabulary=["x", "+"], **model)
    assert own.hparams["encoder"] == model["encoder"]
    status = learns_for_a_step(path, root, *narrow_layers(path))
    said = capsys.readouterr()
    assert status == 0, said.err
    assert "24 of 24 samples" in said.out


@pytest.mark.parametrize("path", ARCHITECTURES, ids=lambda path: path.stem)
def test_architecture_trains_for_a_step_at_its_own_sizes(path, root, capsys):
    status = learns_for_a_step(path, root, "--data.batch_size=2", "--data.eval_batch_factor=1")
    said = capsys.readouterr()
    assert status == 0, said.err
    assert "24 of 24 samples" in said.out


@pytest.mark.parametrize("path", ARCHITECTURES, ids=lambda path: path.stem)
def test_architecture_with_narrow_layers_trains_in_bfloat16(path, root, capsys):
    """As `precision: auto` does where the device computes in bf16."""
    status = learns_for_a_step(path, root, *narrow_layers(path), "--trainer.precision=bf16-mixed")
    said = capsys.readouterr()
    assert status == 0, said.err
    assert "precision bf16-mixed" in said.out


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_config_leaves_the_precision_to_the_device(path):
    assert load_config(path)["trainer"].get("precision", "auto") == "auto"


def test_small_model_trains_in_bfloat16(tmp_path):
    settings = changed(TINY, trainer={"precision": "bf16-mixed", "limit_train_batches": 2})
    assert im2tex("fit", "--config", config(tmp_path, settings)) == 0
    run = tmp_path / "runs" / "version_0"
    losses = [loss for (loss,) in steps(run, "train/loss").values()]
    assert len(losses) == 2
    assert all(map(math.isfinite, losses))
    assert steps(run, "val/perplexity")
