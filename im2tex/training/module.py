"""`Im2Tex`: the LightningModule that trains, validates and tests a `Recognizer`."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

from im2tex.data.dataset import Batch, FormulaDataset
from im2tex.data.licences import describe_licences
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.store import Split
from im2tex.decoders import Hypothesis, SearchOptions
from im2tex.decoders.attention_choice import DEFAULT_ATTENTION
from im2tex.decoders.ensemble_step import likelihood, search
from im2tex.errors import Im2TexError
from im2tex.evaluation.metrics.formula_metrics import FormulaMetrics
from im2tex.evaluation.metrics.perplexity import Perplexity
from im2tex.evaluation.sample_scores import score_sample
from im2tex.evaluation.split_evaluator import SplitEvaluator
from im2tex.latex.vocabulary import Vocabulary
from im2tex.model.checkpoint_contents import NOT_HYPERPARAMETERS
from im2tex.model.ensemble import EnsembleOptions
from im2tex.model.image_input import ImageInput
from im2tex.model.initialization import extended_vocabulary, initialize, read_initial
from im2tex.model.prediction import Prediction
from im2tex.model.predictor import Predictor
from im2tex.model.recognizer import Recognizer, combine
from im2tex.model.unused_options import unused_options
from im2tex.renames import component_attribute
from im2tex.training.access import formula_data
from im2tex.training.base_module import BaseModule
from im2tex.training.examples import ValidationExample
from im2tex.training.optim import OPTIMIZERS, SCHEDULES


class Im2Tex(BaseModule):
    """Trains, validates and tests a `Recognizer`.

    Components are chosen by registered name (see `im2tex components`), each with a dictionary of
    arguments. Without a vocabulary, the decoder is built from the labels of the training split
    when a fit starts.

    Hooks of Lightning that are implemented, besides those of `BaseModule`: `configure_model`;
    `on_fit_start`, `on_train_start`, `on_train_batch_start`; `on_validation_epoch_start`,
    `on_validation_epoch_end`; `on_test_start`, `on_test_epoch_end`; and the steps of training,
    validation, test and prediction.

    Example:
        >>> model = Im2Tex(encoder="row_cnn", attention="standard", decoder="lstm")
        >>> Trainer(max_epochs=1).fit(model, FormulaDataModule(source="grammar"))

    Args:
        vocabulary: ordinary tokens, in the order of their ids.
        min_count: tokens with fewer occurrences in the training labels become `<unk>`.
        encoder: name of the encoder.
        encoder_args: its arguments.
        attention: name of the attention; `none` or the default for a decoder without attention.
        attention_args: its arguments.
        decoder: name of the decoder.
        decoder_args: its arguments.
        preprocessing: arguments of `Preprocessing`.
        optimizer: name of the optimiser.
        optimizer_args: its arguments.
        schedule: name of the learning-rate schedule.
        schedule_args: its arguments.
        clip_norm: largest gradient norm; 0 disables clipping.
        init_range: parameters are initialised uniformly in [-init_range, init_range], 0.05 in the
            paper; with PyTorch's default initialisation if not given.
        channels_last: whether convolutions use the memory format `torch.channels_last`, which is
            faster on most devices.
        num_validation_examples: number of validation samples kept in `validation_examples`.
        init_from: checkpoint, model folder or packaged model whose weights initialise a new fit,
            matched by name, and by token if the vocabulary differs. Without `vocabulary`, its
            tokens are kept, followed by new ones of the training labels. Not stored in checkpoints.
        beam_size: beam size in test and predict. Not stored in checkpoints.
        length_penalty: exponent, see `SearchOptions`. Not stored in checkpoints.
        max_length: longest prediction in tokens. Not stored in checkpoints.
        n_best: number of hypotheses returned by `predict`. Not stored in checkpoints.
        ensemble: checkpoints, model folders or packaged models with the same vocabulary and
            preprocessing, whose probabilities are averaged with this model's: see
            `model.ensemble`. Not stored in checkpoints.
        tta_scales: scales of each image for test-time augmentation, such as [0.8, 1.0, 1.25]. Not
            stored in checkpoints.

    Attributes:
        recognizer: the model without Lightning.
        ensemble_options: the other models, and the scales.
        search_options: options of the beam search in test and predict.
        validation_examples: some samples of the last validation.
        tests: the evaluator of each test split.

    Raises:
        Im2TexError: for unknown names, or arguments out of range.
    """

    tests: dict[str, SplitEvaluator]
    loaded_from: str | None = None  # model folder, if no checkpoint was loaded
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
        init_range: float | None = None,
        channels_last: bool = False,
        num_validation_examples: int = 8,
        init_from: str | None = None,
        beam_size: int = 5,
        length_penalty: float = 0.0,
        max_length: int = 200,
        n_best: int = 1,
        ensemble: list[str] | None = None,
        tta_scales: list[float] | None = None,
    ) -> None:
        super().__init__()
        self.save_hyperparameters(ignore=list(NOT_HYPERPARAMETERS))
        _check_ranges(min_count, clip_norm, num_validation_examples)
        self.min_count = min_count
        self.clip_norm = clip_norm
        self.num_validation_examples = num_validation_examples
        self.init_from = init_from
        self.search_options = SearchOptions(beam_size, max_length, length_penalty, n_best)
        scales = (1.0,) if tta_scales is None else tta_scales
        self.ensemble_options = EnsembleOptions(ensemble or (), scales)
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
            init_range=init_range,
            channels_last=channels_last,
        )
        self.hparams["attention"] = self.recognizer.settings["attention"]
        self.val_perplexity = Perplexity()
        self.val_metrics = FormulaMetrics(prefix="val/")
        self.validation_examples: list[ValidationExample] = []
        self._predictor: tuple[Predictor] | None = None  # in a tuple: not a submodule
        if vocabulary is None and init_from is None:
            # Settings of loaded weights cannot be changed: `on_fit_start` warns instead.
            for message in unused_options(self.hparams):
                raise Im2TexError(message)

    # ---------------------------------------------------------------- model

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
        """The recogniser, or its ensemble with the models and scales of `ensemble_options`.

        Raises:
            Im2TexError: if another model cannot be loaded or is not compatible.
        """
        if self._predictor is None:
            self._predictor = (combine(self.recognizer, self.ensemble_options),)
        return self._predictor[0]

    @property
    def search_signature(self) -> str:
        """The search options and the ensemble, as stored with results."""
        options = str(self.search_options)
        ensemble = self.ensemble_options
        return options if ensemble.is_single_model else f"{options[:-1]}, {ensemble})"

    def configure_model(self) -> None:
        """Makes the vocabulary from the training labels, and loads the weights of `init_from`.

        Raises:
            Im2TexError: if there is no vocabulary outside a fit.
        """
        starts = self.trainer.training and not self.trainer.ckpt_path
        initial = read_initial(self.init_from) if self.init_from and starts else None
        if self.vocabulary is None:
            if not self.trainer.training and not self.trainer.sanity_checking:
                raise Im2TexError(
                    "this model has no vocabulary and no weights: pass --ckpt_path, or fit first."
                )
            counts = formula_data(self.trainer).training_token_counts()
            vocabulary = Vocabulary.of_counts(counts, self.min_count)
            if initial is not None:
                vocabulary = extended_vocabulary(initial, vocabulary)
            self.recognizer.set_vocabulary(vocabulary)
            self.hparams["vocabulary"] = list(vocabulary.ordinary)
        if initial is not None:
            self.print(initialize(self.recognizer, initial))
            self.init_from = None

    # ---------------------------------------------------------------- training

    def on_fit_start(self) -> None:
        """Warns of options of a checkpoint that have no effect."""
        for message in unused_options(self.hparams):
            rank_zero_warn(message)

    def on_train_start(self) -> None:
        """Records the training data; requests a check of the first batch for symbol boxes."""
        self._check_boxes_on_next_batch = True
        dataset = getattr(self.trainer.train_dataloader, "dataset", None)
        samples = dataset.samples if isinstance(dataset, FormulaDataset) else None
        if isinstance(samples, Split):
            data = [*self.recognizer.training_data, *describe_licences(samples.metadata)]
            self.recognizer.training_data = list(dict.fromkeys(data))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds dropout and sampling by the step, so that a resumed run repeats them."""
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
        decoder = self.recognizer.require_decoder()
        losses: tuple[str, ...] = component_attribute(decoder, "alignment_losses", "grounded")
        has_boxes = batch.boxes is not None and (batch.boxes[..., 2] >= batch.boxes[..., 0]).any()
        if has_boxes or not losses:
            return
        rank_zero_warn(
            f"the first batch has no symbol boxes for {' and '.join(losses)}: only ink whose "
            "strokes are annotated with symbols has boxes. If none of your data has annotations, "
            "set the weights of these losses to 0."
        )

    # ---------------------------------------------------------------- validation

    def on_validation_epoch_start(self) -> None:
        """Removes the examples of the previous validation."""
        self.validation_examples = []

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Computes likelihood and greedy predictions of one batch."""
        decoder, grid = self.recognizer.members(batch)[0]
        _, logs = decoder.loss(grid, self.recognizer.targets(batch))
        if "nll" in logs:
            self.val_perplexity.update(logs["nll"], logs["tokens"])
        greedy = SearchOptions(beam_size=1, max_length=self.search_options.max_length)
        best = [found[0] for found in decoder.search(grid, greedy)]
        vocabulary = self.recognizer.require_vocabulary()
        predictions = [vocabulary.decode(hypothesis.tokens) for hypothesis in best]
        self.val_metrics.update(
            score_sample(None if row in batch.failed else predictions[row], gold)
            for row, gold in enumerate(batch.tokens)
        )
        # Batches come from large to small images: each gives some, so that sizes differ.
        missing = self.num_validation_examples - len(self.validation_examples)
        count = min(missing, max(1, self.num_validation_examples // 4), len(batch.keys))
        self.validation_examples += [
            ValidationExample.from_batch(batch, row, predictions[row], best[row].score)
            for row in range(count)
        ]

    def on_validation_epoch_end(self) -> None:
        """Logs the metrics, and steps a schedule that depends on them."""
        perplexity = self.val_perplexity.compute()
        self.log("val/perplexity", perplexity, prog_bar=True)
        self.step_plateau_schedules(perplexity)
        values = self.val_metrics.compute()
        self.log_dict({name: v for name, v in values.items() if name != "val/token_exact"})
        self.log("val/token_exact", values["val/token_exact"], prog_bar=True)
        self.val_perplexity.reset()
        self.val_metrics.reset()

    # ---------------------------------------------------------------- test and predict

    def forward(self, batch: Batch, options: SearchOptions) -> list[list[Hypothesis]]:
        """The hypotheses for each image of a batch, sorted by score, best first."""
        return self.predictor.search(batch, options)

    def on_test_start(self) -> None:
        """Creates an evaluator for each test split."""
        names = formula_data(self.trainer).test_splits
        self.tests = {name: SplitEvaluator.on(self.device) for name in names}
        self._tested = list(names)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Computes likelihood and beam search of one batch."""
        members = self.predictor.members(batch)
        logs = likelihood(members, self.recognizer.targets(batch))
        found = search(members, self.search_options)
        vocabulary = self.recognizer.require_vocabulary()
        self.tests[self._tested[dataloader_idx]].add(batch, found, vocabulary, logs)

    def on_test_epoch_end(self) -> None:
        """Logs the metrics of each split as `SPLIT/NAME`."""
        for name, test in self.tests.items():
            self.log_dict({f"{name}/{metric}": value for metric, value in test.compute().items()})

    def predict_step(
        self, batch: Batch, batch_idx: int, dataloader_idx: int = 0
    ) -> list[tuple[str, Prediction | None]]:
        """Pairs of key and prediction; None as prediction of an image that failed to load."""
        found = self(batch, self.search_options)
        vocabulary = self.recognizer.require_vocabulary()
        return [
            (key, None if row in batch.failed else Prediction.of(found[row], vocabulary))
            for row, key in enumerate(batch.keys)
        ]

    def transcribe(
        self, images: ImageInput | Sequence[ImageInput], **options: Any
    ) -> list[Prediction]:
        """Predicts the LaTeX of images; see `Predictor.predict` for the options."""
        return self.predictor.predict(images, **options)


def _check_ranges(min_count: int, clip_norm: float, num_validation_examples: int) -> None:
    """Checks the numbers of a module.

    Raises:
        Im2TexError: if one is out of range.
    """
    minimum = {"min_count": 1, "clip_norm": 0, "num_validation_examples": 0}
    values = (min_count, clip_norm, num_validation_examples)
    for (name, bound), value in zip(minimum.items(), values, strict=True):
        if not isinstance(value, int | float):
            raise Im2TexError(f"model.{name} must be a number, got {value!r}.")
        if not value >= bound:
            hint = " (0 disables clipping)" if name == "clip_norm" else ""
            raise Im2TexError(f"model.{name} must be >= {bound}{hint}, got {value}.")
