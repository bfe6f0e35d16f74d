"""Every component that can be chosen by name overfits 16 samples."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch
from overfit import LABELS, VOCABULARY, Samples, is_overfitted, make_samples, predict, train

from im2tex import Im2Tex
from im2tex.attention import ATTENTIONS, sparse
from im2tex.decoders import DECODERS, SearchOptions
from im2tex.decoders.beam_search import beam_search
from im2tex.encoders import ENCODERS

ROWS = {
    "channels": [8, 16],
    "pools": ["2x2", "2x2"],
    "batch_norm": [True, True],
    "row_hidden_size": 16,
    "residual": True,
}
COARSE = ROWS | {"channels": [16], "pools": ["2x2"], "batch_norm": [True]}
COARSE |= {"coarse": True, "block": 2}
COLUMNS = ROWS | {"pools": ["2x2", "2x1"]}
CNN = {name: ROWS[name] for name in ("channels", "pools", "batch_norm")}
DENSE = {"growth_rate": 8, "num_layers": 3, "num_blocks": 1, "out_channels": 16, "dropout": 0.0}
TIMM = {"model": "test_resnet", "stride": 4, "out_channels": 16}

LSTM = {"hidden_size": 32, "embedding_dim": 8, "reduction": "tokens"}
CTC = {"upsample": 1, "hidden_size": 32, "num_layers": 1, "reduction": "tokens"}
TRANSFORMER = {
    "d_model": 32,
    "num_layers": 2,
    "num_heads": 4,
    "dim_feedforward": 64,
    "dropout": 0.0,
}
TRANSFORMER |= {"coverage_channels": 8, "coverage_kernel_size": 3}

REPEATED = [*LABELS[:13], [3, 3], [3, 3, 3], [3, 3, 3, 3, 3]]
"""Only coverage can count the repetitions of a token."""


@torch.no_grad()
def predict_right_to_left(model, given):
    start = model.recognizer.require_decoder().start(
        model.recognizer.encoder(given.images, given.mask)
    )
    options = SearchOptions(1, 10)
    found = beam_search(
        model.recognizer.require_decoder(),
        replace(start, reverse=True),
        16,
        options,
        torch.device("cpu"),
    )
    return [[token - 4 for token in best[0].tokens][::-1] for best in found]


def overfits_both_directions(model, given):
    return is_overfitted(model, given) and predict_right_to_left(model, given) == given.labels


@torch.no_grad()
def most_likely_labels(model, given):
    """The 16 most probable labels of a model without an encoder."""
    grid = model.recognizer.encoder(given.images[:1], given.mask[:1])
    (found,) = model.recognizer.require_decoder().search(grid, SearchOptions(16, 10, n_best=16))
    return sorted([token - 4 for token in one.tokens] for one in found)


def overfits_labels(model, given):
    return most_likely_labels(model, given) == sorted(given.labels)


OF_THE_LOSS = {"reduction"}
"""Arguments that do not change the model."""


@dataclass
class OverfitCase:
    """A model and its training.

    Attributes:
        encoder: its name and arguments; likewise the attention and the decoder.
        rate: learning rate of Adam.
        start: the case whose weights it starts from.
        least: steps; a model that starts from overfitted weights would train for none.
        size: pixels of a token's pattern.
        labels: of the 16 samples.
        is_done: whether training may stop, of the model and the samples.
    """

    encoder: tuple[str, dict[str, Any]]
    attention: tuple[str, dict[str, Any]] = ("standard", {})
    decoder: tuple[str, dict[str, Any]] = ("lstm", LSTM)
    rate: float = 0.02
    start: str | None = None
    least: int = 0
    size: tuple[int, int] = (4, 4)
    labels: list[list[int]] = field(default_factory=lambda: LABELS)
    is_done: Callable[[Im2Tex, Samples], bool] = is_overfitted


OVERFIT_CASES = {
    "row_cnn": OverfitCase(("row_cnn", ROWS)),
    "cnn": OverfitCase(("cnn", CNN)),
    "densenet": OverfitCase(("densenet", DENSE)),
    "timm": OverfitCase(("timm", TIMM), rate=0.01),
    "additive score": OverfitCase(("row_cnn", ROWS), ("standard", {"score": "additive"})),
    "coverage": OverfitCase(
        ("row_cnn", ROWS), ("coverage", {"kernel_size": 3, "channels": 8}), labels=REPEATED
    ),
    "coarse_only": OverfitCase(("row_cnn", COARSE), ("coarse_only", {})),
    "hierarchical": OverfitCase(("row_cnn", COARSE), ("hierarchical", {})),
    "sparsemax": OverfitCase(("row_cnn", COARSE), ("sparsemax", {})),
    "hard": OverfitCase(
        ("row_cnn", COARSE),
        ("hard", {"samples": 4}),
        rate=0.005,
        start="hierarchical",
        least=40,
    ),
    "transformer": OverfitCase(
        ("row_cnn", ROWS),
        ("none", {}),
        ("transformer", TRANSFORMER),
        rate=0.005,
        is_done=overfits_both_directions,
    ),
    "transformer to the right, positions": OverfitCase(
        ("cnn", CNN | {"positions": "sinusoidal"}),
        ("none", {}),
        ("transformer", TRANSFORMER | {"directions": "left_to_right"}),
        rate=0.005,
    ),
    "ctc": OverfitCase(("row_cnn", COLUMNS), ("none", {}), ("ctc", CTC), size=(8, 4)),
    "ctc of means": OverfitCase(
        ("row_cnn", COLUMNS), ("none", {}), ("ctc", CTC | {"pool": "mean"}), size=(8, 4)
    ),
    "language model": OverfitCase(("none", {}), is_done=overfits_labels),
}


@pytest.fixture(scope="module")
def overfitted():
    """Returns the trained model and the samples of a case by its name; each is trained once."""
    trained = {}

    def train_case(name):
        if name in trained:
            return trained[name]
        case = OVERFIT_CASES[name]
        start = None if case.start is None else train_case(case.start)[0]
        torch.manual_seed(0)
        settings = {}
        for kind in ("encoder", "attention", "decoder"):
            settings[kind], settings[f"{kind}_args"] = getattr(case, kind)
        model = Im2Tex(vocabulary=[str(n) for n in range(VOCABULARY - 4)], **settings)
        if start is not None:
            model.load_state_dict(start.state_dict(), strict=False)
        given = make_samples(case.size, case.labels)
        train(model, given, case.rate, case.least, case.is_done)
        trained[name] = model, given
        return trained[name]

    return train_case


@pytest.fixture(autouse=True)
def _gather(monkeypatch):
    """Sparsemax would read grids as small as these densely."""
    monkeypatch.setattr(sparse, "GATHER_COST", 0)


@pytest.mark.parametrize("name", [name for name in OVERFIT_CASES if name != "language model"])
def test_model_overfits_16_samples(overfitted, name):
    model, given = overfitted(name)
    assert len(set(map(tuple, given.labels))) == 16
    assert predict(model, given) == given.labels


def test_transformer_overfits_16_samples_right_to_left(overfitted):
    model, given = overfitted("transformer")
    assert predict_right_to_left(model, given) == given.labels


def test_language_model_overfits_16_labels(overfitted):
    model, given = overfitted("language model")
    assert most_likely_labels(model, given) == sorted(given.labels)


@pytest.mark.parametrize(
    ("kind", "registry"),
    [("encoder", ENCODERS), ("attention", ATTENTIONS), ("decoder", DECODERS)],
)
def test_overfit_cases_have_every_component(kind, registry):
    """And every value of their Literal arguments: a score, positions, a direction."""
    trained = [getattr(case, kind) for case in OVERFIT_CASES.values()]
    tried = {name for name, _ in trained}
    components = {name: registry.get(name) for name in registry.names()}
    ours = {name for name, cls in components.items() if cls.__module__.startswith("im2tex.")}
    assert len(ours) >= 3
    assert ours <= tried
    offered, chosen = set(), set()
    for name in ours:
        hints = get_type_hints(components[name].__init__)
        for argument, default in registry.parameters(name).items():
            if get_origin(hints[argument]) is Literal and argument not in OF_THE_LOSS:
                offered |= {(argument, choice) for choice in get_args(hints[argument])}
                chosen |= {
                    (argument, arguments.get(argument, default.default))
                    for other, arguments in trained
                    if other == name
                }
    assert offered == chosen
