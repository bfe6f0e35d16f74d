"""`Im2Tex`, the LightningModule: wires encoder, attention and decoder, optimises, and logs."""

from __future__ import annotations

import inspect
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from PIL import Image
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from im2tex.attention import ATTENTIONS
from im2tex.checkpoint import initialise, stamp, verify
from im2tex.data.dataset import Batch, stack
from im2tex.data.preprocessing import Preprocessing
from im2tex.decoders import DECODERS, Decoder, Hypothesis, SearchOptions, Targets
from im2tex.decoders.base import NO_ATTENTION
from im2tex.encoders import ENCODERS
from im2tex.errors import Im2TexError
from im2tex.grid import Grid, size_mask
from im2tex.ink.inkml import InkmlError, read_inkml
from im2tex.latex.vocabulary import EOS, PAD, UNK, Vocabulary
from im2tex.metrics import FormulaMetrics, Perplexity
from im2tex.optim import OPTIMIZERS, SCHEDULES
from im2tex.pretrained import locate, read_model, write_model
from im2tex.registry import check_arguments
from im2tex.report.results import SampleResult

Picture = str | Path | bytes | Image.Image | np.ndarray


class Reading(NamedTuple):
    """What a model reads in one picture.

    A named tuple, because Lightning rebuilds what `predict_step` returns and refuses frozen
    dataclasses.

    Attributes:
        latex: the best reading, tokens joined by spaces.
        tokens: the same as a list.
        score: what it was ranked by: log p, nats, by length where a length penalty is set.
        finished: whether it ended by itself within the length limit.
        n_best: the best readings with their scores, the best first.
    """

    latex: str
    tokens: list[str]
    score: float
    finished: bool
    n_best: list[tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Example:
    """A validation sample to look at: see `callbacks.ValidationPictures`."""

    image: np.ndarray
    gold: Sequence[str]
    prediction: Sequence[str]
    score: float


@dataclass
class SplitTest:
    """A test of one split, as it goes on in one process.

    Attributes:
        name: of the split.
        perplexity: of the labels.
        metrics: of the predictions.
        records: a record a sample.
        unfinished: hypotheses cut off at the length limit.
        scores: the final values by name, over all processes.
    """

    name: str
    perplexity: Perplexity
    metrics: FormulaMetrics
    records: list[SampleResult] = field(default_factory=list)
    unfinished: int = 0
    scores: dict[str, float] = field(default_factory=dict)


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

    Raises:
        Im2TexError: for unknown names, or arguments that do not fit.
    """

    validation_examples: list[Example]
    tests: dict[str, SplitTest]

    def __init__(
        self,
        vocabulary: list[str] | None = None,
        min_count: int = 1,
        encoder: str = "row_cnn",
        encoder_args: dict[str, Any] | None = None,
        attention: str = "standard",
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
    ) -> None:
        super().__init__()
        self.save_hyperparameters(
            ignore=["init_from", "beam_size", "length_penalty", "output_length", "n_best"]
        )
        self.init_from = init_from
        self.search_options = SearchOptions(beam_size, output_length, length_penalty, n_best)
        self.encoder = ENCODERS.build(encoder, encoder_args)
        # A stride in the arguments would only repeat what the encoder says.
        settings = {**(preprocessing or {}), "stride": self.encoder.stride}
        self.preprocessing = Preprocessing(
            **check_arguments("preprocessing", Preprocessing, settings)
        )
        self.optimizer = OPTIMIZERS.build(optimizer, optimizer_args)
        self.schedule = SCHEDULES.build(schedule, schedule_args)
        # What is built only once there is a vocabulary is checked now, before any data is read.
        DECODERS.check(decoder, decoder_args)
        self.hparams["attention"] = _attention_of(decoder, attention, attention_args)
        self.decoder: Decoder | None = None
        self.vocabulary: Vocabulary | None = None
        self.val_perplexity = Perplexity()
        self.val_metrics = FormulaMetrics(prefix="val/")
        self.validation_examples = []
        self.unknown_tokens = 0
        if vocabulary is not None:
            self.bind(Vocabulary(vocabulary))

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
        self.decoder = DECODERS.build(
            self.hparams["decoder"],
            self.hparams["decoder_args"],
            vocabulary_size=len(vocabulary),
            attention=self.hparams["attention"],
            attention_args=self.hparams["attention_args"] or {},
            grid_width=self.encoder.width,
            coarse_width=self.encoder.coarse_width,
        )
        reach = self.hparams["initial_range"]
        if reach is not None:
            for parameter in self.parameters():
                nn.init.uniform_(parameter, -reach, reach)
        if self.hparams["channels_last"]:
            self.encoder.to(memory_format=torch.channels_last)

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
        """Reads a batch: the best hypotheses of each image."""
        return self.ready.search(self.encode(batch), options)

    # ---------------------------------------------------------------- steps

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Makes the randomness of a step (dropout, sampling) depend on the step alone."""
        data = getattr(self.trainer, "datamodule", None)
        seed = 0 if data is None else data.hparams["seed"]
        state = f"{seed} {self.global_step} {self.global_rank}"
        torch.manual_seed(zlib.crc32(state.encode()))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One batch of training."""
        loss, logs = self.ready.loss(self.encode(batch), self.targets(batch))
        size = len(batch.keys)
        self.log("train/loss", loss.detach(), prog_bar=True, batch_size=size)
        for name, value in logs.items():
            if name not in ("nll", "tokens"):
                self.log(f"train/{name}", value, batch_size=size)
        if "nll" in logs:
            self.log("train/nll", logs["nll"] / logs["tokens"], prog_bar=True, batch_size=size)
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """One batch of validation: likelihood, and greedy reading."""
        grid = self.encode(batch)
        _, logs = self.ready.loss(grid, self.targets(batch))
        if "nll" in logs:
            self.val_perplexity.update(logs["nll"], logs["tokens"])
        greedy = SearchOptions(beam_size=1, max_length=self.search_options.max_length)
        readings = [found[0] for found in self.ready.search(grid, greedy)]
        predictions = [self.words.decode(reading.tokens) for reading in readings]
        self.val_metrics.update(_judged(predictions, batch), batch.tokens)
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
        self.tests = {
            name: SplitTest(name, Perplexity().to(self.device), FormulaMetrics().to(self.device))
            for name in names
        }
        self._tested = list(names)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """One batch of a test: likelihood of the labels, and reading with the beam."""
        test = self.tests[self._tested[dataloader_idx]]
        grid = self.encode(batch)
        _, logs = self.ready.loss(grid, self.targets(batch))
        if "nll" in logs:
            test.perplexity.update(logs["nll"], logs["tokens"])
        found = self.ready.search(grid, self.search_options)
        predictions = [self.words.decode(one[0].tokens) for one in found]
        judged = _judged(predictions, batch)
        test.metrics.update(judged, batch.tokens)
        for row, gold in enumerate(batch.tokens):
            best, drawn = found[row][0], row not in batch.failed
            test.unfinished += not best.finished
            record = SampleResult.of(
                batch.keys[row],
                gold,
                predictions[row] if drawn else None,
                failed_at=None if judged[row] is not None else "score" if drawn else "draw",
                score=best.score,
                reason=batch.failed.get(row),
                finished=best.finished,
                **(_lookups(best) if drawn else {}),
            )
            if judged[row] is None:
                record = replace(record, verdicts={**record.verdicts, "token_exact": False})
            test.records.append(record)

    def on_test_epoch_end(self) -> None:
        """Logs the scores of every split, as `SPLIT/NAME`; `test/NAME` for a split named test."""
        for name, test in self.tests.items():
            values = test.metrics.compute() | {"perplexity": test.perplexity.compute()}
            test.scores = {metric: float(value) for metric, value in values.items()}
            self.log_dict({f"{name}/{metric}": value for metric, value in test.scores.items()})

    def predict_step(
        self, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> list[tuple[str, Reading | None]]:
        """Readings of a batch by key; None for a picture that could not be drawn."""
        found = self(batch, self.search_options)
        return [
            (key, None if row in batch.failed else self.reading(found[row]))
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
        settings, state = read_model(locate(name_or_path))
        model = cls(**settings)
        model.load_state_dict(state)
        return model.eval()

    def save_pretrained(self, folder: str | Path) -> int:
        """Writes settings and weights, in half precision, for `from_pretrained`.

        Returns:
            The size of the weights in bytes.

        Raises:
            Im2TexError: if a weight is beyond half precision, or the folder cannot be written.
        """
        weights = {name for name, _ in self.named_parameters()}
        settings = dict(self.hparams) | {"vocabulary": list(self.words.ordinary)}
        return write_model(Path(folder), settings, self.state_dict(), weights)

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
        drawn = [self.drawn(picture) for picture in pictures]
        order = sorted(range(len(drawn)), key=lambda i: drawn[i].size)
        readings: dict[int, Reading] = {}
        training = self.training
        self.eval()
        try:
            for start in range(0, len(order), batch_size):
                chosen = order[start : start + batch_size]
                parts = stack([drawn[i] for i in chosen])
                batch = Batch(
                    [str(i) for i in chosen],
                    parts["images"].to(self.device),
                    parts["sizes"].to(self.device),
                    [()] * len(chosen),
                )
                for i, found in zip(chosen, self(batch, options), strict=True):
                    readings[i] = self.reading(found)
        finally:
            self.train(training)
        return [readings[i] for i in range(len(pictures))]

    def reading(self, hypotheses: Sequence[Hypothesis]) -> Reading:
        """What the hypotheses of one image say."""
        texts = [self.words.decode(one.tokens) for one in hypotheses]
        best = hypotheses[0]
        return Reading(
            " ".join(texts[0]),
            texts[0],
            best.score,
            best.finished,
            [(" ".join(text), one.score) for text, one in zip(texts, hypotheses, strict=True)],
        )

    def drawn(self, picture: Picture) -> np.ndarray:
        """A picture as the model sees it, (H, W) uint8, ink 255 on 0.

        Raises:
            Im2TexError: if it cannot be opened or shows nothing, naming it.
        """
        if not isinstance(picture, str | Path):
            return self.preprocessing.picture(picture).image
        try:
            if Path(picture).suffix.lower() == ".inkml":
                return self.preprocessing.draw(read_inkml(picture).ink).image
            return self.preprocessing.picture(Path(picture).read_bytes()).image
        except OSError as error:
            raise Im2TexError(f"cannot open {picture}: {error.strerror or error}.") from error
        except InkmlError:  # names its file
            raise
        except Im2TexError as error:
            raise Im2TexError(f"{picture}: {error}") from error


def _attention_of(decoder: str, attention: str, arguments: dict[str, Any] | None) -> str:
    """The attention that a decoder works with, checked; `none` for a decoder that takes none.

    Such a decoder finds the default name where nothing was set, which is not worth an error.

    Raises:
        Im2TexError: if they do not fit.
    """
    accepted = DECODERS.get(decoder).attentions
    if accepted == ():
        default = inspect.signature(Im2Tex).parameters["attention"].default
        if attention not in (NO_ATTENTION, default) or arguments:
            given = f"'{attention}'" + (f" with {arguments}" if arguments else "")
            raise Im2TexError(
                f"decoder '{decoder}' takes no attention, but model.attention is {given}: leave "
                "model.attention and model.attention_args out."
            )
        return NO_ATTENTION
    if attention == NO_ATTENTION or (accepted is not None and attention not in accepted):
        fit = ATTENTIONS.names() if accepted is None else accepted
        raise Im2TexError(
            f"decoder '{decoder}' takes attention {' or '.join(fit)}, not '{attention}'. Set "
            "model.attention."
        )
    ATTENTIONS.check(attention, arguments)
    return attention


def _lookups(reading: Hypothesis) -> dict[str, int]:
    """Cells that the attention scored over a reading's steps, and the number of these."""
    if reading.lookups is None:
        return {}
    coarse, fine = reading.lookups
    return {"lookups_coarse": coarse, "lookups_fine": fine, "steps": reading.steps}


def _judged(predictions: Sequence[list[str]], batch: Batch) -> list[list[str] | None]:
    """Predictions, but None, which is always wrong, where nothing was drawn or there is no label.

    An empty reading would else be right for a blank image or a sample without a label.
    """
    return [
        prediction if tokens and row not in batch.failed else None
        for row, (prediction, tokens) in enumerate(zip(predictions, batch.tokens, strict=True))
    ]
