"""CTC over the columns of the grid: the paper's baseline "CTC", the CRNN of Shi et al. 2017.

The loss is that of Graves et al. 2006, -log p(y) with

    p(y) = sum over alignments a of y, prod over t of p(a_t | column t).

The network is that of Shi, Bai and Yao, *An End-to-End Trainable Neural Network for Image-Based
Sequence Recognition* (TPAMI 2017): features of the columns from left to right, two bidirectional
LSTMs, a softmax over tokens and a blank for each time step. Differences: the rows of the grid are
pooled by a maximum over the rows of the image, since images of formulas have no fixed height (the
row encoder may encode the row in the features); and a column may have several time steps.

The blank is `PAD`, so that the rows of all vocabulary parameters are those of the vocabulary.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from im2tex.decoders.base import DECODERS, Decoder, Targets
from im2tex.decoders.beam_search import Hypothesis, SearchOptions, log_softmax
from im2tex.decoders.ctc_prefix_search import prefix_search
from im2tex.encoders.row_encoder import RowEncoder
from im2tex.grid import Grid
from im2tex.latex.vocabulary import BOS, EOS, PAD, UNK
from im2tex.utils.checks import check_at_least, check_fractions


@DECODERS.register("ctc")
class CTCDecoder(Decoder):
    """CTC over columns with prefix beam search; the defaults are CRNN's sizes. Takes no attention.

    A label needs one time step for each token, and one more between two equal ones. Labels longer
    than the image has time steps cannot be predicted; they are skipped in training and counted as
    `skipped` in its logs. A label ends where the image ends: -log p(y) is the likelihood of the
    whole label, so that perplexity has the same number of tokens as with other decoders, ends
    included. It is infinite if one label of a split is too long; the best epoch must then be
    chosen by another metric, as in `configs/im2latex_ctc.yaml`.

    Args:
        vocabulary_size: V, given by the model.
        grid_width: D of the grid, given by the encoder.
        upsample: time steps of a column. The paper's encoder has columns of 8 pixels, so that 2
            gives CRNN's time step of 4 pixels.
        pool: `max` or `mean` over the rows of a column.
        hidden_size: of each bidirectional LSTM, both directions together; even.
        num_layers: number of these LSTMs.
        dropout: on the input of each LSTM and of the softmax, in training.
        reduction: the loss is the sum over labels divided by the number of images (`images`) or
            of tokens (`tokens`).

    Raises:
        ValueError: if a number is out of range, or `hidden_size` is odd.
    """

    attentions = ()
    vocabulary_parameters = ("output.weight", "output.bias")
    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {"hidden_size": ("num_layers", 0)}

    def __init__(
        self,
        vocabulary_size: int,
        grid_width: int,
        upsample: int = 2,
        pool: Literal["max", "mean"] = "max",
        hidden_size: int = 512,
        num_layers: int = 2,
        dropout: float = 0.0,
        reduction: Literal["images", "tokens"] = "images",
    ) -> None:
        super().__init__()
        check_at_least(1, upsample=upsample)
        check_at_least(0, num_layers=num_layers)
        if hidden_size < 2 or hidden_size % 2:
            raise ValueError(
                f"hidden_size must be even (two directions) and >= 2, got {hidden_size}"
            )
        check_fractions(dropout=dropout)
        self.upsample = upsample
        self.pool = pool
        self.reduction = reduction
        self.spread = nn.Linear(grid_width, upsample * grid_width) if upsample > 1 else None
        self.layers = nn.ModuleList(
            RowEncoder(hidden_size if layer else grid_width, hidden_size, num_row_embeddings=0)
            for layer in range(num_layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden_size if num_layers else grid_width, vocabulary_size)
        self._warned = False

    def loss(self, grid: Grid, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Decoder.loss`; in training of the labels that fit, with the number of others."""
        tokens = targets.tokens
        log_p, steps = self.log_probabilities(grid)
        lengths = (tokens != PAD).sum(1) - 1  # (B,) without the end
        fits = steps_needed(tokens, lengths) <= steps
        nll = nn.functional.ctc_loss(
            log_p.transpose(0, 1),  # (B, T, V) -> (T, B, V)
            tokens,
            steps,
            lengths,
            blank=PAD,
            reduction="none",
            zero_infinity=True,
        )  # (B,), 0 where the label does not fit
        self._warn_too_long(tokens, lengths, steps, fits)
        fitting = ((lengths + 1) * fits).sum()  # tokens, ends included
        count = fitting if self.reduction == "tokens" else fits.sum()
        loss = nll.sum() / count.clamp_min(1)
        if self.training:
            logs = {"skipped": (~fits).sum().to(nll.dtype)}
            if fits.any():  # otherwise there is no likelihood
                logs |= {"nll": nll.detach().sum(), "tokens": fitting}
            return loss, logs
        impossible = nll.detach().masked_fill(~fits, float("inf"))
        return loss, {"nll": impossible.sum(), "tokens": (lengths + 1).sum()}

    def log_probabilities(self, grid: Grid) -> tuple[Tensor, Tensor]:
        """Log p of the tokens, and of the blank at index `PAD`, at each time step.

        Returns:
            (B, T, V), and the number of time steps of each image, (B,).
        """
        columns = grid.mask.any(1)  # (B, w)
        features = self._pool_rows(grid) * columns.unsqueeze(2)  # (B, w, D)
        if self.spread is not None:
            features = self.spread(features)  # (B, w, u D)
            features = features.unflatten(2, (self.upsample, -1)).flatten(1, 2)  # -> (B, w u, D)
            columns = columns.repeat_interleave(self.upsample, 1)  # (B, w u)
        mask = columns.unsqueeze(1)  # of a grid with one row
        for layer in self.layers:
            row = (self.dropout(features) * columns.unsqueeze(2)).unsqueeze(1)  # (B, 1, T, D)
            features = layer(row, mask).squeeze(1)
        logits = self.output(self.dropout(features))  # (B, T, V)
        return log_softmax(logits), columns.sum(1)

    @torch.no_grad()
    def search(self, grid: Grid, options: SearchOptions) -> list[list[Hypothesis]]:
        """See `Decoder.search` and `ctc_prefix_search`."""
        log_p, steps = self.log_probabilities(grid)
        return prefix_search(log_p, steps, options, banned_tokens=(BOS, EOS, UNK))

    def _pool_rows(self, grid: Grid) -> Tensor:
        """Pools the rows inside each image: (B, w, D)."""
        mask = grid.mask.unsqueeze(3)  # (B, h, w, 1)
        if self.pool == "mean":
            return (grid.features * mask).sum(1) / mask.sum(1).clamp_min(1)
        lowest = torch.finfo(grid.features.dtype).min  # -inf times 0 would be NaN
        return grid.features.masked_fill(~mask, lowest).amax(1)

    def _warn_too_long(self, tokens: Tensor, lengths: Tensor, steps: Tensor, fits: Tensor) -> None:
        """Warns once of labels that are too long."""
        if self._warned or bool(fits.all()):
            return
        self._warned = True
        needed = steps_needed(tokens, lengths)
        enough = int(((needed * self.upsample + steps - 1) // steps).max())
        warnings.warn(
            f"{int((~fits).sum())} of {len(fits)} labels of this batch need more time steps than "
            f"their images have, up to {int(needed[~fits].max())}: such labels are skipped in "
            "training, and one of them makes the perplexity of a split infinite, so that epochs "
            f"cannot be compared by it. Raise decoder_args.upsample from {self.upsample}, here to "
            f"{enough}, or choose the best epoch by another metric: --checkpoint.monitor "
            "val/token_exact --checkpoint.mode max.",
            stacklevel=2,
        )


def steps_needed(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Time steps that labels need: one for each token, and a blank between two equal ones.

    Args:
        tokens: (B, T).
        lengths: (B,) of the labels in them.

    Returns:
        (B,).
    """
    within = torch.arange(1, tokens.shape[1], device=tokens.device) < lengths.unsqueeze(1)
    return lengths + ((tokens[:, 1:] == tokens[:, :-1]) & within).sum(1)
