"""EMA: the average is the formula's, is what gets evaluated and saved, and survives a resume."""

import warnings

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from torch.utils.data import DataLoader

from im2tex.training.callbacks.ema import EMA


class Net(LightningModule):
    """A little net with batch normalisation; its data come from the global step alone."""

    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 1)
        )
        self.trace = []  # the weights in training after each step
        self.seen = []  # the weights that validation and test saw

    def configure_model(self):
        pass  # overridden, as in Im2Tex

    def training_step(self, batch, batch_idx):
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(self.global_step))
        return (self.net(x) - x.sum(1, keepdim=True)).square().mean()

    def on_train_batch_end(self, *_):
        self.trace.append(state(self))

    def validation_step(self, batch, batch_idx):
        self.seen.append(state(self))

    test_step = validation_step

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), 0.1)


class Stop(Exception):
    pass


class StopAt(Callback):
    """Raises after a training step, as a killed process would end."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == self.step:
            raise Stop


def state(module):
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=0, msg=name)


def loader():
    return DataLoader(torch.zeros(6, 1))


def trainer(folder, *callbacks, **arguments):
    return Trainer(
        **{
            "accelerator": "cpu",
            "max_epochs": 3,
            "default_root_dir": folder,
            "logger": False,
            "enable_progress_bar": False,
            "enable_model_summary": False,
            "num_sanity_val_steps": 0,
            "callbacks": list(callbacks),
        }
        | arguments
    )


def fit(folder, *callbacks, net=None, ckpt_path=None, **arguments):
    torch.manual_seed(0)
    net = net or Net()
    run = trainer(folder, *callbacks, **arguments)
    run.fit(net, loader(), DataLoader(torch.zeros(2, 1)), ckpt_path=ckpt_path)
    return net, run


def every_step(folder):
    return ModelCheckpoint(folder, "{step}", every_n_train_steps=1, save_top_k=-1)


@pytest.mark.parametrize(("decay", "warm_up"), [(0.9, False), (0.35, True)])
def test_ema_average_follows_formula(tmp_path, decay, warm_up):
    net, _ = fit(tmp_path, EMA(decay, warm_up))
    average = net.trace[0]
    for t, weights in enumerate(net.trace[1:], 1):
        # 0.35 is passed between t = 3 (4/13) and t = 4 (5/14).
        d = min(decay, (1 + t) / (10 + t)) if warm_up else decay
        average = {
            name: d * average[name] + (1 - d) * value if value.is_floating_point() else value
            for name, value in weights.items()
        }
    assert "net.1.running_var" in average
    assert int(average["net.1.num_batches_tracked"]) == 18
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, average[name], rtol=1e-5, atol=1e-6)
    same(net.seen[-1], state(net))  # validation saw it, too


def test_ema_does_not_change_training(tmp_path):
    with_average, _ = fit(tmp_path, EMA(0.5))
    without, _ = fit(tmp_path)
    for a, b in zip(with_average.trace, without.trace, strict=True):
        same(a, b)


@pytest.mark.parametrize("step", [3, 6, 8, 12])  # within an epoch and at its end
def test_ema_resumed_fit_gives_same_weights(tmp_path, step):
    whole, run = fit(tmp_path / "whole", EMA(0.6), every_step(tmp_path / "whole"))
    with pytest.raises(Stop):
        fit(tmp_path / "part", EMA(0.6), every_step(tmp_path / "part"), StopAt(step + 1))
    checkpoint = tmp_path / "part" / f"step={step}.ckpt"
    resumed, again = fit(
        tmp_path / "part", EMA(0.6), every_step(tmp_path / "part"), net=Net(), ckpt_path=checkpoint
    )
    assert run.global_step == again.global_step == 18
    same(state(whole), state(resumed))
    for a, b in zip(whole.trace[step:], resumed.trace, strict=True):
        same(a, b)
    left, right = (
        torch.load(tmp_path / name / "step=18.ckpt", weights_only=True)
        for name in ("whole", "part")
    )
    for key in ("state_dict", "current_model_state", "averaging_state"):
        same(left[key], right[key])


def test_ema_checkpoint_has_average_as_state_dict(tmp_path):
    net, _ = fit(tmp_path, EMA(0.6), every_step(tmp_path))
    checkpoint = tmp_path / "step=18.ckpt"
    loaded = Net.load_from_checkpoint(checkpoint)
    same(state(loaded), state(net))
    content = torch.load(checkpoint, weights_only=True)
    same(content["current_model_state"], net.trace[-1])
    assert content["callbacks"]["EMA"] == {"latest_update_step": 18, "decay": 0.6, "warm_up": True}
    tested = Net()
    trainer(tmp_path, EMA(0.6)).test(tested, loader(), ckpt_path=checkpoint, verbose=False)
    same(tested.seen[0], state(net))


@pytest.mark.parametrize("method", ["validate", "test"])
def test_ema_test_after_fit_uses_checkpoint_average(tmp_path, method):
    net, run = fit(tmp_path, EMA(0.6), every_step(tmp_path))
    checkpoint = tmp_path / "step=4.ckpt"
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*WeightAveraging")
        getattr(run, method)(net, loader(), ckpt_path=checkpoint, verbose=False)
    same(net.seen[-1], torch.load(checkpoint, weights_only=True)["state_dict"])


class SaveWhile(Callback):
    """Saves a checkpoint in the middle of a validation."""

    def __init__(self, path):
        self.path = path

    def on_validation_batch_end(self, trainer, *_):
        trainer.save_checkpoint(self.path)


def test_ema_checkpoints_at_any_time_have_both_weights(tmp_path):
    path = tmp_path / "in_validation.ckpt"
    net, run = fit(tmp_path, EMA(0.6), SaveWhile(path))
    after = tmp_path / "after_the_fit.ckpt"
    run.save_checkpoint(after)
    for name in (path, after):
        checkpoint = torch.load(name, weights_only=True)
        same(checkpoint["state_dict"], state(net))
        same(checkpoint["current_model_state"], net.trace[-1])
    # A finished fit goes on for an epoch as if it had never ended.
    longer, _ = fit(tmp_path, EMA(0.6), max_epochs=4)
    continued, _ = fit(tmp_path, EMA(0.6), max_epochs=4, net=Net(), ckpt_path=after)
    same(state(longer), state(continued))


class StopInValidation(Callback):
    def on_validation_batch_end(self, *_):
        raise Stop


def test_ema_exception_in_validation_restores_raw_weights(tmp_path):
    net = Net()
    with pytest.raises(Stop):
        fit(tmp_path, EMA(0.6), StopInValidation(), net=net)
    same(state(net), net.trace[-1])


def test_ema_checkpoint_without_average_starts_one(tmp_path):
    fit(tmp_path, every_step(tmp_path))
    with pytest.warns(UserWarning, match="not created with WeightAveraging"):
        net, _ = fit(tmp_path, EMA(0.0, False), net=Net(), ckpt_path=tmp_path / "step=4.ckpt")
    assert len(net.trace) == 14
    same(state(net), net.trace[-1])  # a decay of 0 keeps nothing of what was


def test_ema_decay_out_of_range_raises():
    with pytest.raises(ValueError, match=r"1\.5"):
        EMA(1.5)


class Where(Callback):
    """Notes where the average lies while training."""

    def __init__(self, ema):
        self.ema = ema

    def on_train_batch_end(self, *_):
        state = self.ema._average_model.state_dict()
        self.devices = {value.device.type for value in state.values()}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_ema_average_is_on_the_gpu(tmp_path):
    class OnDevice(Net):
        def training_step(self, batch, batch_idx):
            return self.net(batch.expand(8, 3)).square().mean()

    ema = EMA(0.6)
    where = Where(ema)
    fit(tmp_path, ema, where, net=OnDevice(), accelerator="gpu", devices=1)
    assert where.devices == {"cuda"}
