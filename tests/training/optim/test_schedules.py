"""Schedules: learning rates at given steps, by hand."""

import math
import warnings

import pytest
import torch

from im2tex.errors import Im2TexError
from im2tex.training.optim import SCHEDULES

PEAK = 0.1


def built(name, total=math.inf, **arguments):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], PEAK)
    return optimizer, SCHEDULES.build(name, arguments).build(optimizer, total)


def rates(count, name, total=math.inf, **arguments):
    """The rate that each of the first steps is made with."""
    optimizer, config = built(name, total, **arguments)
    assert config["interval"] == "step"
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        config["scheduler"].step()
    return found


def test_constant_warms_up_linearly():
    assert rates(3, "constant") == [PEAK] * 3
    assert rates(6, "constant", warmup_steps=4) == pytest.approx(
        [0.025, 0.05, 0.075, 0.1, 0.1, 0.1]
    )


def test_cosine_warms_up_and_decays_to_min_lr():
    # 2 steps of warm-up, then 8 of half a cosine from 1 to 0.2: at its quarters
    # 0.2 + 0.8 (1 + cos(pi / 4)) / 2 = 0.8828, 0.6, 0.2 + 0.8 (1 - 0.7071) / 2 = 0.3172, 0.2.
    found = rates(14, "cosine", total=10, warmup_steps=2, min_lr_ratio=0.2)
    assert found[:3] == pytest.approx([0.05, 0.1, 0.1])
    assert found[4] == pytest.approx(0.08828, abs=1e-5)
    assert found[6] == pytest.approx(0.06)
    assert found[8] == pytest.approx(0.03172, abs=1e-5)
    assert found[10:] == pytest.approx([0.02] * 4)


def test_cosine_short_run_warms_up_for_half():
    found = rates(10, "cosine", total=10, warmup_steps=500, min_lr_ratio=0.0)
    assert found[:6] == pytest.approx([0.02, 0.04, 0.06, 0.08, 0.1, 0.1])
    assert found[9] < 0.011


def test_cosine_total_steps_overrides_run_length():
    found = rates(5, "cosine", total=100, total_steps=4, warmup_steps=0, min_lr_ratio=0.0)
    assert found == pytest.approx([0.1, 0.0853553, 0.05, 0.0146447, 0.0], abs=1e-7)


def test_cosine_unknown_length_raises():
    with pytest.raises(Im2TexError, match=r"trainer\.max_epochs or trainer\.max_steps"):
        built("cosine")


def test_plateau_without_decrease_halves_rate():
    optimizer, config = built("plateau")
    assert config["monitor"] == "val/perplexity"
    found = []
    #                  falls     equal  rises falls rises  below the last, above the best
    for perplexity in [9.0, 8.0, 8.0, 8.5, 7.0, 7.5, 7.4]:
        config["scheduler"].step(perplexity)
        found.append(optimizer.param_groups[0]["lr"])
    assert found == [0.1, 0.1, 0.05, 0.025, 0.025, 0.0125, 0.00625]


def test_plateau_smallest_decrease_keeps_rate():
    optimizer, config = built("plateau")
    for perplexity in [1.5, 1.5 - 1e-7, 1.5 - 2e-7]:
        config["scheduler"].step(perplexity)
    assert optimizer.param_groups[0]["lr"] == 0.1
    config["scheduler"].step(math.nan)  # no number has not fallen
    assert optimizer.param_groups[0]["lr"] == 0.05


def test_plateau_stops_at_min_lr():
    optimizer, config = built("plateau")
    for _ in range(40):
        config["scheduler"].step(5.0)
    # 0.1 / 2 ** 13 = 1.22e-5 is the last above the paper's floor.
    assert optimizer.param_groups[0]["lr"] == 1e-5


def test_plateau_patience_delays_reduction():
    optimizer, config = built("plateau", patience=1, factor=0.1)
    found = []
    for perplexity in [5.0, 6.0, 6.0, 6.0, 6.0]:
        config["scheduler"].step(perplexity)
        found.append(optimizer.param_groups[0]["lr"])
    assert found == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001])


def test_plateau_is_not_stepped_by_lightning():
    # It would at the end of every epoch, validated or not; the module does after a validation.
    _, config = built("plateau")
    assert all(epoch % config["frequency"] for epoch in range(1, 10_000))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("plateau", {"factor": 2.0}, r"factor must be in \(0, 1\), got 2\.0"),
        ("plateau", {"factor": 0.0}, "got 0.0"),
        ("cosine", {"min_lr_ratio": 1.5}, r"min_lr_ratio must be in \[0, 1\], got 1\.5"),
    ],
)
def test_schedules_values_out_of_range_raise(name, arguments, message):
    with pytest.raises(Im2TexError, match=message):
        SCHEDULES.build(name, arguments)


def test_schedules_state_survives_checkpoint():
    for name in SCHEDULES.names():
        optimizer, config = built(name, total=20)
        values = [5.0] if name == "plateau" else []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a schedule moved before its optimiser
            for _ in range(7):
                config["scheduler"].step(*values)
            again, resumed = built(name, total=20)
            resumed["scheduler"].load_state_dict(config["scheduler"].state_dict())
            again.load_state_dict(optimizer.state_dict())
            for _ in range(3):
                config["scheduler"].step(*values)
                resumed["scheduler"].step(*values)
        assert again.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]
