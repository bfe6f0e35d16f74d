"""`trainer.precision: auto`: which precision it becomes, warnings, and what a run stores."""

import json
import logging
import warnings

import pytest
import torch
import yaml
from tiny_run import TINY, changed, config, im2tex

from im2tex.training import precision
from im2tex.training.precision import cpu_has_bf16, resolve_precision

REAL_CPU_HAS_BF16 = cpu_has_bf16  # the fixture of conftest.py replaces it


@pytest.fixture
def bf16_cpu(monkeypatch):
    """Pretends that the CPU computes in bf16."""
    monkeypatch.setattr(precision, "cpu_has_bf16", lambda: True)


@pytest.fixture
def gpus(monkeypatch):
    """Returns a function that pretends that GPUs of some compute capabilities are present."""

    def pretend(*majors):
        monkeypatch.setattr(torch.version, "hip", None)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(majors))
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda k: (majors[k], 0))
        monkeypatch.setattr(
            precision.CUDAAccelerator,
            "parse_devices",
            lambda devices: devices if isinstance(devices, list) else list(range(int(devices))),
        )

    return pretend


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


def test_auto_on_a_cpu_follows_its_instructions(monkeypatch, no_gpu):
    for has_bf16, expected in ((True, "bf16-mixed"), (False, "32-true")):
        monkeypatch.setattr(precision, "cpu_has_bf16", lambda has=has_bf16: has)
        assert resolve_precision("auto", accelerator="cpu") == expected
        assert resolve_precision(None) == expected


@pytest.mark.parametrize(
    ("avx512", "machine", "avx512_bf16", "amx", "expected"),
    [
        (False, "x86_64", False, False, False),
        (True, "x86_64", False, False, False),  # emulated
        (True, "x86_64", True, False, True),
        (True, "AMD64", False, True, True),
        (True, "aarch64", False, False, True),
    ],
)
def test_cpu_has_bf16_if_it_is_not_emulated(
    avx512, machine, avx512_bf16, amx, expected, monkeypatch
):
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: avx512)
    monkeypatch.setattr(precision.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert REAL_CPU_HAS_BF16() is expected


@pytest.mark.parametrize(
    ("majors", "devices", "expected"),
    [
        ([9], "auto", "bf16-mixed"),
        ([7], "auto", "16-mixed"),
        ([8, 7], "auto", "16-mixed"),
        ([8, 7], 1, "bf16-mixed"),
        ([8, 7], [1], "16-mixed"),
        ([8, 7], "nonsense", "16-mixed"),  # the Trainer will refuse it
    ],
)
def test_auto_on_gpus_follows_the_least_capable_of_those_chosen(gpus, majors, devices, expected):
    gpus(*majors)
    for accelerator in ("auto", "gpu", "cuda"):
        assert resolve_precision("auto", accelerator=accelerator, devices=devices) == expected
    assert resolve_precision("auto", accelerator="cpu") == "32-true"


def test_auto_on_another_accelerator_is_float32(bf16_cpu):
    assert resolve_precision("auto", accelerator="mps") == "32-true"


def test_auto_logs_one_line_with_the_reason(bf16_cpu, caplog):
    with caplog.at_level(logging.INFO):
        resolve_precision("auto", accelerator="cpu")
    assert [record.getMessage() for record in caplog.records] == [
        "precision bf16-mixed, chosen by auto: the CPU has bf16 instructions."
    ]


@pytest.mark.parametrize("slow", ["bf16-mixed", "bf16-true", "bf16", "16-mixed", 16])
def test_explicit_precision_wins_with_a_warning_where_it_is_slow(slow):
    with pytest.warns(UserWarning, match=f"precision {slow} is slow .* auto or 32-true"):
        assert resolve_precision(slow, accelerator="cpu") == str(slow)


def test_explicit_precision_that_is_not_slow_gives_no_warning(bf16_cpu):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for given in ("bf16-mixed", "32-true", "64-true"):
            assert resolve_precision(given, accelerator="cpu") == given


# ---------------------------------------------------------------- runs

FEW = ("--trainer.limit_train_batches=1", "--trainer.limit_val_batches=0")


@pytest.fixture
def auto(tmp_path):
    """A configuration that leaves the precision out."""
    settings = changed(TINY)
    del settings["trainer"]["precision"]
    return config(tmp_path, settings)


def test_fit_stores_the_resolved_precision(auto, bf16_cpu, tmp_path):
    assert im2tex("fit", "--config", auto, *FEW) == 0
    run = tmp_path / "runs" / "version_0"
    assert yaml.safe_load((run / "config.yaml").read_text())["trainer"]["precision"] == "bf16-mixed"
    stored = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert stored["precision"] == "bf16-mixed"


def test_resumed_fit_resolves_auto_anew(auto, tmp_path, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert im2tex("fit", "--config", auto, *FEW, "--trainer.precision=bf16-mixed") == 0
    with caplog.at_level(logging.INFO):
        resumed = im2tex(
            *("fit", "--config", auto, *FEW, "--trainer.precision=auto"),
            *("--ckpt_path", "last", "--trainer.max_epochs", "2"),
        )
    assert resumed == 0
    assert "the fit resumes in precision 32-true; it was bf16-mixed." in caplog.messages
    saved = yaml.safe_load((tmp_path / "runs" / "version_1" / "config.yaml").read_text())
    assert saved["trainer"]["precision"] == "32-true"


def test_fit_with_a_precision_plugin_leaves_the_precision_to_it(auto, bf16_cpu, capsys):
    plugin = "--trainer.plugins=lightning.pytorch.plugins.precision.DoublePrecision"
    assert im2tex("fit", "--config", auto, *FEW, plugin) == 0
    assert "precision 64-true" in capsys.readouterr().out


def test_printed_configuration_keeps_auto(auto, capsys):
    with pytest.raises(SystemExit):
        im2tex("fit", "--config", auto, "--print_config")
    assert yaml.safe_load(capsys.readouterr().out)["trainer"]["precision"] == "auto"


def test_test_on_a_cpu_is_in_float32_and_records_it(checkpoint, bf16_cpu, tmp_path, capsys):
    flags = ("--trainer.accelerator=cpu", "--report.folder", tmp_path, "--report.engine=none")
    assert im2tex("test", "--ckpt_path", checkpoint, *flags, "--report.study=s") == 0
    assert "precision 32-true" in capsys.readouterr().out
    result = json.loads((tmp_path / "s" / "test.json").read_text())
    assert result["config"]["trainer"] == {"precision": "32-true"}
