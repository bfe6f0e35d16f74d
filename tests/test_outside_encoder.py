"""The encoder of CONTRIBUTING.md is what it says: short, outside of the package, and it trains."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
import torch
from tiny import TINY, changed, config, im2tex

from im2tex.data.dataset import Batch
from im2tex.encoders import ENCODERS
from im2tex.errors import Im2TexError
from im2tex.module import Im2Tex

TEXT = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")


def block(language):
    """The one block of code in a language."""
    (code,) = re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    return code


@pytest.fixture
def forgotten():
    """What is registered in a test is not there in the next."""
    ENCODERS.names()
    classes, points = dict(ENCODERS._classes), list(ENCODERS._points)
    yield
    ENCODERS._classes, ENCODERS._points = classes, points
    sys.modules.pop("my_encoders", None)


@pytest.fixture
def installed(tmp_path, monkeypatch, forgotten):
    """The package as pip would leave it: the module, and its entry points beside it."""
    site = tmp_path / "site"
    metadata = site / "my_encoders-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "my_encoders.py").write_text(block("python"), encoding="utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-encoders\nVersion: 1.0\n")
    groups = tomllib.loads(block("toml"))["project"]["entry-points"]
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in groups.items()
    ]
    (metadata / "entry_points.txt").write_text("".join(lines))
    monkeypatch.syspath_prepend(str(site))
    ENCODERS._loaded = False  # as in a process that starts after the installation
    return site


def test_it_is_twenty_lines():
    lines = [line for line in block("python").splitlines() if line.strip()]
    assert len(lines) <= 20


def test_a_script_registers_it_and_it_learns(forgotten):
    exec(compile(block("python"), "CONTRIBUTING.md", "exec"), {})  # under test: that it runs
    torch.manual_seed(0)
    model = Im2Tex(
        vocabulary=["x", "+"],
        encoder="strided",
        encoder_args={"width": 32},
        decoder_args={"width": 16, "embedding": 8},
    )
    assert model.encoder.width == 32
    assert model.preprocessing.stride == (8, 8)
    images = torch.randint(0, 256, (2, 1, 16, 24), dtype=torch.uint8)
    batch = Batch(["a", "b"], images, torch.tensor([[16, 24], [8, 16]]), [["x"], ["x", "+", "x"]])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for _ in range(8):
        loss, _ = model.ready.loss(model.encode(batch), model.targets(batch))
        optimizer.zero_grad()
        loss.backward()
        assert all(one.grad.abs().max() > 0 for one in model.encoder.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_it_keeps_the_contract_of_the_mask(forgotten):
    exec(compile(block("python"), "CONTRIBUTING.md", "exec"), {})
    torch.manual_seed(0)
    encoder = ENCODERS.build("strided", {"width": 8}).double().eval()
    images = torch.rand(2, 1, 24, 32, dtype=torch.float64)
    mask = torch.zeros(2, 24, 32, dtype=torch.bool)
    mask[0], mask[1, :16, :8] = True, True
    with torch.no_grad():
        together = encoder(images, mask)
        alone = encoder(images[1:, :, :16, :8], mask[1:, :16, :8])
    assert together.features.shape == (2, 3, 4, 8)
    assert together.mask[1].sum() == 2
    assert (together.features[~together.mask] == 0).all()
    found = together.features[1, :2, :1]
    torch.testing.assert_close(found, alone.features[0], rtol=0, atol=1e-9)


def test_the_command_finds_it_by_its_entry_point_and_trains_it(installed, tmp_path, capsys):
    assert "strided" in ENCODERS.names()
    assert list(ENCODERS.parameters("strided")) == ["width"]
    with pytest.raises(Im2TexError, match="encoder 'strided' takes no argument 'widht'; did you"):
        ENCODERS.build("strided", {"widht": 3})
    assert im2tex("components", "encoders") == 0
    assert re.search(r"strided\b.*width", capsys.readouterr().out, re.DOTALL)
    settings = changed(TINY, model={"encoder": "strided", "encoder_args": {"width": "8"}})
    path = config(tmp_path, settings)
    assert im2tex("fit", "--config", path, "--trainer.max_steps", "1") == 0
    checkpoint = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    model = Im2Tex.load_from_checkpoint(checkpoint)
    assert type(model.encoder).__module__ == "my_encoders"
    assert model.encoder.width == 8
