"""`Im2Tex`, the LightningModule: wires encoder, attention and decoder, optimises, and logs."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from im2tex.checkpoint import initialise, stamp, verify
from im2tex.data.dataset import Batch
from im2tex.data.preprocessing import Preprocessing
from im2tex.decoders import DECODERS, Decoder, Hypothesis, SearchOptions, Targets
from im2tex.decoders.attention_choice import DEFAULT_ATTENTION, choose_attention
from im2tex.decoders.ensemble import likelihood, search
from im2tex.encoders import ENCODERS
from im2tex.ensemble import Company
from im2tex.errors import Im2TexError
from im2tex.grid import Grid, size_mask
from im2tex.idle_options import idle_options
from im2tex.latex.vocabulary import EOS, PAD, UNK, Vocabulary
from im2tex.metrics import FormulaMetrics, Perplexity
from im2tex.optim import OPTIMIZERS, SCHEDULES
from im2tex.pretrained import locate, member, read_model, write_model
from im2tex.reading import Picture, Reading, batches, drawn
from im2tex.registry import check_arguments
from im2tex.split_test import SplitTest, judged

_OF_USE = [
    "init_from",
    "beam_size",
    "length_penalty",
    "output_length",
    "n_best",
    "ensemble",
    "views",
]
"""Settings that say how a model is used, and are none of a checkpoint's."""


@dataclass(frozen=True, slots=True)
class Example:
    """A validation sample to look at: see `callbacks.ValidationPictures`."""

    image: np.ndarray
    gold: Sequence[str]
    prediction: Sequence[str]
    score: float


