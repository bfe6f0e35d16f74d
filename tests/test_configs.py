"""Every shipped configuration says what it is, is parsed and built, and learns for a step."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from im2tex.cli import main
from im2tex.commands.layers import merged
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.printed.settings import Settings
from im2tex.data.source import SOURCES
from im2tex.data.sources import arxiv
from im2tex.data.sources.handwriting import HandwritingSource
from im2tex.data.store import write_split
from im2tex.ink.glyphs import built_in_bank
from im2tex.render.rendering import encode

PRINTED = ("arxiv", "im2latex")
CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.yaml"))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Stores with a few made-up formulas, under the name of every source that is asked for."""
    root = tmp_path_factory.mktemp("data")
    grammar = SOURCES.build("grammar", {"size_train": 24, "size_validation": 4, "size_test": 4})
    grammar.ensure(root)
    for path in CONFIGS:
        data = merged(path)["data"]
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
    pixels = 255 - Preprocessing(symbol_size=8, thickness=0.12).draw(sample.ink).image
    extra = {**sample.extra, "tok": " ".join(sample.tokens)}
    return replace(sample, ink=None, image=encode(pixels), extra=extra)


def stand_in(name, arguments):
    """What the store of a source says of itself."""
    if name == "handwriting":
        return {"source": name, "settings": HandwritingSource(**arguments).made_with}
    if name != "arxiv":
        return {"source": name}
    # As if the papers had given no more than this.
    settings = Settings(limits={"train": 10**6, "validation": 10**6}).filled()
    return {"source": name, "version": arxiv.VERSION, "settings": settings}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_header_gives_the_command_and_what_was_measured(path):
    header = "".join(re.findall(r"^#.*\n", path.read_text(), re.MULTILINE))
    assert path.read_text().startswith("#")
    assert f"im2tex fit --config configs/{path.name}" in header
    assert re.search(r"Measured: .*\d|not measured", header), "no value, and not said to be missing"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_step_of_training_and_of_validation(path, root, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings = merged(path)
    flags = [f"--data.root={root}", "--data.workers=0", "--trainer.fast_dev_run=1"]
    if settings["data"]["source"] == "grammar":
        # The store of the fixture, which another size would make anew.
        flags.append("--data.source_args={size_train: 24, size_validation: 4, size_test: 4}")
    status = main(
        ["fit", "--config", str(path), *flags, "--trainer.accelerator=cpu", "--trainer.devices=1"]
    )
    said = capsys.readouterr()
    assert status == 0, said.err
    assert "24 of 24 samples" in said.out
