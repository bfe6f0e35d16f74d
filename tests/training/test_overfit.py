"""Whatever can be chosen by name learns sixteen formulas by heart, to the last token."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch
from overfit import LABELS, VOCABULARY, Pictures, knows, pictures, read, teach

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
"""How often a token stands there is told by where the attention has been."""


@torch.no_grad()
def read_from_the_right(model, given):
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


def knows_both_ways(model, given):
    return knows(model, given) and read_from_the_right(model, given) == given.labels


@torch.no_grad()
def said_unseen(model, given):
    """The likeliest sixteen formulas of a model that sees nothing."""
    grid = model.recognizer.encoder(given.images[:1], given.mask[:1])
    (found,) = model.recognizer.require_decoder().search(grid, SearchOptions(16, 10, n_best=16))
    return sorted([token - 4 for token in one.tokens] for one in found)


def knows_unseen(model, given):
    return said_unseen(model, given) == sorted(given.labels)


OF_THE_LOSS = {"reduction"}
"""Choices that say how a loss is counted, and nothing of the model."""


@dataclass
class Lesson:
    """A model, and how it is taught.

    Attributes:
        encoder: its name and arguments; likewise the attention and the decoder.
        rate: of learning, by Adam.
        start: the lesson whose weights it begins with.
        least: steps; what begins with weights that know the formulas would learn for none.
        size: pixels of a token's pattern.
        labels: of the sixteen pictures.
        learnt: says of a model and its pictures whether the lesson is over.
    """

    encoder: tuple[str, dict[str, Any]]
    attention: tuple[str, dict[str, Any]] = ("standard", {})
    decoder: tuple[str, dict[str, Any]] = ("lstm", LSTM)
    rate: float = 0.02
    start: str | None = None
    least: int = 0
    size: tuple[int, int] = (4, 4)
    labels: list[list[int]] = field(default_factory=lambda: LABELS)
    learnt: Callable[[Im2Tex, Pictures], bool] = knows


LESSONS = {
    "row_cnn": Lesson(("row_cnn", ROWS)),
    "cnn": Lesson(("cnn", CNN)),
    "densenet": Lesson(("densenet", DENSE)),
    "timm": Lesson(("timm", TIMM), rate=0.01),
    "additive score": Lesson(("row_cnn", ROWS), ("standard", {"score": "additive"})),
    "coverage": Lesson(
        ("row_cnn", ROWS), ("coverage", {"kernel": 3, "channels": 8}), labels=REPEATED
    ),
    "coarse_only": Lesson(("row_cnn", COARSE), ("coarse_only", {})),
    "hierarchical": Lesson(("row_cnn", COARSE), ("hierarchical", {})),
    "sparsemax": Lesson(("row_cnn", COARSE), ("sparsemax", {})),
    "hard": Lesson(
        ("row_cnn", COARSE),
        ("hard", {"samples": 4}),
        rate=0.005,
        start="hierarchical",
        least=40,
    ),
    "transformer": Lesson(
        ("row_cnn", ROWS),
        ("none", {}),
        ("transformer", TRANSFORMER),
        rate=0.005,
        learnt=knows_both_ways,
    ),
    "transformer to the right, positions": Lesson(
        ("cnn", CNN | {"positions": "sinusoidal"}),
        ("none", {}),
        ("transformer", TRANSFORMER | {"directions": "left_to_right"}),
        rate=0.005,
    ),
    "ctc": Lesson(("row_cnn", COLUMNS), ("none", {}), ("ctc", CTC), size=(8, 4)),
    "ctc of means": Lesson(
        ("row_cnn", COLUMNS), ("none", {}), ("ctc", CTC | {"pool": "mean"}), size=(8, 4)
    ),
    "language model": Lesson(("none", {}), learnt=knows_unseen),
}


@pytest.fixture(scope="module")
def learnt():
    """A model after the lesson of that name, and its pictures; each is taught once."""
    taught = {}

    def learn(name):
        if name in taught:
            return taught[name]
        lesson = LESSONS[name]
        start = None if lesson.start is None else learn(lesson.start)[0]
        torch.manual_seed(0)
        settings = {}
        for kind in ("encoder", "attention", "decoder"):
            settings[kind], settings[f"{kind}_args"] = getattr(lesson, kind)
        model = Im2Tex(vocabulary=[str(n) for n in range(VOCABULARY - 4)], **settings)
        if start is not None:
            model.load_state_dict(start.state_dict(), strict=False)
        given = pictures(lesson.size, lesson.labels)
        teach(model, given, lesson.rate, lesson.least, lesson.learnt)
        taught[name] = model, given
        return taught[name]

    return learn


@pytest.fixture(autouse=True)
def _gather(monkeypatch):
    """Grids so small would be read as a whole by sparsemax."""
    monkeypatch.setattr(sparse, "GATHER_COST", 0)


@pytest.mark.parametrize("name", [name for name in LESSONS if name != "language model"])
def test_overfit_sixteen_formulas(learnt, name):
    model, given = learnt(name)
    assert len(set(map(tuple, given.labels))) == 16
    assert read(model, given) == given.labels


def test_overfit_transformer_right_to_left(learnt):
    model, given = learnt("transformer")
    assert read_from_the_right(model, given) == given.labels


def test_overfit_without_encoder_gives_training_formulas(learnt):
    model, given = learnt("language model")
    assert said_unseen(model, given) == sorted(given.labels)


@pytest.mark.parametrize(
    ("kind", "registry"),
    [("encoder", ENCODERS), ("attention", ATTENTIONS), ("decoder", DECODERS)],
)
def test_overfit_cases_cover_all_components(kind, registry):
    """Nor any way that an argument of it offers: a score, positions, a direction."""
    taught = [getattr(lesson, kind) for lesson in LESSONS.values()]
    tried = {name for name, _ in taught}
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
                    for other, arguments in taught
                    if other == name
                }
    assert offered == chosen