class Im2Tex(LightningModule):
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

    validation_examples: list[Example]
    tests: dict[str, SplitTest]
    _boxes_awaited = False

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
        self.save_hyperparameters(ignore=_OF_USE)
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
        self.decoder: Decoder | None = None
        self.vocabulary: Vocabulary | None = None
        self.val_perplexity = Perplexity()
        self.val_metrics = FormulaMetrics(prefix="val/")
        self.validation_examples = []
        self.unknown_tokens = 0
        if vocabulary is not None:
            self.bind(Vocabulary(vocabulary))
        else:
            self._try_decoder()
        self._say_idle()

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

    def _new_decoder(self, vocabulary_size: int) -> Decoder:
        """A decoder for this encoder."""
        return DECODERS.build(
            self.hparams["decoder"],
            self.hparams["decoder_args"],
            vocabulary_size=vocabulary_size,
            attention=self.hparams["attention"],
            attention_args=self.hparams["attention_args"] or {},
            grid_width=self.encoder.width,
            coarse_width=self.encoder.coarse_width,
        )

    def _try_decoder(self) -> None:
        """Builds a small decoder and drops it, so that what does not fit is refused at once.

        The vocabulary comes from the data, and to read them may take minutes. Not on PyTorch's
        `meta` device: there the first random number imports a compiler, for seconds.
        """
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):  # as if it had not been
            self._new_decoder(5)

    def _say_idle(self) -> None:
        """Refuses options that would do nothing; warns of them where they came with weights.

        Raises:
            Im2TexError: if there is one in a model that starts from nothing.
        """
        for sentence in idle_options(self.hparams):
            if self.decoder is None and self.init_from is None:
                raise Im2TexError(sentence)
            rank_zero_warn(sentence)

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

    def forward(self, batch: Batch, options: SearchOptions) -> list[list[Hypothesis]]:
        """Reads a batch, in company if there is any: the best hypotheses of each image."""
        return search(self.company.parts(self, batch), options)

    @property
    def search_signature(self) -> str:
        """How it reads, in words, for results to be compared by."""
        options = str(self.search_options)
        return options if self.company.alone else f"{options[:-1]}, {self.company})"

    # ---------------------------------------------------------------- steps

    def on_train_start(self) -> None:
        """Looks for boxes in the first batch, where the decoder learns from them."""
        self._boxes_awaited = self.ready.grounded

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Makes the randomness of a step (dropout, sampling) depend on the step alone."""
        data = getattr(self.trainer, "datamodule", None)
        seed = 0 if data is None else data.hparams["seed"]
        state = f"{seed} {self.global_step} {self.global_rank}"
        torch.manual_seed(zlib.crc32(state.encode()))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One batch of training."""
        if self._boxes_awaited:
            self._boxes_awaited = False
            self._say_if_no_boxes(batch)
        loss, logs = self.ready.loss(self.encode(batch), self.targets(batch))
        size = len(batch.keys)
        self.log("train/loss", loss.detach(), prog_bar=True, batch_size=size)
        for name, value in logs.items():
            if name not in ("nll", "tokens"):
                self.log(f"train/{name}", value, batch_size=size)
        if "nll" in logs:
            self.log("train/nll", logs["nll"] / logs["tokens"], prog_bar=True, batch_size=size)
        return loss

    def _say_if_no_boxes(self, batch: Batch) -> None:
        """Warns of losses that learn from where symbols lie, if a batch says it of none."""
        if batch.boxes is not None and (batch.boxes[:, :, 2] >= batch.boxes[:, :, 0]).any():
            return
        arguments = self.hparams["decoder_args"] or {}
        names = [name for name in ("guided_attention", "symbol_loss") if arguments.get(name)]
        rank_zero_warn(
            f"model.decoder_args: {' and '.join(names)} learn from where each symbol lies, which "
            "the first batch does not say of any; only inks whose strokes are told apart do. If "
            "your data have none, they do nothing: set them to 0."
        )

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """One batch of validation: likelihood, and greedy reading."""
        grid = self.encode(batch)
        _, logs = self.ready.loss(grid, self.targets(batch))
        if "nll" in logs:
            self.val_perplexity.update(logs["nll"], logs["tokens"])
        greedy = SearchOptions(beam_size=1, max_length=self.search_options.max_length)
        readings = [found[0] for found in self.ready.search(grid, greedy)]
        predictions = [self.words.decode(reading.tokens) for reading in readings]
        self.val_metrics.update(judged(predictions, batch), batch.tokens)
        # Taken from both ends of the order of sizes: long formulas first, then short ones.
        room = self.hparams["examples"] - len(self.validation_examples)
        for k in range(min(room, max(1, self.hparams["examples"] // 4), len(batch.keys))):
            height, width = batch.sizes[k].tolist()
            self.validation_examples.append(
                Example(
                    batch.images[k, 0, :height, :width].cpu().numpy(),
                    batch.tokens[k],
                    predictions[k],
                    readings[k].score,
                )
            )

    def on_test_start(self) -> None:
        """Fresh metrics and records for each split to test."""
        names = self.trainer.datamodule.test_splits  # type: ignore[attr-defined]
        self.tests = {name: SplitTest.start(name, self.device) for name in names}
        self._tested = list(names)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """One batch of a test: likelihood of the labels, and reading with the beam."""
        parts = self.company.parts(self, batch)
        logs = likelihood(parts, self.targets(batch))
        found = search(parts, self.search_options)
        self.tests[self._tested[dataloader_idx]].add(batch, found, self.words, logs)

    def on_test_epoch_end(self) -> None:
        """Logs the scores of every split, as `SPLIT/NAME`; `test/NAME` for a split named test."""
        for name, test in self.tests.items():
            self.log_dict({f"{name}/{metric}": value for metric, value in test.compute().items()})

    def predict_step(
        self, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> list[tuple[str, Reading | None]]:
        """Readings of a batch by key; None for a picture that could not be drawn."""
        found = self(batch, self.search_options)
        return [
            (key, None if row in batch.failed else Reading.of(found[row], self.words))
            for row, key in enumerate(batch.keys)
        ]

    def on_validation_epoch_start(self) -> None:
        """Forgets the previous validation's examples."""
        self.validation_examples = []

    def on_validation_epoch_end(self) -> None:
        """Logs the scores of a validation, and moves a learning rate that follows them."""
        perplexity = self.val_perplexity.compute()
        self.log("val/perplexity", perplexity, prog_bar=True)
        if self.trainer.state.fn == TrainerFn.FITTING and not self.trainer.sanity_checking:
            for config in self.trainer.lr_scheduler_configs:
                if isinstance(config.scheduler, ReduceLROnPlateau):
                    config.scheduler.step(perplexity)
        values = self.val_metrics.compute()
        self.log_dict({name: v for name, v in values.items() if name != "val/token_exact"})
        self.log("val/token_exact", values["val/token_exact"], prog_bar=True)
        self.val_perplexity.reset()
        self.val_metrics.reset()

    # ---------------------------------------------------------------- optimisation

    def configure_optimizers(self) -> Any:
        """The optimiser and schedule that the hyper-parameters name."""
        optimizer = self.optimizer.build(self)
        total = float(self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": self.schedule.build(optimizer, total)}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Moves a learning rate by the step; not one that follows the validation.

        Lightning would move that one after the checkpoint of the validation was written, so that
        a run resumed from it had missed a fall, and at every epoch, with a stale score where
        there was no validation. `on_validation_epoch_end` does it instead.
        """
        if metric is None:
            super().lr_scheduler_step(scheduler, metric)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips the gradient's norm at `clip_norm`, and logs what it was."""
        if gradient_clip_val is not None:
            raise Im2TexError("set model.clip_norm, not trainer.gradient_clip_val.")
        limit = self.hparams["clip_norm"] or float("inf")
        norm = nn.utils.clip_grad_norm_(self.parameters(), limit)
        self.log("train/grad_norm", norm)

    # ---------------------------------------------------------------- use

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path) -> Im2Tex:
        """A trained model, ready to read.

        Args:
            name_or_path: one that comes with the package (`im2tex.pretrained.names()`), or a
                folder that `save_pretrained` or `im2tex export` wrote.

        Raises:
            Im2TexError: if there is none, or a file of it cannot be read.
        """
        folder = locate(name_or_path)
        settings, state, reading = read_model(folder)
        others = [str(member(folder, k)) for k in range(1, 1 + reading.get("members", 0))]
        model = cls(**settings, ensemble=others, views=reading.get("views"))
        try:
            model.load_state_dict(state)
        except RuntimeError as error:
            raise Im2TexError(
                f"{folder}: its weights are not those of its settings. Fetch or export the model "
                "again."
            ) from error
        return model.eval()

    def save_pretrained(self, folder: str | Path) -> int:
        """Writes settings and weights, in half precision, for `from_pretrained`.

        With those of the models that it reads with, each in a folder below.

        Returns:
            The size of all weights in bytes.

        Raises:
            Im2TexError: if a weight is beyond half precision, or the folder cannot be written.
        """
        weights = {name for name, _ in self.named_parameters()}
        settings = dict(self.hparams) | {"vocabulary": list(self.words.ordinary)}
        reading: dict[str, Any] = {}
        if not self.company.alone:
            reading = {"views": list(self.company.views), "members": len(self.company.paths)}
        size = write_model(Path(folder), settings, self.state_dict(), weights, reading)
        others = self.company.others(self)
        return size + sum(
            one.save_pretrained(member(Path(folder), k)) for k, one in enumerate(others, 1)
        )

    @torch.inference_mode()
    def transcribe(
        self,
        images: Picture | Sequence[Picture],
        beam_size: int = 5,
        n_best: int = 1,
        length_penalty: float = 0.0,
        max_length: int = 200,
        batch_size: int = 16,
    ) -> list[Reading]:
        """Reads pictures.

        Args:
            images: paths of pictures or InkML files, PIL images, encoded pictures as bytes, or
                uint8 arrays (H, W[, C]); or a single one.
            beam_size: hypotheses kept alive an image; 1 is greedy.
            n_best: readings returned an image.
            length_penalty: see `SearchOptions`.
            max_length: longest output in tokens.
            batch_size: images read at a time.

        Returns:
            A `Reading` an image, in the order given.

        Raises:
            Im2TexError: if a picture cannot be opened or shows nothing, naming it.
        """
        pictures = [images] if isinstance(images, Picture) else list(images)
        options = SearchOptions(beam_size, max_length, length_penalty, n_best)
        shown = [self.drawn(picture) for picture in pictures]
        readings: dict[int, Reading] = {}
        training = self.training
        self.eval()
        try:
            for numbers, batch in batches(shown, batch_size):
                found = self(self.transfer_batch_to_device(batch, self.device, 0), options)
                for number, hypotheses in zip(numbers, found, strict=True):
                    readings[number] = Reading.of(hypotheses, self.words)
        finally:
            self.train(training)
        return [readings[i] for i in range(len(pictures))]

    def drawn(self, picture: Picture) -> np.ndarray:
        """A picture as the model sees it: see `im2tex.reading.drawn`."""
        return drawn(picture, self.preprocessing)


def _check_numbers(
    min_count: int, clip_norm: float, initial_range: float | None, examples: int
) -> None:
    """Refuses what would be noticed late or never, such as a gradient turned round.

    Raises:
        Im2TexError: if a number is out of range.
    """
    if min_count < 1:
        raise Im2TexError(f"model.min_count is at least 1; got {min_count}.")
    if not clip_norm >= 0:
        raise Im2TexError(f"model.clip_norm is at least 0, which is no limit; got {clip_norm}.")
    if initial_range is not None and not 0 < initial_range < float("inf"):
        raise Im2TexError(f"model.initial_range is above 0, or null; got {initial_range}.")
    if examples < 0:
        raise Im2TexError(f"model.examples is at least 0; got {examples}.")
