"""`Recognizer`: an encoder and a decoder for one vocabulary, with their preprocessing.

A plain `nn.Module`, which needs no Lightning: `im2tex.training` trains it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from im2tex.data.dataset import Batch
from im2tex.data.preprocessing import Preprocessing
from im2tex.decoders import DECODERS, Decoder
from im2tex.decoders.attention_choice import DEFAULT_ATTENTION, choose_attention
from im2tex.decoders.ensemble_step import EnsembleMember
from im2tex.encoders import ENCODERS, Encoder
from im2tex.errors import Im2TexError
from im2tex.grid import Grid, size_mask
from im2tex.latex.vocabulary import Vocabulary
from im2tex.model.checkpoint_contents import rebuild, require_fit
from im2tex.model.ensemble import Ensemble, EnsembleOptions
from im2tex.model.predictor import Predictor
from im2tex.model.pretrained import StoredModel, read_stored, write_model
from im2tex.registry import check_arguments


class Recognizer(Predictor):
    """Converts images of formulas to LaTeX tokens.

    Components are chosen by registered name (`im2tex components` lists them), each with a
    dictionary of arguments. Without a vocabulary there is no decoder until `set_vocabulary`.

    Example:
        >>> model = Recognizer(["x", "+", "1"], encoder="row_cnn", decoder="lstm")
        >>> loss, logs = model.loss(batch)

    Args:
        vocabulary: ordinary tokens, in the order of their ids.
        encoder: name of the encoder.
        encoder_args: its arguments.
        attention: name of the attention; `none` for a decoder that takes none.
        attention_args: its arguments.
        decoder: name of the decoder.
        decoder_args: its arguments.
        preprocessing: arguments of `Preprocessing`.
        init_range: parameters are initialised uniformly in plus or minus this; PyTorch's own
            initialisation if not given. The paper: 0.05.
        channels_last: memory format of the convolutions; faster on most devices, same result.

    Attributes:
        encoder: maps images to a `Grid`.
        decoder: maps a `Grid` to a loss or to hypotheses; None until there is a vocabulary.
        vocabulary: None until it is set.
        settings: the constructor's arguments except the vocabulary.

    Raises:
        Im2TexError: for unknown names, or arguments that do not fit.
    """

    encoder: Encoder
    decoder: Decoder | None
    vocabulary: Vocabulary | None

    def __init__(
        self,
        vocabulary: list[str] | None = None,
        *,
        encoder: str = "row_cnn",
        encoder_args: dict[str, Any] | None = None,
        attention: str = DEFAULT_ATTENTION,
        attention_args: dict[str, Any] | None = None,
        decoder: str = "lstm",
        decoder_args: dict[str, Any] | None = None,
        preprocessing: dict[str, Any] | None = None,
        init_range: float | None = None,
        channels_last: bool = False,
    ) -> None:
        super().__init__()
        if init_range is not None and not 0 < init_range < float("inf"):
            raise Im2TexError(f"model.init_range must be above 0 or null, got {init_range}.")
        if init_range is not None and (encoder_args or {}).get("pretrained"):
            raise Im2TexError(
                "model.init_range would overwrite the weights that "
                "model.encoder_args.pretrained fetches: set the one to null or the other to false."
            )
        self.encoder = ENCODERS.build(encoder, encoder_args)
        # The stride of the encoder replaces one in the arguments.
        drawing = {**(preprocessing or {}), "stride": self.encoder.stride}
        self.preprocessing = Preprocessing(
            **check_arguments("preprocessing", Preprocessing, drawing)
        )
        DECODERS.check(decoder, decoder_args)
        self.settings: dict[str, Any] = {
            "encoder": encoder,
            "encoder_args": encoder_args,
            "attention": choose_attention(decoder, attention, attention_args),
            "attention_args": attention_args,
            "decoder": decoder,
            "decoder_args": decoder_args,
            "preprocessing": preprocessing,
            "init_range": init_range,
            "channels_last": channels_last,
        }
        self.decoder = None
        self.vocabulary = None
        if vocabulary is None:
            self._validate_decoder_options()
        else:
            self.set_vocabulary(_vocabulary(vocabulary))

    def set_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Builds the decoder for a vocabulary.

        Raises:
            Im2TexError: if there is a vocabulary already, or decoder and attention do not fit.
        """
        if self.decoder is not None:
            raise Im2TexError("this model already has a vocabulary")
        self.vocabulary = vocabulary
        self.decoder = self._new_decoder(len(vocabulary))
        init_range = self.settings["init_range"]
        if init_range is not None:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -init_range, init_range)
        if self.settings["channels_last"]:
            self.encoder.to(memory_format=torch.channels_last)

    def require_decoder(self) -> Decoder:
        """The decoder.

        Raises:
            Im2TexError: if there is no vocabulary yet.
        """
        if self.decoder is None:
            raise Im2TexError(
                "this model has no vocabulary yet: pass one, load a checkpoint, or fit it."
            )
        return self.decoder

    def require_vocabulary(self) -> Vocabulary:
        """The vocabulary.

        Raises:
            Im2TexError: if there is none yet.
        """
        if self.vocabulary is None:
            raise Im2TexError("this model has no vocabulary yet: pass one, or load a checkpoint.")
        return self.vocabulary

    def encode(self, batch: Batch) -> Grid:
        """The feature grid of a batch of B images, on the model's device."""
        dtype = next(self.parameters()).dtype
        images = batch.images.to(dtype) / 255  # (B, 1, H, W)
        if self.settings["channels_last"]:
            images = images.contiguous(memory_format=torch.channels_last)
        grid: Grid = self.encoder(images, size_mask(batch.sizes, *images.shape[2:]))
        return grid

    def loss(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """The training loss of a batch.

        Returns:
            The scalar to minimise, and scalars to log: see `Decoder.loss`.
        """
        return self.require_decoder().loss(self.encode(batch), self.targets(batch))

    def members(self, batch: Batch) -> list[EnsembleMember]:
        """This model's decoder with its feature grid of the batch."""
        return [(self.require_decoder(), self.encode(batch))]

    @classmethod
    def from_stored(cls, stored: StoredModel) -> Self:
        """A model with the settings and weights of a file, in eval mode.

        Raises:
            Im2TexError: if the settings are unknown, or the weights do not fit them.
        """
        model = rebuild(cls, stored.settings, stored.state, str(stored.path)).eval()
        model.training_data = stored.training_data
        return model

    def load_stored_weights(self, stored: StoredModel) -> None:
        """Loads the weights of a file.

        Raises:
            Im2TexError: if they do not fit.
        """
        require_fit(self.state_dict(), stored.state, str(stored.path))
        self.load_state_dict(stored.state)

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path) -> Predictor:
        """A trained model in eval mode, with the ensemble and scales it was exported with.

        Args:
            name_or_path: a model of the package (see `im2tex.model.folders.names`), a folder that
                `im2tex export` wrote, or a checkpoint.

        Returns:
            A `Recognizer`, or an `Ensemble` where several models or scales predict together.

        Raises:
            Im2TexError: if there is none, or a file of it cannot be read.
        """
        return cls.predictor_from_stored(read_stored(name_or_path))

    @classmethod
    def predictor_from_stored(cls, stored: StoredModel) -> Predictor:
        """As `from_pretrained`, from the contents of a file."""
        options = EnsembleOptions(stored.members, stored.scales)
        return combine(cls.from_stored(stored), options)

    def save_pretrained(self, folder: str | Path, **stored: Any) -> int:
        """See `Predictor.save_pretrained`.

        Args:
            folder: where to write it.
            **stored: further keywords of `pretrained.write_model`.
        """
        settings = {"vocabulary": list(self.require_vocabulary().ordinary), **self.settings}
        stored = {"training_data": self.training_data, **stored}
        return write_model(Path(folder), settings, self, **stored)

    def _validate_decoder_options(self) -> None:
        """Builds a small decoder and drops it, so that options that do not fit raise early.

        The real one is built when the vocabulary is known, minutes later. PyTorch's `meta` device
        is not used: its first random number imports a compiler, which takes seconds.
        """
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):  # leaves the state unchanged
            self._new_decoder(5)

    def _new_decoder(self, vocabulary_size: int) -> Decoder:
        return DECODERS.build(
            self.settings["decoder"],
            self.settings["decoder_args"],
            vocabulary_size=vocabulary_size,
            attention=self.settings["attention"],
            attention_args=self.settings["attention_args"] or {},
            grid_width=self.encoder.width,
            coarse_width=self.encoder.coarse_width,
        )


