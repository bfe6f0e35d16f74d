"""The summary at the start of a run counts the parameters of the model that runs."""

from types import SimpleNamespace

import pytest
from torch import device, nn

from im2tex.training.callbacks.run_summary import RunSummary


class Member(nn.Linear):
    """A model of 1.00 M parameters, which predicts in an ensemble of two."""

    device = device("cpu")

    def __init__(self):
        super().__init__(1000, 1000, bias=False)
        other = nn.Linear(1000, 1000, bias=False)
        self.pair = (nn.ModuleList([nn.ParameterList([self.weight]), other]),)

    @property
    def predictor(self):
        return self.pair[0]


@pytest.mark.parametrize(("stage", "count"), [("train", "1.00"), ("test", "2.00")])
def test_summary_counts_all_models_of_a_tested_ensemble(stage, count, capsys):
    trainer = SimpleNamespace(
        is_global_zero=True, sanity_checking=False, num_devices=1, precision="32-true"
    )
    getattr(RunSummary(), f"on_{stage}_start")(trainer, Member())
    assert capsys.readouterr().out.startswith(f"{stage}: {count} M parameters, on 1 x cpu")
