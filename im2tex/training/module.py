"""`Im2Tex`: the LightningModule that trains, validates and tests a `Recognizer`."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from im2tex.data.dataset import Batch
from im2tex.data.preprocessing import Preprocessing
from im2tex.decoders import Hypothesis, SearchOptions
from im2tex.decoders.attention_choice import DEFAULT_ATTENTION
from im2tex.decoders.ensemble_step import likelihood, search
from im2tex.errors import Im2TexError
from im2tex.evaluation.metrics import FormulaMetrics, Perplexity
from im2tex.evaluation.split_evaluator import SplitEvaluator, mask_failed_predictions
from im2tex.latex.vocabulary import Vocabulary
from im2tex.model.checkpoint import add_format_version, migrate, read_checkpoint
from im2tex.model.checkpoint_contents import NOT_HYPERPARAMETERS, rebuilt
from im2tex.model.ensemble import EnsembleOptions
from im2tex.model.initialization import initialize
from im2tex.model.migration import PREFIX
from im2tex.model.prediction import ImageInput, Prediction
from im2tex.model.predictor import Predictor
from im2tex.model.pretrained import read_stored
from im2tex.model.recognizer import Recognizer, combine
from im2tex.model.unused_options import unused_options
from im2tex.training.access import formula_data
from im2tex.training.optim import OPTIMIZERS, SCHEDULES

GRADIENT_CLIPPING_ERROR = "set model.clip_norm, not trainer.gradient_clip_val."
"""What to do about Lightning's own option for gradient clipping."""


@dataclass(frozen=True, slots=True)
class ValidationExample:
    """A validation sample with its prediction, for `callbacks.ValidationImages`."""

    image: np.ndarray
    gold: Sequence[str]
    prediction: Sequence[str]
    score: float


