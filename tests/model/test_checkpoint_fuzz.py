"""Damaged checkpoints and model folders: each loads and works, or is refused in one line."""

import copy
import json
import math
import os
import random
import shutil

import pytest
import torch
from tiny_run import im2tex

from im2tex.errors import Im2TexError
from im2tex.model.checkpoint import read_checkpoint
from im2tex.model.initialization import initialize, read_initial
from im2tex.training.module import Im2Tex

ROUNDS = 120
ODD = (
    *(None, True, 0, -1, 3, 10**7, 10**18, 10**30, 0.5, math.nan, math.inf, "", "x", "\ud800"),
    *([], [[]], {}, {"x": 1}, {1: 2}, ["x", 1], (1, 2), b"x"),
)


def tensors(value, chance):
    """A tensor that is not what it was."""
    kinds = [
        lambda t: t[:0],
        lambda t: t.reshape(-1)[:1],
        lambda t: t.unsqueeze(0),
        lambda t: t.double(),
        lambda t: t.to(torch.int32),
        lambda t: t.to(torch.complex64),
        lambda t: t.to(torch.bfloat16) if t.is_floating_point() else t.bool(),
        lambda t: torch.full_like(t, math.nan) if t.is_floating_point() else -t,
        lambda t: torch.zeros(1).expand(10**6, 10**6),
        lambda t: torch.empty(3, device="meta"),
        lambda t: torch.eye(2).to_sparse(),
    ]
    return chance.choice(kinds)(value)


def mutated(value, chance, depth=0):
    """A copy with one part lost, replaced, added to or renamed."""
    value = copy.copy(value)
    if isinstance(value, torch.Tensor):
        return tensors(value, chance)
    if isinstance(value, dict | list) and value and (depth == 0 or chance.random() < 0.8):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = chance.choice(keys)
        kind = chance.random()
        if kind < 0.1:
            del value[key]
        elif kind < 0.15 and isinstance(value, dict):
            value[chance.choice(["odd", "init_from", "ensemble", "", "step"])] = value[key]
        else:
            value[key] = mutated(value[key], chance, depth + 1)
        return value
    return chance.choice(ODD)


def one_line(error):
    said = str(error)
    assert "\n" not in said
    assert len(said) < 1500
    said.encode()  # it can be printed


def damaged(checkpoint, path, seed):
    chance = random.Random(seed)
    content = torch.load(checkpoint, weights_only=True)
    # Half of the damage where settings and weights are, which is where it matters most.
    part = chance.choice(["hyper_parameters", "state_dict", None, None])
    if part is None:
        content = mutated(content, chance)
    else:
        content[part] = mutated(content[part], chance)
    torch.save(content, path)


def test_damaged_checkpoint_loads_or_is_refused_in_one_line(checkpoint, tmp_path):
    path = tmp_path / "odd.ckpt"
    refused = 0
    for seed in range(ROUNDS):
        damaged(checkpoint, path, seed)
        try:
            model = Im2Tex.load_from_checkpoint(path)
            assert all(bool(torch.isfinite(one).all()) for one in model.parameters()), seed
        except Im2TexError as error:
            one_line(error)
            refused += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
    assert ROUNDS / 4 < refused < ROUNDS


def test_init_from_a_damaged_checkpoint_works_or_is_refused(checkpoint, tmp_path):
    path = tmp_path / "odd.ckpt"
    settings = read_checkpoint(checkpoint)["hyper_parameters"]
    for seed in range(1000, 1000 + ROUNDS // 2):
        damaged(checkpoint, path, seed)
        model = Im2Tex(**settings)
        try:
            initialize(model.recognizer, read_initial(str(path)))
        except Im2TexError as error:
            one_line(error)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
        assert all(bool(torch.isfinite(one).all()) for one in model.parameters()), seed


@pytest.mark.parametrize("command", ["fit", "export"])
def test_resume_from_a_damaged_checkpoint_works_or_is_refused(
    command, checkpoint, tmp_path, capsys
):
    path = tmp_path / "odd.ckpt"
    flags = {
        "fit": ("--trainer.max_epochs", "2", "--trainer.default_root_dir", tmp_path / "runs"),
        "export": ("--folder", tmp_path / "model"),
    }[command]
    quiet = ("--trainer.accelerator", "cpu", "--trainer.limit_val_batches", "2")
    more = quiet if command == "fit" else ()
    for seed in range(2000, 2016):
        damaged(checkpoint, path, seed)
        capsys.readouterr()
        try:
            status = im2tex(command, "--ckpt_path", path, *flags, *more)
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
        said = capsys.readouterr().err
        assert status in (0, 1, 2), seed
        if status:
            assert said.count("im2tex: error: ") == 1, (seed, said)


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "tiny"
    assert im2tex("export", "--ckpt_path", checkpoint, "--folder", path) == 0
    return path


def test_damaged_model_folder_loads_or_is_refused_in_one_line(folder, tmp_path):
    refused = 0
    for seed in range(ROUNDS):
        chance = random.Random(seed)
        model = tmp_path / "model"
        shutil.rmtree(model, ignore_errors=True)
        shutil.copytree(folder, model)
        file = model / chance.choice(["config.json", "model.safetensors"])
        data = bytearray(file.read_bytes())
        if file.suffix == ".json" and chance.random() < 0.7:
            text = json.dumps(mutated(json.loads(data), chance), default=str)
            file.write_text(text, encoding="utf-8")
        elif chance.random() < 0.3:
            file.write_bytes(data[: chance.randrange(len(data))])
        else:
            for _ in range(chance.choice([1, 3, 30])):
                data[chance.randrange(min(len(data), 3000))] = chance.randrange(256)
            file.write_bytes(data)
        try:
            Im2Tex.from_pretrained(model)
        except Im2TexError as error:
            one_line(error)
            refused += 1
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error!r}") from error
    assert refused > ROUNDS / 4


