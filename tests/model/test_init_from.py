"""Starting a fit from another model's weights: by name, and token by token."""

import pytest
import torch
from tiny_run import TINY, changed, config, im2tex

from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import SPECIALS
from im2tex.model.checkpoint import read_checkpoint
from im2tex.model.initialization import initialize, read_initial
from im2tex.training.module import Im2Tex

SMALL = {
    name: TINY["model"][name] for name in ("encoder", "encoder_args", "decoder", "decoder_args")
}


def saved(path, vocabulary, **settings):
    """A checkpoint in which every weight that has a row a token holds the token's own number."""
    model = Im2Tex(vocabulary=vocabulary, **(SMALL | settings))
    with torch.no_grad():
        for name in model.recognizer.require_decoder().vocabulary_parameters:
            weight = dict(model.recognizer.require_decoder().named_parameters()).get(name)
            if weight is not None:
                for number, token in enumerate(model.recognizer.require_vocabulary().tokens):
                    weight[number] = code(token)
    content = {"state_dict": model.state_dict(), "hyper_parameters": dict(model.hparams)}
    model.on_save_checkpoint(content)
    torch.save(content, path)
    return model, path


def code(token):
    return 1000.0 + (SPECIALS.index(token) if token in SPECIALS else 10 + ord(token[0]))


def rows(model):
    """What the rows of each token hold, by token."""
    weights = [
        model.recognizer.require_decoder().embedding.weight,
        model.recognizer.require_decoder().output.weight,
        model.recognizer.require_decoder().output.bias,
    ]
    return {
        token: [weight[number].detach().unique().tolist() for weight in weights]
        for number, token in enumerate(model.recognizer.require_vocabulary().tokens)
    }


def test_init_from_a_reordered_vocabulary_keeps_the_rows_of_each_token(tmp_path):
    _, path = saved(tmp_path / "a.ckpt", ["x", "+", "1"])
    model = Im2Tex(vocabulary=["1", "x", "+"], **SMALL)
    initialize(model.recognizer, read_initial(str(path)))
    for token, values in rows(model).items():
        assert values == [[code(token)]] * 3


def test_tokens_not_known_there_keep_their_fresh_rows(tmp_path):
    _, path = saved(tmp_path / "a.ckpt", ["x", "+", "1", "2"])
    model = Im2Tex(vocabulary=["y", "1", "z", "x"], **SMALL)
    fresh = {token: values for token, values in rows(model).items() if token in ("y", "z")}
    said = initialize(model.recognizer, read_initial(str(path)))
    for token, values in rows(model).items():
        assert values == (fresh[token] if token in fresh else [[code(token)]] * 3)
    assert "tokens unknown to it (2): y z" in said


def test_init_from_without_common_tokens_takes_special_tokens_and_the_rest(tmp_path):
    other, path = saved(tmp_path / "a.ckpt", ["x", "+"])
    model = Im2Tex(vocabulary=["a", "b", "c"], **SMALL)
    said = initialize(model.recognizer, read_initial(str(path)))
    found = rows(model)
    for token in SPECIALS:
        assert found[token] == [[code(token)]] * 3
    assert torch.equal(
        model.recognizer.require_decoder().cell.weight_hh,
        other.recognizer.require_decoder().cell.weight_hh,
    )
    assert "tokens unknown to it (3): a b c" in said


def test_statistics_of_the_batches_come_along(tmp_path):
    other = Im2Tex(vocabulary=["x"], **SMALL)
    other.recognizer.encoder.convolutions[0][1].running_mean.fill_(7.0)
    content = {"state_dict": other.state_dict(), "hyper_parameters": dict(other.hparams)}
    other.on_save_checkpoint(content)
    torch.save(content, tmp_path / "a.ckpt")
    model = Im2Tex(vocabulary=["x"], **SMALL)
    initialize(model.recognizer, read_initial(str(tmp_path / "a.ckpt")))
    assert (model.recognizer.encoder.convolutions[0][1].running_mean == 7).all()


def test_init_from_report_names_new_and_unused_weights(tmp_path):
    _, path = saved(
        tmp_path / "a.ckpt", ["x"], decoder_args={"hidden_size": 24, "embedding_dim": 8}
    )
    model = Im2Tex(
        vocabulary=["x"],
        **SMALL | {"decoder_args": {"hidden_size": 16, "embedding_dim": 8, "symbol_loss": 1.0}},
    )
    said = initialize(model.recognizer, read_initial(str(path))).splitlines()
    assert said[0].startswith(f"Started from {path}: ")
    assert "decoder.cell.weight_hh" in said[1]
    assert "decoder.symbols.classify.weight" in said[1]
    assert "encoder" not in said[1]
    assert "decoder.cell.weight_hh" in said[2]
    assert "decoder.symbols" not in said[2]
    assert "decoder.embedding.weight" not in said[1] + said[2]