def combine(first: Recognizer, options: EnsembleOptions) -> Predictor:
    """The ensemble of a recogniser with other models and scales.

    Returns:
        `first` itself if the options have no other model and no scale.

    Raises:
        Im2TexError: if a model cannot be loaded, or differs in vocabulary or preprocessing.
    """
    if options.is_single_model:
        return first
    others = [Recognizer.from_stored(read_stored(path)) for path in options.paths]
    for path, other in zip(options.paths, others, strict=True):
        _check_compatible(first, other, path)
    return Ensemble([first, *others], options.scales)


def _check_compatible(first: Recognizer, other: Recognizer, path: str) -> None:
    own, others = first.require_vocabulary().tokens, other.require_vocabulary().tokens
    if own != others:
        only = [repr(t) for t in (*sorted({*own} - {*others}), *sorted({*others} - {*own}))]
        raise Im2TexError(
            f"model.ensemble: {path} was trained with another vocabulary, "
            + (f"{', '.join(only[:5])} only in one" if only else "in another order")
            + ". The models of an ensemble share it: train them on the same split."
        )
    if other.preprocessing != first.preprocessing:
        raise Im2TexError(
            f"model.ensemble: {path} has another preprocessing, {other.preprocessing} and not "
            f"{first.preprocessing}. The models of an ensemble share it."
        )


def _vocabulary(tokens: list[str]) -> Vocabulary:
    try:
        return Vocabulary(tokens)
    except ValueError as error:
        raise Im2TexError(f"model.vocabulary: {error}.") from error
