"""The paper's decoder: an LSTM with input feeding over an attended grid.

Section 3 of Deng et al. 2017:

    h_t = LSTM(h_{t-1}, [E y_{t-1}; o_{t-1}]),   c_t = attention(h_t, V),
    o_t = tanh(W_c [h_t; c_t]),                  p(y_t) = softmax(W_out o_t),

from a zero state. The gates' share of the embeddings and the softmax are computed for all steps
at once in training; only what depends on the previous step is left in the loop.

An attention that samples is trained by REINFORCE (section 4), on as many paths an image as it
asks for. The likelihood of such a model is in training that of the sampled paths, in evaluation
that of the likeliest choices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from im2tex.attention.base import ATTENTIONS, AttentionOutput
from im2tex.decoders.alignment_losses import SymbolLoss, alignment_loss, guided_attention_loss
from im2tex.decoders.base import DECODERS, AutoregressiveDecoder, Targets
from im2tex.decoders.beam_search import gather_beams, log_softmax
from im2tex.decoders.reinforce import Reinforce
from im2tex.grid import Grid
from im2tex.latex.vocabulary import BOS, PAD
from im2tex.utils.checks import check_at_least, check_fractions, check_weights


@dataclass(frozen=True, slots=True)
class LSTMState:
    """The state of K hypotheses an image.

    Attributes:
        hidden: h, (B, K, D).
        cell: the LSTM's cell, (B, K, D).
        output: o, (B, K, D).
        recurrent: the gates' weights of o and h side by side, (4 D, 2 D).
        memory: what the attention laid out, for B images.
        attention: the attention's own state.
        attention_output: of the step that led here; None after `reorder` and `select`.
    """

    hidden: Tensor
    cell: Tensor
    output: Tensor
    recurrent: Tensor
    memory: Any
    attention: Tensor | None
    attention_output: AttentionOutput | None = None


@DECODERS.register("lstm")
class LSTMDecoder(AutoregressiveDecoder):
    """LSTM with input feeding; the defaults are the paper's sizes.

    Args:
        vocabulary_size: V, given by the model.
        attention: name of the attention, given by the model.
        attention_args: its arguments, given by the model.
        grid_width: D of the fine grid, given by the encoder.
        coarse_width: D of the coarse grid or None, given by the encoder.
        hidden_size: of the LSTM.
        embedding_dim: width of the token embedding.
        dropout: on embeddings and on o_t before the softmax, in training.
        label_smoothing: share of the target's probability spread over the vocabulary.
        reduction: the loss is the token sum divided by the number of images (`images`, as in the
            paper) or of tokens (`tokens`).
        guided_attention: weight of the guided attention loss (see `alignment_losses`).
        symbol_loss: weight of the symbol loss (see `alignment_losses`).

    Raises:
        ValueError: if a number is out of range, the attention needs a coarse grid and the encoder
            makes none, or it samples and is to be guided.
    """

    vocabulary_parameters = (
        "embedding.weight",
        "output.weight",
        "output.bias",
        "symbols.classify.weight",
        "symbols.classify.bias",
    )

    def __init__(
        self,
        vocabulary_size: int,
        attention: str,
        attention_args: Mapping[str, Any],
        grid_width: int,
        coarse_width: int | None = None,
        hidden_size: int = 512,
        embedding_dim: int = 80,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        reduction: Literal["images", "tokens"] = "images",
        guided_attention: float = 0.0,
        symbol_loss: float = 0.0,
    ) -> None:
        super().__init__()
        check_at_least(1, hidden_size=hidden_size, embedding_dim=embedding_dim)
        check_fractions(dropout=dropout, label_smoothing=label_smoothing)
        weights = {"guided_attention": guided_attention, "symbol_loss": symbol_loss}
        check_weights(**weights)
        if ATTENTIONS.get(attention).needs_coarse and coarse_width is None:
            raise ValueError(
                f"attention '{attention}' needs a coarse grid, and this encoder makes none; "
                "add `coarse: true` to model.encoder_args of one that can, such as row_cnn"
            )
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(vocabulary_size, embedding_dim)
        self.cell = nn.LSTMCell(embedding_dim + hidden_size, hidden_size)
        self.attention = ATTENTIONS.build(
            attention,
            attention_args,
            query_width=hidden_size,
            width=grid_width,
            coarse_width=coarse_width,
        )
        sampling = self.attention.sampling
        if sampling is not None and guided_attention:
            raise ValueError(
                f"guided_attention teaches the weight of every cell, but attention '{attention}' "
                "looks at one block; set it to 0, and guide the model that this one starts from"
            )
        self.reinforce = None if sampling is None else Reinforce(sampling)
        self.combine = nn.Linear(hidden_size + grid_width, hidden_size, bias=False)
        self.output = nn.Linear(hidden_size, vocabulary_size)
        self.dropout = nn.Dropout(dropout)
        self.label_smoothing = label_smoothing
        self.reduction = reduction
        self.guided_attention = guided_attention
        self.symbol_loss = symbol_loss
        self.alignment_losses = tuple(name for name, weight in weights.items() if weight)
        self.symbols = SymbolLoss(grid_width, vocabulary_size) if symbol_loss else None

    def loss(self, grid: Grid, targets: Targets) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Decoder.loss`."""
        tokens = targets.tokens
        reinforce = self.reinforce if self.training else None
        paths = 1 if reinforce is None else reinforce.sampling.samples
        logits, attention_outputs = self._forced(grid, tokens, paths)  # (B, K, T, V)
        real = (tokens != PAD).unsqueeze(1)  # (B, 1, T)
        gold = tokens.unsqueeze(1).expand(-1, paths, -1)
        log_p = log_softmax(logits)
        token_log_p = log_p.gather(3, gold.unsqueeze(3)).squeeze(3)  # (B, K, T)
        nll, count = -(token_log_p * real).sum() / paths, real.sum()
        objective = nll
        logs = {"nll": nll.detach(), "tokens": count}
        if self.label_smoothing and self.training:
            spread = -(log_p.mean(3) * real).sum() / paths
            objective = (1 - self.label_smoothing) * nll + self.label_smoothing * spread
        if reinforce is not None:
            choices, samples = _samples(attention_outputs)
            samples_loss, more = reinforce(token_log_p, real.squeeze(1), samples, choices)
            objective = objective + samples_loss
            logs |= more
        loss = objective / (count if self.reduction == "tokens" else len(tokens))
        if self.training:

            def guided_loss(cells: Tensor) -> Tensor:
                return guided_attention_loss(
                    torch.cat([one.supervised_weights for one in attention_outputs], 1), cells
                )

            grounding, more = alignment_loss(
                grid, targets, self.guided_attention, guided_loss, self.symbol_loss, self.symbols
            )
            loss = loss + grounding
            logs |= more
        return loss, logs

    def teacher_forcing(self, grid: Grid, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """See `AutoregressiveDecoder.teacher_forcing`."""
        logits, attention_outputs = self._forced(grid, tokens, 1)
        return logits.squeeze(1), torch.cat([attended.weights for attended in attention_outputs], 1)

    def _forced(
        self, grid: Grid, tokens: Tensor, paths: int
    ) -> tuple[Tensor, list[AttentionOutput]]:
        """Logits (B, K, T, V) and attention outputs of T steps, along K paths an image."""
        state = self.start(grid)
        if paths > 1:
            state = self.reorder(state, tokens.new_zeros(len(tokens), paths))
        shifted = nn.functional.pad(tokens[:, :-1], (1, 0), value=BOS)
        embedded = self.dropout(self.embedding(shifted))  # (B, T, E)
        given = nn.functional.linear(
            embedded, self.cell.weight_ih[:, : embedded.shape[2]], self.cell.bias_ih
        )  # (B, T, 4 D)
        outputs, attention_outputs = [], []
        for step in given.unsqueeze(2).unbind(1):  # (B, T, 4 D) -> T x (B, 1, 4 D)
            state, attended = self._advance(step, state)
            outputs.append(state.output)
            attention_outputs.append(attended)
        # T x (B, K, D) -> (B, K, T, V)
        return self.output(self.dropout(torch.stack(outputs, 2))), attention_outputs

    def start(self, grid: Grid) -> LSTMState:
        """See `AutoregressiveDecoder.start`."""
        zero = grid.features.new_zeros(len(grid.features), 1, self.hidden_size)
        fed = self.cell.weight_ih[:, -self.hidden_size :]
        recurrent = torch.cat([fed, self.cell.weight_hh], 1)  # (4 D, 2 D)
        device = recurrent.device.type
        if torch.is_autocast_enabled(device):  # once, where autocast would at every step
            recurrent = recurrent.to(torch.get_autocast_dtype(device))
        return LSTMState(zero, zero, zero, recurrent, self.attention.prepare(grid), None)

    def step(self, tokens: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """See `StepwiseDecoder.step`."""
        embedded = self.embedding(tokens)  # (B, K, E)
        given = nn.functional.linear(
            embedded, self.cell.weight_ih[:, : embedded.shape[2]], self.cell.bias_ih
        )
        state, attended = self._advance(given, state)
        logits = self.output(state.output)
        return log_softmax(logits), replace(state, attention_output=attended)

    def reorder(self, state: LSTMState, parents: Tensor) -> LSTMState:
        """See `StepwiseDecoder.reorder`."""
        return LSTMState(
            gather_beams(state.hidden, parents),
            gather_beams(state.cell, parents),
            gather_beams(state.output, parents),
            state.recurrent,
            state.memory,
            None if state.attention is None else gather_beams(state.attention, parents),
        )

    def select(self, state: LSTMState, images: Tensor) -> LSTMState:
        """See `StepwiseDecoder.select`."""
        return LSTMState(
            state.hidden[images],
            state.cell[images],
            state.output[images],
            state.recurrent,
            self.attention.select(state.memory, images),
            None if state.attention is None else state.attention[images],
        )

    def _advance(self, given: Tensor, state: LSTMState) -> tuple[LSTMState, AttentionOutput]:
        """One step, from the embeddings' share of the gates (B, K, 4 D)."""
        gates = given + nn.functional.linear(
            torch.cat([state.output, state.hidden], 2), state.recurrent, self.cell.bias_hh
        )
        write, forget, value, read = gates.chunk(4, 2)
        cell = forget.sigmoid() * state.cell + write.sigmoid() * value.tanh()
        hidden = read.sigmoid() * cell.tanh()
        attended = self.attention(hidden, state.memory, state.attention)
        output = self.combine(torch.cat([hidden, attended.context], 2)).tanh()
        memory = state.memory
        return LSTMState(hidden, cell, output, state.recurrent, memory, attended.state), attended


def _samples(attention_outputs: list[AttentionOutput]) -> tuple[Tensor, Tensor]:
    """What the samples were drawn from, (B, K, T, M), and their log p, (B, K, T)."""
    choices = [one.coarse_weights for one in attention_outputs]
    log_p = [one.log_probability for one in attention_outputs]
    return (
        torch.stack([one for one in choices if one is not None], 2),
        torch.stack([one for one in log_p if one is not None], 2),
    )