def test_init_from_a_model_without_fitting_weights_raises(tmp_path):
    _, path = saved(tmp_path / "a.ckpt", ["x"])
    arguments = {
        "channels": [3, 6],
        "pools": ["4x4", "2x2"],
        "batch_norm": [False, False],
        "row_hidden_size": 6,
    }
    model = Im2Tex(
        vocabulary=["x"],
        **SMALL
        | {"encoder_args": arguments, "decoder_args": {"hidden_size": 20, "embedding_dim": 6}},
    )
    with pytest.raises(Im2TexError, match=r"no weight of .*a\.ckpt fits this model"):
        initialize(model.recognizer, read_initial(str(path)))


def test_init_from_is_not_saved_in_the_checkpoint(checkpoint, tmp_path, capsys):
    path = config(tmp_path, TINY)
    status = im2tex(
        *("fit", "--config", path, "--model.init_from", checkpoint),
        *("--trainer.max_steps", "1", "--model.optimizer_args.lr", "0"),
    )
    assert status == 0
    assert f"Started from {checkpoint}" in capsys.readouterr().out
    first = read_checkpoint(checkpoint)
    again = read_checkpoint(tmp_path / "runs/version_0/checkpoints/last.ckpt")
    assert "init_from" not in again["hyper_parameters"]
    assert again["global_step"] == 1
    for name, value in first["state_dict"].items():
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(value, again["state_dict"][name]), name


def test_init_from_on_other_formulas_keeps_the_rows_of_shared_tokens(checkpoint, tmp_path, capsys):
    source = TINY["data"]["source_args"] | {"symbols": "1 2 3 x + = \\cos \\sqrt"}
    path = config(tmp_path, changed(TINY, data={"source_args": source}))
    given = ("--model.init_from", checkpoint, "--trainer.max_steps", "1")
    assert im2tex("fit", "--config", path, *given, "--model.optimizer_args.lr", "0") == 0
    printed = capsys.readouterr().out
    assert r"tokens unknown to it (1): \cos" in printed
    assert f"Started from {checkpoint}: " in printed
    old, new = (
        read_checkpoint(checkpoint),
        read_checkpoint(tmp_path / "runs/version_0/checkpoints/last.ckpt"),
    )
    words = [content["hyper_parameters"]["vocabulary"] for content in (old, new)]
    assert words[1] == [*words[0], r"\cos"]  # tokens without a label are kept
    for token in set(words[1]) & set(words[0]):
        one, other = (
            content["state_dict"]["recognizer.decoder.embedding.weight"][4 + known.index(token)]
            for content, known in zip((old, new), words, strict=True)
        )
        assert torch.equal(one, other)


def test_init_from_of_a_resumed_fit_is_ignored(checkpoint, tmp_path, capsys):
    status = im2tex(
        *("fit", "--ckpt_path", checkpoint, "--model.init_from", "nowhere.ckpt"),
        *("--trainer.accelerator", "cpu", "--trainer.max_epochs", "2"),
        *("--trainer.default_root_dir", tmp_path),
    )
    assert status == 0
    assert "Started from" not in capsys.readouterr().out


def test_vocabulary_given_with_init_from_is_the_vocabulary(checkpoint, tmp_path):
    settings = changed(TINY, model={"vocabulary": ["1", "x", "="]})
    given = ("--model.init_from", checkpoint, "--trainer.max_steps", "1")
    assert im2tex("fit", "--config", config(tmp_path, settings), *given) == 0
    last = read_checkpoint(tmp_path / "runs/version_0/checkpoints/last.ckpt")
    assert last["hyper_parameters"]["vocabulary"] == ["1", "x", "="]


def test_init_from_ensemble_reports_that_its_first_model_is_used(checkpoint, tmp_path, capsys):
    folder = tmp_path / "pair"
    export = ("export", "--ckpt_path", checkpoint, "--folder", folder, "--ensemble", checkpoint)
    assert im2tex(*export) == 0
    model = Im2Tex(**read_checkpoint(checkpoint)["hyper_parameters"])
    report = initialize(model.recognizer, read_initial(str(folder)))
    assert report.endswith("of its ensemble of 2 models: the first one")


def test_init_from_a_missing_file_names_the_command(tmp_path, capsys):
    path = config(tmp_path, TINY)
    assert im2tex("fit", "--config", path, "--model.init_from", tmp_path / "no.ckpt") == 2
    said = capsys.readouterr().err.splitlines()[-1]
    for word in (str(tmp_path / "no.ckpt"), "pretraining", "im2tex fit", "null"):
        assert word in said
