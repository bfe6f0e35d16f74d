"""`Network`: an encoder and, once there is a vocabulary, a decoder for it."""

from __future__ import annotations

from typing import Any, Self

import torch
from lightning.pytorch import LightningModule
from torch import nn

from im2tex.data.dataset import Batch
from im2tex.data.preprocessing import Preprocessing
from im2tex.decoders import DECODERS, Decoder, SearchOptions, Targets
from im2tex.encoders import Encoder
from im2tex.errors import Im2TexError
from im2tex.grid import Grid, size_mask
from im2tex.latex.vocabulary import EOS, PAD, UNK, Vocabulary
from im2tex.model.checkpoint import initialise, load, stamp, verify
from im2tex.model.checkpoint_contents import rebuilt


class Network(LightningModule):
    """The parts that `Im2Tex` chose: bound to a vocabulary, kept in checkpoints, given batches.

    Attributes:
        encoder: made with the model.
        decoder: made for a vocabulary; None before there is one.
        vocabulary: given, or counted in the training split when a fit starts.
        preprocessing: how pictures are drawn for the encoder.
        init_from: checkpoint that a fresh fit starts from; None once it has.
        search_options: how it reads.
        unknown_tokens: how many tokens of labels the vocabulary did not have.
    """

    encoder: Encoder
    decoder: Decoder | None
    vocabulary: Vocabulary | None
    preprocessing: Preprocessing
    init_from: str | None
    search_options: SearchOptions
    unknown_tokens: int

    # ---------------------------------------------------------------- construction

    def bind(self, vocabulary: Vocabulary) -> None:
        """Builds the decoder for a vocabulary; once.

        Raises:
            Im2TexError: if the model is bound already, or decoder and attention do not fit.
        """
        if self.decoder is not None:
            raise Im2TexError("this model already has a vocabulary")
        self.vocabulary = vocabulary
        self.hparams["vocabulary"] = list(vocabulary.ordinary)
        self.decoder = self._new_decoder(len(vocabulary))
        reach = self.hparams["initial_range"]
        if reach is not None:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -reach, reach)
        if self.hparams["channels_last"]:
            self.encoder.to(memory_format=torch.channels_last)

    def try_decoder(self) -> None:
        """Builds a small decoder and drops it, so that what does not fit is refused at once.

        The vocabulary comes from the data, and to read them may take minutes. Not on PyTorch's
        `meta` device: there the first random number imports a compiler, for seconds.

        Raises:
            Im2TexError: if decoder and attention do not fit.
        """
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):  # as if it had not been
            self._new_decoder(5)

    def _new_decoder(self, vocabulary_size: int) -> Decoder:
        return DECODERS.build(
            self.hparams["decoder"],
            self.hparams["decoder_args"],
            vocabulary_size=vocabulary_size,
            attention=self.hparams["attention"],
            attention_args=self.hparams["attention_args"] or {},
            grid_width=self.encoder.width,
            coarse_width=self.encoder.coarse_width,
        )

    def configure_model(self) -> None:
        """Binds a fresh model to the labels of the training split, then starts from `init_from`.

        Raises:
            Im2TexError: if there are neither weights nor a training split to learn from.
        """
        if self.decoder is None:
            if not self.trainer.training and not self.trainer.sanity_checking:
                raise Im2TexError(
                    "this model has no vocabulary and no weights: pass --ckpt_path, or fit first."
                )
            data = self.trainer.datamodule  # type: ignore[attr-defined]
            labels = list(data.training_labels())
            self.bind(Vocabulary.count(labels, self.hparams["min_count"]))
        if self.init_from and not self.trainer.ckpt_path and self.trainer.training:
            self.print(initialise(self, self.init_from))
            self.init_from = None

    @property
    def ready(self) -> Decoder:
        """The decoder.

        Raises:
            Im2TexError: before the vocabulary is known.
        """
        if self.decoder is None:
            raise Im2TexError(
                "this model has no vocabulary yet: pass one, load a checkpoint, or fit it."
            )
        return self.decoder

    @property
    def words(self) -> Vocabulary:
        """The vocabulary.

        Raises:
            Im2TexError: before it is known.
        """
        if self.vocabulary is None:
            raise Im2TexError("this model has no vocabulary yet: pass one, or load a checkpoint.")
        return self.vocabulary

    # ---------------------------------------------------------------- checkpoints

    @classmethod
    def load_from_checkpoint(
        cls,
        checkpoint_path: Any,
        map_location: Any = None,
        hparams_file: Any = None,
        strict: bool | None = None,
        weights_only: bool | None = None,
        **kwargs: Any,
    ) -> Self:
        """A model of a checkpoint's settings, with its weights.

        Args:
            checkpoint_path: of the file.
            map_location: device of the model; the CPU if not given.
            hparams_file: not used, the settings are the checkpoint's.
            strict: whether every weight must be there and fit; true if not given.
            weights_only: always so, nothing of the file is run.
            **kwargs: settings that win over the checkpoint's.

        Raises:
            Im2TexError: if it is missing, damaged, or not ours.
        """
        if hparams_file is not None:
            raise Im2TexError("hparams_file: pass settings as keyword arguments instead.")
        content = load(checkpoint_path)
        settings, state = content["hyper_parameters"], content["state_dict"]
        where, whole = str(checkpoint_path), strict is not False
        model = rebuilt(cls, settings, state, where, whole, kwargs)
        return model if map_location is None else model.to(map_location)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the format version."""
        stamp(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses checkpoints of another format."""
        verify(checkpoint, "the checkpoint")

    # ---------------------------------------------------------------- batches

    def encode(self, batch: Batch) -> Grid:
        """The grid of a batch."""
        images = batch.images.to(self.dtype) / 255  # (B, 1, H, W)
        if self.hparams["channels_last"]:
            images = images.contiguous(memory_format=torch.channels_last)
        grid: Grid = self.encoder(images, size_mask(batch.sizes, *images.shape[2:]))
        return grid

    def targets(self, batch: Batch) -> Targets:
        """The labels of a batch as numbers; unknown tokens are counted in `unknown_tokens`."""
        rows = [[*self.words.encode(tokens), EOS] for tokens in batch.tokens]
        self.unknown_tokens += sum(row.count(UNK) for row in rows)
        length = max(map(len, rows))
        tokens = torch.tensor([row + [PAD] * (length - len(row)) for row in rows])
        return Targets(tokens.to(self.device), batch.boxes)  # (B, T)
