"""`Im2Tex`, the LightningModule: what it is made of, from plain names and arguments.

What it does lies below it: `network` (parts, vocabulary, checkpoints), `learning` (training,
validation, optimisation), `transcription` (reading, tests, pretrained weights).
"""

from __future__ import annotations

from typing import Any

from im2tex.data.preprocessing import Preprocessing
from im2tex.decoders import DECODERS, SearchOptions
from im2tex.decoders.attention_choice import DEFAULT_ATTENTION, choose_attention
from im2tex.encoders import ENCODERS
from im2tex.errors import Im2TexError
from im2tex.evaluation.metrics import FormulaMetrics, Perplexity
from im2tex.latex.vocabulary import Vocabulary
from im2tex.model.checkpoint_contents import OF_USE
from im2tex.model.ensemble import Company
from im2tex.model.transcription import Transcriber
from im2tex.model.unused_options import idle_options
from im2tex.registry import check_arguments
from im2tex.training.learning import Example, Learner
from im2tex.training.optim import OPTIMIZERS, SCHEDULES

__all__ = ["Example", "Im2Tex"]


class Im2Tex(Learner, Transcriber):
    """Pictures of formulas to LaTeX.

    Components are chosen by registered name (`im2tex components` lists them), with a dictionary
    of arguments each. Without a vocabulary the decoder is built when a fit starts, from the
    labels of the training split.

    Args:
        vocabulary: ordinary tokens, in the order of their numbers.
        min_count: tokens seen less often in training become `<unk>`.
        encoder: name of the encoder.
        encoder_args: its arguments.
        attention: name of the attention; `none`, or left out, with a decoder that takes none.
        attention_args: its arguments.
        decoder: name of the decoder.
        decoder_args: its arguments.
        preprocessing: arguments of `Preprocessing`.
        optimizer: name of the optimiser.
        optimizer_args: its arguments.
        schedule: name of the learning-rate schedule.
        schedule_args: its arguments.
        clip_norm: largest norm of the gradient, 0 for no limit.
        initial_range: parameters start uniform in plus or minus this; PyTorch's own
            initialisation if not given. The paper: 0.05.
        channels_last: memory layout of the convolutions; faster on most devices, same result.
        examples: validation samples kept for pictures, see `validation_examples`.
        init_from: checkpoint whose weights a fresh fit starts from, mapped by name, and token by
            token where the vocabulary differs. Not kept in checkpoints.
        beam_size: hypotheses kept alive in test and predict. Not kept in checkpoints.
        length_penalty: see `SearchOptions`. Not kept in checkpoints.
        output_length: longest output in tokens. Not kept in checkpoints.
        n_best: readings given by `predict`. Not kept in checkpoints.
        ensemble: checkpoints, or models for `from_pretrained`, of other models of the same
            vocabulary and preprocessing, that read together with this one in test, predict and
            `transcribe`: see `decoders.ensemble`. Not kept in checkpoints.
        views: sizes in which they all see each picture, by its own, such as [0.8, 1.0, 1.25].
            Not kept in checkpoints.

    Raises:
        Im2TexError: for unknown names, or arguments that do not fit.
    """

    def __init__(
        self,
        vocabulary: list[str] | None = None,
        min_count: int = 1,
        encoder: str = "row_cnn",
        encoder_args: dict[str, Any] | None = None,
        attention: str = DEFAULT_ATTENTION,
        attention_args: dict[str, Any] | None = None,
        decoder: str = "lstm",
        decoder_args: dict[str, Any] | None = None,
        preprocessing: dict[str, Any] | None = None,
        optimizer: str = "adamw",
        optimizer_args: dict[str, Any] | None = None,
        schedule: str = "cosine",
        schedule_args: dict[str, Any] | None = None,
        clip_norm: float = 5.0,
        initial_range: float | None = None,
        channels_last: bool = False,
        examples: int = 8,
        init_from: str | None = None,
        beam_size: int = 5,
        length_penalty: float = 0.0,
        output_length: int = 200,
        n_best: int = 1,
        ensemble: list[str] | None = None,
        views: list[float] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=list(OF_USE))
        self.init_from = init_from
        self.search_options = SearchOptions(beam_size, output_length, length_penalty, n_best)
        self.company = Company(ensemble or (), (1.0,) if views is None else views)
        _check_numbers(min_count, clip_norm, initial_range, examples)
        if initial_range is not None and (encoder_args or {}).get("pretrained"):
            raise Im2TexError(
                "model.initial_range would overwrite the weights that "
                "model.encoder_args.pretrained fetches: set the one to null or the other to false."
            )
        self.encoder = ENCODERS.build(encoder, encoder_args)
        # A stride in the arguments would only repeat what the encoder says.
        settings = {**(preprocessing or {}), "stride": self.encoder.stride}
        self.preprocessing = Preprocessing(
            **check_arguments("preprocessing", Preprocessing, settings)
        )
        self.optimizer = OPTIMIZERS.build(optimizer, optimizer_args)
        self.schedule = SCHEDULES.build(schedule, schedule_args)
        DECODERS.check(decoder, decoder_args)
        self.hparams["attention"] = choose_attention(decoder, attention, attention_args)
        self.decoder = None
        self.vocabulary = None
        self.val_perplexity = Perplexity()
        self.val_metrics = FormulaMetrics(prefix="val/")
        self.validation_examples = []
        self.unknown_tokens = 0
        if vocabulary is not None:
            self.bind(_vocabulary(vocabulary))
        else:
            self.try_decoder()
            idle = idle_options(self.hparams)
            # Options that came with weights stay as they are: a fit warns of them.
            if idle and init_from is None:
                raise Im2TexError(idle[0])


def _vocabulary(tokens: list[str]) -> Vocabulary:
    try:
        return Vocabulary(tokens)
    except ValueError as error:
        raise Im2TexError(f"model.vocabulary: {error}.") from error


def _check_numbers(
    min_count: int, clip_norm: float, initial_range: float | None, examples: int
) -> None:
    """Refuses what would be noticed late or never, such as a gradient turned round.

    Raises:
        Im2TexError: if a number is out of range.
    """
    numbers = {"min_count": min_count, "clip_norm": clip_norm, "examples": examples}
    for name, value in numbers.items():
        if not isinstance(value, int | float):
            raise Im2TexError(f"model.{name} is a number; got {value!r}.")
    if min_count < 1:
        raise Im2TexError(f"model.min_count is at least 1; got {min_count}.")
    if not clip_norm >= 0:
        raise Im2TexError(f"model.clip_norm is at least 0, which is no limit; got {clip_norm}.")
    if initial_range is not None and not 0 < initial_range < float("inf"):
        raise Im2TexError(f"model.initial_range is above 0, or null; got {initial_range}.")
    if examples < 0:
        raise Im2TexError(f"model.examples is at least 0; got {examples}.")