class Im2Tex(LightningModule):
    """Trains, validates and tests a `Recognizer`.

    Components are chosen by registered name (`im2tex components` lists them), each with a
    dictionary of arguments. Without a vocabulary the decoder is built when a fit starts, from the
    labels of the training split.

    Example:
        >>> model = Im2Tex(encoder="row_cnn", attention="standard", decoder="lstm")
        >>> Trainer(max_epochs=1).fit(model, FormulaDataModule(source="grammar"))

    Args:
        vocabulary: ordinary tokens, in the order of their ids.
        min_count: tokens that occur less often in the training labels become `<unk>`.
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
        initial_range: parameters are initialised uniformly in plus or minus this; PyTorch's own
            initialisation if not given. The paper: 0.05.
        channels_last: memory format of the convolutions; faster on most devices, same result.
        examples: number of validation samples kept for images, see `validation_examples`.
        init_from: checkpoint, model folder or packaged model whose weights a new fit starts from,
            matched by name, and by token where the vocabulary differs. Not stored in checkpoints.
        beam_size: hypotheses kept in test and predict. Not stored in checkpoints.
        length_penalty: see `SearchOptions`. Not stored in checkpoints.
        output_length: longest output in tokens. Not stored in checkpoints.
        n_best: hypotheses returned by `predict`. Not stored in checkpoints.
        ensemble: checkpoints, model folders or packaged models with the same vocabulary and
            preprocessing, which predict together with this model: see `model.ensemble`. Not
            stored in checkpoints.
        views: factors by which each image is resized for the ensemble, such as [0.8, 1.0, 1.25].
            Not stored in checkpoints.

    Attributes:
        recognizer: the model without Lightning.
        ensemble_options: the other models and the scales.
        search_options: options of the beam search in test and predict.
        validation_examples: some samples of the last validation.
        tests: the results of each test split so far.

    Raises:
        Im2TexError: for unknown names, or arguments that do not fit.
    """

    tests: dict[str, SplitEvaluator]
    loaded_from: str | None = None  # model folder, where no checkpoint was loaded
    _check_boxes_on_next_batch = False

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
        self.save_hyperparameters(ignore=list(NOT_HYPERPARAMETERS))
        _check_numbers(min_count, clip_norm, examples)
        self.min_count, self.clip_norm, self.examples = min_count, clip_norm, examples
        self.init_from = init_from
        self.search_options = SearchOptions(beam_size, output_length, length_penalty, n_best)
        self.ensemble_options = EnsembleOptions(ensemble or (), (1.0,) if views is None else views)
        self.optimizer = OPTIMIZERS.build(optimizer, optimizer_args)
        self.schedule = SCHEDULES.build(schedule, schedule_args)
        self.recognizer = Recognizer(
            vocabulary,
            encoder=encoder,
            encoder_args=encoder_args,
            attention=attention,
            attention_args=attention_args,
            decoder=decoder,
            decoder_args=decoder_args,
            preprocessing=preprocessing,
            initial_range=initial_range,
            channels_last=channels_last,
        )
        self.hparams["attention"] = self.recognizer.settings["attention"]
        self.val_perplexity = Perplexity()
        self.val_metrics = FormulaMetrics(prefix="val/")
        self.validation_examples: list[ValidationExample] = []
        self._predictor: tuple[Predictor] | None = None  # a tuple, so that it is no submodule
        if vocabulary is None and init_from is None:
            # Options that came with weights stay as they are: a fit warns of them.
            for message in unused_options(self.hparams):
                raise Im2TexError(message)

    # ---------------------------------------------------------------- parts

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The recogniser's vocabulary; None before a new fit starts."""
        return self.recognizer.vocabulary

    @property
    def preprocessing(self) -> Preprocessing:
        """The recogniser's preprocessing."""
        return self.recognizer.preprocessing

    @property
    def predictor(self) -> Predictor:
        """The recogniser, or the ensemble of it that `ensemble` and `views` ask for.

        Raises:
            Im2TexError: if another model cannot be loaded, or does not fit.
        """
        if self._predictor is None:
            self._predictor = (combine(self.recognizer, self.ensemble_options),)
        return self._predictor[0]

    @property
    def search_signature(self) -> str:
        """The search options and the ensemble, for results to be compared by."""
        options = str(self.search_options)
        ensemble = self.ensemble_options
        return options if ensemble.is_single_model else f"{options[:-1]}, {ensemble})"

    def configure_model(self) -> None:
        """Sets the vocabulary from the training labels, and loads the weights of `init_from`.

        Raises:
            Im2TexError: if there are neither weights nor a training split.
        """
        if self.vocabulary is None:
            if not self.trainer.training and not self.trainer.sanity_checking:
                raise Im2TexError(
                    "this model has no vocabulary and no weights: pass --ckpt_path, or fit first."
                )
            labels = list(formula_data(self.trainer).training_labels())
            vocabulary = Vocabulary.count(labels, self.min_count)
            self.recognizer.set_vocabulary(vocabulary)
            self.hparams["vocabulary"] = list(vocabulary.ordinary)
        if self.init_from and not self.trainer.ckpt_path and self.trainer.training:
            self.print(initialize(self.recognizer, self.init_from))
            self.init_from = None

    # ---------------------------------------------------------------- checkpoints

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Adds the format version."""
        add_format_version(checkpoint)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Migrates checkpoints of older formats; refuses others."""
        migrate(checkpoint, "the checkpoint")

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
        """A model with the hyper-parameters and weights of a checkpoint of any known format.

        Lightning's own method reads the hyper-parameters before a hook can migrate them.

        Args:
            checkpoint_path: of the file.
            map_location: device of the model; the CPU if not given.
            hparams_file: not used, the hyper-parameters are the checkpoint's.
            strict: whether every weight must exist and fit; true if not given.
            weights_only: always so, no code of the file is run.
            **kwargs: arguments that replace the stored hyper-parameters.

        Raises:
            Im2TexError: if it is missing, damaged, or not written by im2tex.
        """
        if hparams_file is not None:
            raise Im2TexError("hparams_file: pass settings as keyword arguments instead.")
        content = read_checkpoint(checkpoint_path)
        settings, state = content["hyper_parameters"], content["state_dict"]
        model = rebuilt(cls, settings, state, str(checkpoint_path), strict is not False, kwargs)
        return model if map_location is None else model.to(map_location)

    @classmethod
    def from_pretrained(cls, name_or_path: str | Path) -> Self:
        """A trained model in eval mode, with the ensemble and scales it was exported with.

        Args:
            name_or_path: a model of the package, or a folder that `im2tex export` wrote.

        Raises:
            Im2TexError: if there is none, or a file of it cannot be read.
        """
        stored = read_stored(name_or_path)
        state = {PREFIX + name: value for name, value in stored.state.items()}
        ensemble = {"ensemble": list(stored.members), "views": list(stored.scales)}
        return rebuilt(cls, stored.settings, state, str(stored.path), use=ensemble).eval()

    def save_pretrained(self, folder: str | Path) -> int:
        """Writes settings and weights, in half precision, for `from_pretrained`.

        Returns:
            The size of all weights in bytes.

        Raises:
            Im2TexError: if a weight exceeds half precision, or the folder cannot be written.
        """
        return self.predictor.save_pretrained(folder)

    # ---------------------------------------------------------------- training

    def on_fit_start(self) -> None:
        """Warns of options without effect that came with a checkpoint."""
        for message in unused_options(self.hparams):
            rank_zero_warn(message)

    def on_train_start(self) -> None:
        """Asks for a check of the first batch if the decoder has losses that need boxes."""
        self._check_boxes_on_next_batch = bool(self.recognizer.require_decoder().alignment_losses)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds dropout and sampling by the step alone, so that a resumed run repeats them."""
        datamodule = getattr(self.trainer, "datamodule", None)
        seed = 0 if datamodule is None else datamodule.hparams["seed"]
        state = f"{seed} {self.global_step} {self.global_rank}"
        torch.manual_seed(zlib.crc32(state.encode()))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        if self._check_boxes_on_next_batch:
            self._check_boxes_on_next_batch = False
            self._warn_if_no_boxes(batch)
        loss, logs = self.recognizer.loss(batch)
        size = len(batch.keys)
        self.log("train/loss", loss.detach(), prog_bar=True, batch_size=size)
        for name, value in logs.items():
            if name not in ("nll", "tokens"):
                self.log(f"train/{name}", value, batch_size=size)
        if "nll" in logs:
            self.log("train/nll", logs["nll"] / logs["tokens"], prog_bar=True, batch_size=size)
        return loss

    def _warn_if_no_boxes(self, batch: Batch) -> None:
        """Warns of losses that need symbol boxes if the batch has none."""
        if batch.boxes is not None and (batch.boxes[:, :, 2] >= batch.boxes[:, :, 0]).any():
            return
        losses = " and ".join(self.recognizer.require_decoder().alignment_losses)
        rank_zero_warn(
            f"{losses} would learn from where symbols lie, and the first batch says that of none. "
            "Only inks whose strokes are assigned to symbols say it. If none of your data do, "
            "nothing is learnt from it: set the weights of these losses to 0."
        )

    # ---------------------------------------------------------------- validation

    def on_validation_epoch_start(self) -> None:
        """Drops the previous validation's examples."""
        self.validation_examples = []

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The likelihood and the greedy prediction of one batch."""
        decoder, grid = self.recognizer.members(batch)[0]
        _, logs = decoder.loss(grid, self.recognizer.targets(batch))
        if "nll" in logs:
            self.val_perplexity.update(logs["nll"], logs["tokens"])
        greedy = SearchOptions(beam_size=1, max_length=self.search_options.max_length)
        best = [found[0] for found in decoder.search(grid, greedy)]
        vocabulary = self.recognizer.require_vocabulary()
        predictions = [vocabulary.decode(one.tokens) for one in best]
        self.val_metrics.update(mask_failed_predictions(predictions, batch), batch.tokens)
        # From both ends of the order of sizes: long formulas first, then short ones.
        missing = self.examples - len(self.validation_examples)
        for k in range(min(missing, max(1, self.examples // 4), len(batch.keys))):
            height, width = batch.sizes[k].tolist()
            image = batch.images[k, 0, :height, :width].cpu().numpy()
            self.validation_examples.append(
                ValidationExample(image, batch.tokens[k], predictions[k], best[k].score)
            )

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics, and steps a learning-rate schedule that follows them."""
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

    # ---------------------------------------------------------------- test and predict

    def forward(self, batch: Batch, options: SearchOptions) -> list[list[Hypothesis]]:
        """The hypotheses of each image of a batch, the best first."""
        return self.predictor.search(batch, options)

    def on_test_start(self) -> None:
        """Starts an evaluation of each test split."""
        names = formula_data(self.trainer).test_splits
        self.tests = {name: SplitEvaluator.start(name, self.device) for name in names}
        self._tested = list(names)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """The likelihood and the beam search of one batch."""
        members = self.predictor.members(batch)
        logs = likelihood(members, self.recognizer.targets(batch))
        found = search(members, self.search_options)
        vocabulary = self.recognizer.require_vocabulary()
        self.tests[self._tested[dataloader_idx]].add(batch, found, vocabulary, logs)

    def on_test_epoch_end(self) -> None:
        """Logs the metrics of every split, as `SPLIT/NAME`."""
        for name, test in self.tests.items():
            self.log_dict({f"{name}/{metric}": value for metric, value in test.compute().items()})

    def predict_step(
        self, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> list[tuple[str, Prediction | None]]:
        """The predictions of a batch by key; None for an image that could not be drawn."""
        found = self(batch, self.search_options)
        vocabulary = self.recognizer.require_vocabulary()
        return [
            (key, None if row in batch.failed else Prediction.of(found[row], vocabulary))
            for row, key in enumerate(batch.keys)
        ]

    def transcribe(
        self, images: ImageInput | Sequence[ImageInput], **options: Any
    ) -> list[Prediction]:
        """Predicts the LaTeX of images: see `Predictor.predict`."""
        return self.predictor.predict(images, **options)

    # ---------------------------------------------------------------- optimisation

    def configure_optimizers(self) -> Any:
        """The optimiser and schedule that the hyper-parameters name."""
        optimizer = self.optimizer.build(self)
        total = float(self.trainer.estimated_stepping_batches)
        return {"optimizer": optimizer, "lr_scheduler": self.schedule.build(optimizer, total)}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Steps a schedule by the step; not one that follows the validation.

        Lightning would step that one after the validation's checkpoint was written, so that a run
        resumed from it lacks the step, and at every epoch, with an old score where there was no
        validation. `on_validation_epoch_end` does it instead.
        """
        if metric is None:
            super().lr_scheduler_step(scheduler, metric)

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clips the gradient's norm at `clip_norm`, and logs the norm before."""
        if gradient_clip_val is not None:
            raise Im2TexError(GRADIENT_CLIPPING_ERROR)
        norm = nn.utils.clip_grad_norm_(self.parameters(), self.clip_norm or float("inf"))
        self.log("train/grad_norm", norm)


def _check_numbers(min_count: int, clip_norm: float, examples: int) -> None:
    """Refuses values that would fail late or silently.

    Raises:
        Im2TexError: if a number is out of range.
    """
    numbers = {"min_count": min_count, "clip_norm": clip_norm, "examples": examples}
    for name, value in numbers.items():
        if not isinstance(value, int | float):
            raise Im2TexError(f"model.{name} must be a number, got {value!r}.")
    if min_count < 1:
        raise Im2TexError(f"model.min_count must be at least 1, got {min_count}.")
    if not clip_norm >= 0:
        raise Im2TexError(f"model.clip_norm must be >= 0 (0: no clipping), got {clip_norm}.")
    if examples < 0:
        raise Im2TexError(f"model.examples must be at least 0, got {examples}.")
