"""A transformer decoder with coverage, in both reading directions: the class of CoMER.

Zhao & Gao 2022, "CoMER: Modeling Coverage for Transformer-based Handwritten Mathematical
Expression Recognition", and Zhao et al. 2021 (BTTR), from which it takes the training in both
directions. Embedded tokens and sinusoidal positions go through layers of causal self-attention,
cross-attention to the grid with its scores refined by coverage (`coverage`), and a
feed-forward net. Different from the released code: right to left starts from a vector of its own
and ends with the common end, where that swaps start and end; the loss is the mean of the two
directions' own, which is the same.

Training sees all steps at once. A search keeps keys and values (`kv_cache`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from im2tex.attention.base import AttentionOutput
from im2tex.decoders.alignment_losses import SymbolLoss, alignment_loss, guided_attention_loss
from im2tex.decoders.base import DECODERS, AutoregressiveDecoder, Targets
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
    """The state of K hypotheses an image.

    Attributes:
        memory: the grid of the B images, laid out.
        past: caches and coverage.
        backwards: whether it reads from right to left.
        attention_output: of the step that led here; None after `reorder` and `select`.
    """

    memory: GridMemory
    past: DecoderCache
    backwards: bool
    attention_output: AttentionOutput | None = None


@DECODERS.register("transformer")
class TransformerDecoder(AutoregressiveDecoder):
    """Transformer with coverage in both directions; the defaults are CoMER's sizes.

    It brings its own attention: `model.attention` is left out. CoMER searches with
    `model.beam_size: 10` and `model.length_penalty: 1.0`.

    Args:
        vocabulary_size: V, given by the model.
        grid_width: D of the fine grid, given by the encoder; where it is not `d_model`, a linear
            layer and a layer normalisation come in between.
        d_model: D of the decoder; even, a multiple of `num_heads`.
        num_layers: of self-attention, cross-attention and feed-forward net.
        num_heads: of each attention.
        dim_feedforward: width of the feed-forward nets.
        dropout: of attention weights, within feed-forward nets and after each part of a layer, in
            training.
        coverage: whether the second layer and those above refine their scores by coverage.
        coverage_channels: maps between the convolution over coverage and the scores.
        coverage_kernel_size: cells that convolution reaches over, odd.
        directions: `both` learns to read in both directions and ranks what both find jointly;
            `left_to_right` is searched three times as fast and takes as long to train
            (`benchmarks/transformer_decoding.py`).
        label_smoothing: share of the target's probability spread over the vocabulary.
        reduction: the loss is the token sum divided by the number of tokens (`tokens`, as in the
            released code) or of images (`images`).
        guided_attention: weight of the guided attention loss (see `alignment_losses`), on the last
            layer's attention, the mean of its heads.
        symbol_loss: weight of the symbol loss (see `alignment_losses`).

    Raises:
        ValueError: if a number is out of range, or sizes do not go together.
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
        refinement = (
            CoverageRefinement(num_heads, coverage_channels, coverage_kernel_size)
            if coverage
            else None
        )
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

    # ---------------------------------------------------------------- training

    def loss(self, grid: Grid, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Decoder.loss`; likelihood is that of reading from left to right."""
        tokens = targets.tokens
        both = tokens.unsqueeze(1)  # (B, K, T), K directions
        mirror = reverse_indices(tokens)
        if self.is_bidirectional:
            both = torch.stack([tokens, tokens.gather(1, mirror)], 1)
        backwards = torch.arange(both.shape[1], device=tokens.device).bool().expand(both.shape[:2])
        logits, weights = self._forced(self.prepare(grid), both, backwards)
        real = both != PAD
        log_p = log_softmax(logits)
        token_nll = -log_p.gather(3, both.unsqueeze(3)).squeeze(3) * real  # (B, K, T)
        nll, count = token_nll.sum((0, 2)), real[:, 0].sum()
        objective = nll.mean()
        if self.label_smoothing and self.training:
            spread = -(log_p.mean(3) * real).sum() / both.shape[1]
            objective = (1 - self.label_smoothing) * objective + self.label_smoothing * spread
        loss = objective / (count if self.reduction == "tokens" else len(tokens))
        logs = {"nll": nll[0].detach(), "tokens": count}
        if len(nll) == 2:
            logs["nll_backwards"] = nll[1].detach() / count
        if self.training:

            def guided_loss(cells: Tensor) -> Tensor:
                known = [cells]
                if self.is_bidirectional:
                    known.append(cells.gather(1, mirror.unsqueeze(2).expand_as(cells)))
                return guided_attention_loss(weights.flatten(1, 2), torch.cat(known, 1))

            grounding, more = alignment_loss(
                grid, targets, self.guided_attention, guided_loss, self.symbol_loss, self.symbols
            )
            loss = loss + grounding
            logs |= more
        return loss, logs

    def teacher_forcing(
        self, grid: Grid, tokens: Tensor, backwards: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Teacher forcing: the gold prefix is fed at every step.

        Args:
            grid: of B images.
            tokens: (B, T) targets in the order in which they are read, the end included.
            backwards: whether that is from right to left.

        Returns:
            Logits (B, T, V) and the last layer's attention weights, the mean of its heads,
            (B, T, h w).
        """
        ways = torch.full((len(tokens), 1), backwards, device=tokens.device)
        logits, weights = self._forced(self.prepare(grid), tokens.unsqueeze(1), ways)
        return logits.squeeze(1), weights.squeeze(1)

    def prepare(self, grid: Grid) -> GridMemory:
        """Lays a grid out, once an image."""
        return self.stack.prepare(self.project(grid.features), grid.mask)

    def _forced(
        self, memory: GridMemory, tokens: Tensor, backwards: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Logits (B, K, T, V) and weights (B, K, T, N) of K formulas an image.

        Args:
            memory: of B images.
            tokens: (B, K, T) targets in the order in which they are read.
            backwards: (B, K) bool.
        """
        shifted = nn.functional.pad(tokens[:, :, :-1], (1, 0), value=BOS)
        inputs = self._embed(shifted, backwards.unsqueeze(2), 0)  # (B, K, T, D)
        outputs, weights = self.stack(inputs, memory, tokens != PAD)
        return self.output(outputs), weights

    def _embed(self, tokens: Tensor, backwards: Tensor, first: int) -> Tensor:
        """Tokens (B, K, T) with their places, the first of them given; (B, K, T, D)."""
        embedded = self.embedding(tokens)
        if self.start_backwards is not None:
            begins = ((tokens == BOS) & backwards).unsqueeze(3)
            embedded = torch.where(begins, self.start_backwards.to(embedded.dtype), embedded)
        placed = self.embedding_norm(embedded) + positions(
            first, tokens.shape[2], self.d_model, self.embedding.weight
        )
        found: Tensor = self.input_norm(placed)
        return found

    # ---------------------------------------------------------------- search

    def start(self, grid: Grid) -> TransformerState:
        """See `AutoregressiveDecoder.start`."""
        memory = self.prepare(grid)
        return TransformerState(memory, self.stack.start(memory), backwards=False)

    def right_to_left(self, state: TransformerState) -> TransformerState:
        """See `SearchableDecoder.right_to_left`."""
        return replace(state, backwards=True)

    def step(self, tokens: Tensor, state: TransformerState) -> tuple[Tensor, TransformerState]:
        """See `StepwiseDecoder.step`; look-ups are those of all layers."""
        ways = torch.full_like(tokens, state.backwards, dtype=torch.bool).unsqueeze(2)
        inputs = self._embed(tokens.unsqueeze(2), ways, state.past.length).squeeze(2)  # (B, K, D)
        outputs, read, weights, past = self.stack.step(inputs, state.memory, state.past)
        looked = len(self.stack.layers) * state.memory.mask.sum(1, dtype=torch.float32)
        fine = looked.unsqueeze(1).expand(tokens.shape)  # (B, K)
        attended = AttentionOutput(read, weights, None, torch.zeros_like(fine), fine)
        log_p = log_softmax(self.output(outputs))
        return log_p, TransformerState(state.memory, past, state.backwards, attended)

    def reorder(self, state: TransformerState, parents: Tensor) -> TransformerState:
        """See `StepwiseDecoder.reorder`."""
        return TransformerState(state.memory, state.past.reorder(parents), state.backwards)

    def select(self, state: TransformerState, images: Tensor) -> TransformerState:
        """See `StepwiseDecoder.select`."""
        memory, past = state.memory.select(images), state.past.select(images)
        return TransformerState(memory, past, state.backwards)

    def score_tokens(
        self, state: TransformerState, images: Tensor, tokens: Tensor, backwards: Tensor
    ) -> Tensor:
        """See `SearchableDecoder.score_tokens`."""
        logits, _ = self._forced(state.memory.select(images), tokens, backwards)
        return log_softmax(logits).gather(3, tokens.unsqueeze(3)).squeeze(3)  # (B', C, T)