HOSTILE = {
    "a list": "[]",
    "a number": "1",
    "empty": "",
    "not UTF-8": b"\xff\xfe{",
    "deep": "[" * 100_000,
    "a deep dictionary": '{"a":' * 20_000 + "1" + "}" * 20_000,
    "a number of many digits": "9" * 10_000,
    "more members than there are": '{"members": 1}',
    "millions of members": '{"members": 1000000000}',
    "members that are no number": '{"members": "2"}',
    "members by truth": '{"members": true}',
    "scales of nothing": '{"scales": []}',
    "scales that are text": '{"scales": "1.0"}',
    "a scale that is not a number": '{"scales": [NaN]}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_settings_are_refused_in_one_line(name, folder, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(folder, model)
    file = model / "config.json"
    text = HOSTILE[name]
    if isinstance(text, str) and ("members" in text or "scales" in text):
        settings = json.loads(file.read_text(encoding="utf-8"))
        text = json.dumps(settings | {"ensemble": json.loads(text)})
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Im2TexError) as caught:
        Im2Tex.from_pretrained(model)
    one_line(caught.value)
    assert str(model) in str(caught.value)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("encoder_args", "row_hidden_size", 10**9),
        ("encoder_args", "channels", [4, 10**9]),
        ("decoder_args", "hidden_size", 10**8),
        ("decoder_args", "embedding_dim", 10**10),
    ],
)
def test_settings_of_a_huge_model_raise_before_allocation(part, name, value, folder, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(folder, model)
    file = model / "config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["model"][part][name] = value
    file.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(Im2TexError, match="larger model than its weights"):
        Im2Tex.from_pretrained(model)


def test_missing_weight_is_named(folder, checkpoint, tmp_path):
    from safetensors.torch import load_file, save_file

    model = tmp_path / "model"
    shutil.copytree(folder, model)
    state = load_file(model / "model.safetensors")
    state.pop("decoder.embedding.weight")
    save_file(state, model / "model.safetensors")
    with pytest.raises(Im2TexError, match=r"model: .*decoder\.embedding\.weight is missing"):
        Im2Tex.from_pretrained(model)
    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"].pop("recognizer.decoder.embedding.weight")
    torch.save(content, tmp_path / "a.ckpt")
    with pytest.raises(Im2TexError, match=r"a\.ckpt: .*decoder\.embedding\.weight is missing"):
        Im2Tex.load_from_checkpoint(tmp_path / "a.ckpt")


def test_checkpoint_that_is_a_pipe_or_link_loop_is_refused(folder, tmp_path):
    os.mkfifo(tmp_path / "pipe.ckpt")
    (tmp_path / "loop.ckpt").symlink_to(tmp_path / "loop.ckpt")
    (tmp_path / "zero.ckpt").symlink_to("/dev/zero")
    for name in ("pipe", "loop", "zero"):
        with pytest.raises(Im2TexError):
            read_checkpoint(tmp_path / f"{name}.ckpt")
    for file in ("config.json", "model.safetensors"):
        model = tmp_path / f"with {file}"
        shutil.copytree(folder, model)
        (model / file).unlink()
        os.mkfifo(model / file)
        with pytest.raises(Im2TexError):
            Im2Tex.from_pretrained(model)


def test_links_to_the_files_of_a_model_are_followed(folder, tmp_path):
    """As the caches of model hubs have them."""
    model = tmp_path / "model"
    model.mkdir()
    for name in ("config.json", "model.safetensors"):
        (model / name).symlink_to(folder / name)
    assert not Im2Tex.from_pretrained(model).training


class Runs:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_checkpoint_code_is_not_run(checkpoint, tmp_path, capsys):
    content = torch.load(checkpoint, weights_only=True)
    content["hyper_parameters"]["encoder"] = Runs(tmp_path / "ran")
    torch.save(content, tmp_path / "evil.ckpt")
    path = tmp_path / "evil.ckpt"
    for use in (Im2Tex.load_from_checkpoint, read_checkpoint):
        with pytest.raises(Im2TexError, match="damaged, or no file of im2tex"):
            use(path)
    assert im2tex("test", "--ckpt_path", path) == 2
    assert not (tmp_path / "ran").exists()
