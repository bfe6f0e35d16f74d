"""A transformer decoder with coverage, in both directions: CoMER's.

Zhao & Gao 2022, "CoMER: Modeling Coverage for Transformer-based Handwritten Mathematical Expression
Recognition", and Zhao et al. 2021 (BTTR), the source of its training in both directions. Embedded
tokens with sinusoidal positions pass layers of causal self-attention, cross-attention to the grid
with scores refined by coverage (`coverage`), and a feed-forward net. The loss is the mean of

    -sum over t of log p(y_t | y_1..t-1)   and   -sum over t of log p(y_t | y_t+1..T).

Difference from the released code: the direction from right to left starts with a trainable vector
of its own and ends with the common end, where the code swaps start and end.

Training computes all steps at once; a search keeps keys and values (`kv_cache`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from im2tex.attention.base import AttentionOutput
from im2tex.decoders.alignment_losses import SymbolLoss, alignment_loss, guided_attention_loss
from im2tex.decoders.base import DECODERS, AutoregressiveDecoder, Targets, smoothed_nll
from im2tex.decoders.beam_search import log_softmax
from im2tex.decoders.bidirectional_search import reverse_indices
from im2tex.decoders.transformer.coverage import CoverageRefinement
from im2tex.decoders.transformer.layers import GridMemory, positions
from im2tex.decoders.transformer.stack import DecoderCache, TransformerStack
from im2tex.grid import Grid
from im2tex.latex.vocabulary import BOS, PAD
from im2tex.utils.checks import check_at_least, check_fractions, check_weights


@dataclass(frozen=True, slots=True)
class TransformerState:
    """The state of K hypotheses of each image.

    Attributes:
        memory: keys and values of the grids of the B images.
        cache: keys and values of the tokens, and coverage.
        reverse: whether it predicts from right to left.
        attention_output: of the last step; None after `reorder` and `select`.
    """

    memory: GridMemory
    cache: DecoderCache
    reverse: bool
    attention_output: AttentionOutput | None = None


@DECODERS.register("transformer")
class TransformerDecoder(AutoregressiveDecoder):
    """Transformer with coverage in both directions; the defaults are CoMER's sizes.

    It has its own attention: `model.attention` is not set. CoMER searches with
    `model.beam_size: 10` and `model.length_penalty: 1.0`.

    Args:
        vocabulary_size: V, given by the model.
        grid_width: D of the fine grid, given by the encoder; if it differs from `d_model`, the
            grid is projected by a linear layer and a layer normalisation.
        d_model: D of the decoder; even, a multiple of `num_heads`.
        num_layers: of self-attention, cross-attention and feed-forward net.
        num_heads: of each attention.
        dim_feedforward: width of the feed-forward nets.
        dropout: of attention weights, within feed-forward nets and after each part of a layer, in
            training.
        coverage: whether the scores of the layers from the second up are refined by coverage.
        coverage_channels: of the convolution over coverage.
        coverage_kernel_size: of that convolution in cells; odd.
        directions: `both` trains both directions and ranks the hypotheses of both jointly;
            `left_to_right` is searched three times as fast and takes as long to train
            (`benchmarks/transformer_decoding.py`).
        label_smoothing: probability of the target that is spread over the vocabulary.
        reduction: the loss is the sum over tokens divided by the number of tokens (`tokens`, as in
            the released code) or of images (`images`).
        guided_attention: weight of the guided attention loss (see `alignment_losses`), on the mean
            of the last layer's heads.
        symbol_loss: weight of the symbol loss (see `alignment_losses`).

    Raises:
        ValueError: if a number is out of range, or sizes do not fit each other.
    """

    attentions = ()
    vocabulary_parameters = (
        "embedding.weight",
        "output.weight",
        "output.bias",
        "symbols.classify.weight",
        "symbols.classify.bias",
    )
    inactive_when: ClassVar[Mapping[str, tuple[str, Any]]] = {
        "coverage_channels": ("coverage", False),
        "coverage_kernel_size": ("coverage", False),
    }

    def __init__(
        self,
        vocabulary_size: int,
        grid_width: int,
        d_model: int = 256,
        num_layers: int = 3,
        num_heads: int = 8,
        dim_feedforward: int = 1024,
        dropout: float = 0.3,
        coverage: bool = True,
        coverage_channels: int = 32,
        coverage_kernel_size: int = 5,
        directions: Literal["both", "left_to_right"] = "both",
        label_smoothing: float = 0.0,
        reduction: Literal["tokens", "images"] = "tokens",
        guided_attention: float = 0.0,
        symbol_loss: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(
            1,
            d_model=d_model,
            num_layers=num_layers,
            num_heads=num_heads,
            dim_feedforward=dim_feedforward,
            coverage_channels=coverage_channels,
        )
        check_fractions(dropout=dropout, label_smoothing=label_smoothing)
        weights = {"guided_attention": guided_attention, "symbol_loss": symbol_loss}
        check_weights(**weights)
        if d_model % num_heads or d_model % 2:
            raise ValueError(
                f"d_model must be even and a multiple of num_heads, got {d_model} and {num_heads}"
            )
        if coverage and num_layers < 2:
            raise ValueError(
                f"coverage needs num_layers >= 2, got {num_layers}; set coverage: false"
            )
        self.d_model = d_model
        self.directions = directions
        self.embedding = nn.Embedding(vocabulary_size, d_model)
        self.embedding_norm = nn.LayerNorm(d_model)
        self.input_norm = nn.LayerNorm(d_model)
        self.start_backwards = nn.Parameter(torch.randn(d_model)) if directions == "both" else None
        self.project: nn.Module = nn.Identity()
        if grid_width != d_model:
            self.project = nn.Sequential(nn.Linear(grid_width, d_model), nn.LayerNorm(d_model))
        refinement = None
        if coverage:
            refinement = CoverageRefinement(num_heads, coverage_channels, coverage_kernel_size)
        self.stack = TransformerStack(
            d_model, num_layers, num_heads, dim_feedforward, dropout, refinement
        )
        self.output = nn.Linear(d_model, vocabulary_size)
        self.label_smoothing = label_smoothing
        self.reduction = reduction
        self.guided_attention = guided_attention
        self.symbol_loss = symbol_loss
        self.alignment_losses = tuple(name for name, weight in weights.items() if weight)
        self.symbols = SymbolLoss(grid_width, vocabulary_size) if symbol_loss else None

    @property
    def is_bidirectional(self) -> bool:
        """See `SearchableDecoder.is_bidirectional`."""
        return self.directions == "both"

    def loss(self, grid: Grid, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Decoder.loss`; the likelihood is that of the direction from left to right."""
        tokens = targets.tokens
        both = tokens.unsqueeze(1)  # (B, K, T), K directions
        reversal = reverse_indices(tokens)
        if self.is_bidirectional:
            both = torch.stack([tokens, tokens.gather(1, reversal)], 1)
        reverse = torch.arange(both.shape[1], device=tokens.device).bool().expand(both.shape[:2])
        logits, weights = self._run(self.prepare(grid), both, reverse)
        mask = both != PAD
        log_p = log_softmax(logits)
        gold_log_p = log_p.gather(3, both.unsqueeze(3)).squeeze(3)  # (B, K, T)
        nll, count = -(gold_log_p.detach() * mask).sum((0, 2)), mask[:, 0].sum()  # (K,), ()
        smoothing = self.label_smoothing if self.training else 0.0
        loss = smoothed_nll(log_p, gold_log_p, mask, smoothing) / len(nll)
        loss = loss / (count if self.reduction == "tokens" else len(tokens))
        logs = {"nll": nll[0], "tokens": count}
        if self.is_bidirectional:
            logs["nll_backwards"] = nll[1] / count
        if self.training:

            def guided_loss(cells: Tensor) -> Tensor:
                parts = [cells]
                if self.is_bidirectional:
                    parts.append(cells.gather(1, reversal.unsqueeze(2).expand_as(cells)))
                return guided_attention_loss(weights.flatten(1, 2), torch.cat(parts, 1))

            aligned, more = alignment_loss(
                grid, targets, self.guided_attention, guided_loss, self.symbol_loss, self.symbols
            )
            loss = loss + aligned
            logs |= more
        return loss, logs

    def teacher_forcing(
        self, grid: Grid, tokens: Tensor, reverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """See `AutoregressiveDecoder.teacher_forcing`.

        Args:
            grid: of B images.
            tokens: (B, T) targets in the order of prediction, the end included.
            reverse: whether that is from right to left.

        Returns:
            Logits (B, T, V) and the last layer's attention weights, the mean of its heads,
            (B, T, h w).
        """
        directions = torch.full((len(tokens), 1), reverse, device=tokens.device)
        logits, weights = self._run(self.prepare(grid), tokens.unsqueeze(1), directions)
        return logits.squeeze(1), weights.squeeze(1)

    def prepare(self, grid: Grid) -> GridMemory:
        """Computes the keys and values of a grid."""
        return self.stack.prepare(self.project(grid.features), grid.mask)

    def _run(self, memory: GridMemory, tokens: Tensor, reverse: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, K, T, V) and weights (B, K, T, N) of K formulas of each image.

        Args:
            memory: of B images.
            tokens: (B, K, T) targets in the order of prediction.
            reverse: (B, K) bool, whether that is from right to left.
        """
        previous = nn.functional.pad(tokens[:, :, :-1], (1, 0), value=BOS)
        inputs = self._embed(previous, reverse.unsqueeze(2), 0)  # (B, K, T, D)
        outputs, weights = self.stack(inputs, memory, tokens != PAD)
        return self.output(outputs), weights

    def _embed(self, tokens: Tensor, reverse: Tensor, first: int) -> Tensor:
        """Embeds tokens (B, K, T) at the positions from `first` on: (B, K, T, D)."""
        embedded = self.embedding(tokens)
        if self.start_backwards is not None:
            starts = ((tokens == BOS) & reverse).unsqueeze(3)
            embedded = torch.where(starts, self.start_backwards.to(embedded.dtype), embedded)
        placed = self.embedding_norm(embedded) + positions(
            first, tokens.shape[2], self.d_model, self.embedding.weight
        )
        inputs: Tensor = self.input_norm(placed)
        return inputs

    def start(self, grid: Grid) -> TransformerState:
        """See `AutoregressiveDecoder.start`."""
        memory = self.prepare(grid)
        return TransformerState(memory, self.stack.start(memory), reverse=False)

    def right_to_left(self, state: TransformerState) -> TransformerState:
        """See `SearchableDecoder.right_to_left`."""
        return replace(state, reverse=True)

    def step(self, tokens: Tensor, state: TransformerState) -> tuple[Tensor, TransformerState]:
        """See `StepwiseDecoder.step`; look-ups are those of all layers."""
        reverse = torch.full_like(tokens, state.reverse, dtype=torch.bool).unsqueeze(2)
        inputs = self._embed(tokens.unsqueeze(2), reverse, state.cache.length)
        outputs, context, weights, cache = self.stack.step(
            inputs.squeeze(2), state.memory, state.cache
        )
        lookups = len(self.stack.layers) * state.memory.mask.sum(1, dtype=torch.float32)
        fine = lookups.unsqueeze(1).expand(tokens.shape)  # (B, K)
        attended = AttentionOutput(context, weights, None, torch.zeros_like(fine), fine)
        log_p = log_softmax(self.output(outputs))
        return log_p, TransformerState(state.memory, cache, state.reverse, attended)

    def reorder(self, state: TransformerState, parents: Tensor) -> TransformerState:
        """See `StepwiseDecoder.reorder`."""
        return TransformerState(state.memory, state.cache.reorder(parents), state.reverse)

    def select(self, state: TransformerState, images: Tensor) -> TransformerState:
        """See `StepwiseDecoder.select`."""
        memory, cache = state.memory.select(images), state.cache.select(images)
        return TransformerState(memory, cache, state.reverse)

    def score_tokens(
        self, state: TransformerState, images: Tensor, tokens: Tensor, reverse: Tensor
    ) -> Tensor:
        """See `SearchableDecoder.score_tokens`."""
        logits, _ = self._run(state.memory.select(images), tokens, reverse)
        return log_softmax(logits).gather(3, tokens.unsqueeze(3)).squeeze(3)  # (B', C, T)
