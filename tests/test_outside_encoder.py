"""The encoders of README.md and docs/extending.md: short, outside of the package, and they work.

What is tested is the text of these files: their code, entry points and command.
"""

import re
import shlex
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from overfit import VOCABULARY, make_samples, predict, train
from PIL import Image, ImageDraw
from tiny_run import im2tex, lines

from im2tex.encoders import ENCODERS
from im2tex.errors import Im2TexError
from im2tex.training.module import Im2Tex

ROOT = Path(__file__).parents[1]


@dataclass
class Example:
    """What a file shows.

    Attributes:
        file: its name.
        name: what the encoder registers as.
        code: the Python of it.
        module: the module that its entry point names.
        points: entry points by group.
        command: the arguments of `im2tex` that train it.
    """

    file: str
    name: str
    code: str
    module: str
    points: dict[str, dict[str, str]]
    command: list[str]

    @classmethod
    def of(cls, file):
        text = (ROOT / file).read_text(encoding="utf-8")
        (code,) = (one for one in blocks(text, "python") if "ENCODERS.register" in one)
        (table,) = (one for one in blocks(text, "toml") if "im2tex.encoders" in one)
        points = tomllib.loads(table)["project"]["entry-points"]
        ((name, value),) = points["im2tex.encoders"].items()
        (command,) = re.findall(rf"im2tex (fit [^`\n]*--model\.encoder {name}\b[^`\n]*)", text)
        return cls(file, name, code, value.partition(":")[0], points, shlex.split(command))


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture(params=["README.md", "docs/extending.md"])
def example(request):
    """An example, whose encoder no later test knows."""
    found = Example.of(request.param)
    ENCODERS.names()
    classes, points = dict(ENCODERS._classes), list(ENCODERS._points)
    yield found
    ENCODERS._classes, ENCODERS._points = classes, points
    sys.modules.pop(found.module, None)


@pytest.fixture
def registered(example):
    """The example in a script, where its decorator is enough."""
    exec(compile(example.code, example.file, "exec"), {})  # under test: that it runs
    return example


@pytest.fixture
def installed(example, tmp_path, monkeypatch):
    """The package as pip would leave it: the module, and its entry points beside it."""
    site = tmp_path / "site"
    metadata = site / f"{example.module}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / f"{example.module}.py").write_text(example.code, encoding="utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: outside\nVersion: 1.0\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in example.points.items()
    ]
    (metadata / "entry_points.txt").write_text("".join(groups))
    monkeypatch.syspath_prepend(str(site))
    ENCODERS._loaded = False  # as in a process that starts after the installation
    return example


def test_plugin_encoder_example_is_short(example):
    assert len([line for line in example.code.splitlines() if line.strip()]) <= 20


def test_outside_encoder_registered_by_a_script_overfits_16_samples(registered):
    """By a decoder that sees where it has looked: the cells themselves do not say where they lie.

    Without that, which of a formula's cells comes first is a guess that not every seed makes.
    """
    torch.manual_seed(0)
    model = Im2Tex(
        vocabulary=[str(number) for number in range(VOCABULARY - 4)],
        encoder=registered.name,
        encoder_args={"width": 32},
        decoder="transformer",
        decoder_args={
            "d_model": 32,
            "num_layers": 2,
            "num_heads": 4,
            "dim_feedforward": 64,
            "dropout": 0.0,
        },
    )
    assert model.recognizer.encoder.width == 32
    assert model.preprocessing.stride == model.recognizer.encoder.stride
    given = make_samples(model.recognizer.encoder.stride)
    train(model, given, rate=0.005)
    for name, parameter in model.recognizer.encoder.named_parameters():
        assert parameter.grad.abs().max() > 0, name
    assert predict(model, given) == given.labels


def test_plugin_encoder_features_do_not_depend_on_batch(registered):
    """An image's cells in double precision, alone and beside a larger one."""
    torch.manual_seed(0)
    encoder = ENCODERS.build(registered.name, {"width": 8}).double().eval()
    down, right = encoder.stride
    images = torch.rand(2, 1, 3 * down, 4 * right, dtype=torch.float64)
    mask = torch.zeros(2, 3 * down, 4 * right, dtype=torch.bool)
    mask[0], mask[1, : 2 * down, :right] = True, True
    with torch.no_grad():
        together = encoder(images, mask)
        alone = encoder(images[1:, :, : 2 * down, :right], mask[1:, : 2 * down, :right])
    assert together.features.shape == (2, 3, 4, 8)
    assert together.mask[1].sum() == 2
    assert together.stride == encoder.stride
    assert (together.features[~together.mask] == 0).all()
    found = together.features[1, :2, :1]
    assert found.abs().max() > 1e-3
    torch.testing.assert_close(found, alone.features[0], rtol=0, atol=1e-9)


def test_outside_encoder_is_registered_by_its_entry_point(installed, capsys):
    assert installed.name in ENCODERS.names()
    assert list(ENCODERS.parameters(installed.name)) == ["width"]
    with pytest.raises(
        Im2TexError, match=f"encoder '{installed.name}' takes no argument 'widht'; did you"
    ):
        ENCODERS.build(installed.name, {"widht": 3})
    assert im2tex("components", "encoders") == 0
    assert re.search(rf"{installed.name}\b.*width", capsys.readouterr().out, re.DOTALL)


def test_plugin_encoder_fits_tests_and_predicts_from_the_command_line(
    installed, tmp_path, monkeypatch, capsys
):
    """The very command, on less data for two steps; then without a word of the encoder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs", target_is_directory=True)
    few = {"trainer.max_steps": 2, "data.batch_size": 4, "data.num_workers": 0}
    few |= {f"data.source_args.size_{split}": 8 for split in ("train", "validation", "test")}
    few |= {"model.decoder_args.hidden_size": 16, "model.max_length": 12}
    flags = [str(part) for name, value in few.items() for part in (f"--{name}", value)]
    assert im2tex(*installed.command, *flags, "--trainer.accelerator", "cpu") == 0
    (checkpoint,) = tmp_path.glob("runs/**/last.ckpt")
    model = Im2Tex.load_from_checkpoint(checkpoint)
    assert type(model.recognizer.encoder).__module__ == installed.module
    assert model.recognizer.encoder.width == 32

    of_a_test = ["--ckpt_path", checkpoint, "--report.engine", "none", "--model.max_length", 12]
    assert im2tex("test", *of_a_test) == 0
    (samples,) = tmp_path.glob("runs/**/test.*samples.jsonl")
    assert len(lines(samples)) == 8

    picture = tmp_path / "picture.png"
    drawing = Image.new("L", (90, 60), 255)
    ImageDraw.Draw(drawing).line([(20, 15), (45, 45), (70, 15)], fill=0, width=3)
    drawing.save(picture)
    assert im2tex("export", "--ckpt_path", checkpoint, "--folder", tmp_path / "exported") == 0
    capsys.readouterr()
    assert im2tex("read", picture, "--model", tmp_path / "exported", "--json") == 0
    assert '"latex"' in capsys.readouterr().out
