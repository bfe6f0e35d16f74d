"""The paper's decoder: an LSTM with input feeding over an attended grid.

Section 3 of Deng et al. 2017:

    h_t = LSTM(h_{t-1}, [E y_{t-1}; o_{t-1}]),   c_t = attention(h_t, V),
    o_t = tanh(W_c [h_t; c_t]),                  p(y_t) = softmax(W_out o_t),

from a zero state. In training the products of the gates with the embeddings, and the softmax, are
computed for all steps at once; the loop over steps has only what depends on the previous step.

An attention that samples is trained by REINFORCE (section 4) on the number of paths that it asks
for. The likelihood of such a model is that of the sampled paths in training, and that of the most
probable cells in evaluation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from im2tex.attention.base import ATTENTIONS, AttentionOutput
from im2tex.decoders.alignment_losses import SymbolLoss, alignment_loss, guided_attention_loss
from im2tex.decoders.base import DECODERS, AutoregressiveDecoder, Targets, smoothed_nll
from im2tex.decoders.beam_search import gather_beams, log_softmax
from im2tex.decoders.reinforce import Reinforce
from im2tex.grid import Grid
from im2tex.latex.vocabulary import BOS, PAD
from im2tex.utils.checks import check_at_least, check_fractions, check_weights


@dataclass(frozen=True, slots=True)
class LSTMState:
    """The state of K hypotheses of each image.

    Attributes:
        hidden: h, (B, K, D).
        cell: of the LSTM, (B, K, D).
        output: o, (B, K, D).
        recurrent_weight: the gates' weights of o and h side by side, (4 D, 2 D).
        memory: of the attention, for B images.
        attention_state: of the attention, or None.
        attention_output: of the last step; None after `reorder` and `select`.
    """

    hidden: Tensor
    cell: Tensor
    output: Tensor
    recurrent_weight: Tensor
    memory: Any
    attention_state: Tensor | None
    attention_output: AttentionOutput | None = None


@DECODERS.register("lstm")
class LSTMDecoder(AutoregressiveDecoder):
    """LSTM with input feeding; the defaults are the paper's sizes.

    Args:
        vocabulary_size: V, given by the model.
        attention: name of the attention, given by the model.
        attention_args: its arguments, given by the model.
        grid_width: D of the fine grid, given by the encoder.
        coarse_width: D' of the coarse grid or None, given by the encoder.
        hidden_size: of the LSTM.
        embedding_dim: of the tokens.
        dropout: on embeddings and on o_t before the softmax, in training.
        label_smoothing: probability of the target that is spread over the vocabulary.
        reduction: the loss is the sum over tokens divided by the number of images (`images`, as in
            the paper) or of tokens (`tokens`).
        guided_attention: weight of the guided attention loss (see `alignment_losses`).
        symbol_loss: weight of the symbol loss (see `alignment_losses`).

    Raises:
        ValueError: if a number is out of range, the attention needs a coarse grid and the encoder
            computes none, or an attention that samples is to be guided.
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
                f"attention '{attention}' needs a coarse grid, and this encoder computes none; "
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
                f"guided_attention needs the weight of every cell, but attention '{attention}' "
                "attends to one block; set it to 0, and guide the model that this one starts from"
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
        paths = 1 if reinforce is None else reinforce.options.samples
        logits, outputs = self._run(grid, tokens, paths)  # (B, K, T, V)
        mask = (tokens != PAD).unsqueeze(1)  # (B, 1, T)
        gold = tokens.unsqueeze(1).expand(-1, paths, -1)
        log_p = log_softmax(logits)
        gold_log_p = log_p.gather(3, gold.unsqueeze(3)).squeeze(3)  # (B, K, T)
        count = mask.sum()
        logs = {"nll": -(gold_log_p.detach() * mask).sum() / paths, "tokens": count}
        smoothing = self.label_smoothing if self.training else 0.0
        loss = smoothed_nll(log_p, gold_log_p, mask, smoothing) / paths
        if reinforce is not None:
            coarse_probs = [
                output.coarse_weights for output in outputs if output.coarse_weights is not None
            ]
            sampled = [
                output.log_probability for output in outputs if output.log_probability is not None
            ]
            reinforce_loss, more = reinforce(
                gold_log_p, mask.squeeze(1), torch.stack(sampled, 2), torch.stack(coarse_probs, 2)
            )
            loss = loss + reinforce_loss
            logs |= more
        loss = loss / (count if self.reduction == "tokens" else len(tokens))
        if self.training:

            def guided_loss(cells: Tensor) -> Tensor:
                weights = torch.cat(
                    [output.supervised_weights for output in outputs], 1
                )  # (B, T, N)
                return guided_attention_loss(weights, cells)

            aligned, more = alignment_loss(
                grid, targets, self.guided_attention, guided_loss, self.symbol_loss, self.symbols
            )
            loss = loss + aligned
            logs |= more
        return loss, logs

    def teacher_forcing(self, grid: Grid, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """See `AutoregressiveDecoder.teacher_forcing`."""
        logits, outputs = self._run(grid, tokens, 1)
        return logits.squeeze(1), torch.cat([output.weights for output in outputs], 1)

    def _run(self, grid: Grid, tokens: Tensor, paths: int) -> tuple[Tensor, list[AttentionOutput]]:
        """Logits (B, K, T, V) and attention outputs of T steps, along K paths of each image."""
        state = self.start(grid)
        if paths > 1:
            state = self.reorder(state, tokens.new_zeros(len(tokens), paths))
        previous = nn.functional.pad(tokens[:, :-1], (1, 0), value=BOS)
        gates = self._embedding_gates(self.dropout(self.embedding(previous)))  # (B, T, 4 D)
        outputs, attention_outputs = [], []
        for step in gates.unsqueeze(2).unbind(1):  # (B, T, 4 D) -> T x (B, 1, 4 D)
            state, attended = self._advance(step, state)
            outputs.append(state.output)
            attention_outputs.append(attended)
        # T x (B, K, D) -> (B, K, T, V)
        return self.output(self.dropout(torch.stack(outputs, 2))), attention_outputs

    def start(self, grid: Grid) -> LSTMState:
        """See `AutoregressiveDecoder.start`."""
        zero = grid.features.new_zeros(len(grid.features), 1, self.hidden_size)
        feeding = self.cell.weight_ih[:, -self.hidden_size :]
        weight = torch.cat([feeding, self.cell.weight_hh], 1)  # (4 D, 2 D)
        device = weight.device.type
        if torch.is_autocast_enabled(device):  # once, where autocast would at every step
            weight = weight.to(torch.get_autocast_dtype(device))
        return LSTMState(zero, zero, zero, weight, self.attention.prepare(grid), None)

    def step(self, tokens: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """See `StepwiseDecoder.step`."""
        state, attended = self._advance(self._embedding_gates(self.embedding(tokens)), state)
        return log_softmax(self.output(state.output)), replace(state, attention_output=attended)

    def reorder(self, state: LSTMState, parents: Tensor) -> LSTMState:
        """See `StepwiseDecoder.reorder`."""
        past = state.attention_state
        return LSTMState(
            gather_beams(state.hidden, parents),
            gather_beams(state.cell, parents),
            gather_beams(state.output, parents),
            state.recurrent_weight,
            state.memory,
            None if past is None else gather_beams(past, parents),
        )

    def select(self, state: LSTMState, images: Tensor) -> LSTMState:
        """See `StepwiseDecoder.select`."""
        past = state.attention_state
        return LSTMState(
            state.hidden[images],
            state.cell[images],
            state.output[images],
            state.recurrent_weight,
            self.attention.select(state.memory, images),
            None if past is None else past[images],
        )

    def _embedding_gates(self, embedded: Tensor) -> Tensor:
        """The embeddings' part of the gates, (..., E) -> (..., 4 D)."""
        weight = self.cell.weight_ih[:, : embedded.shape[-1]]
        return nn.functional.linear(embedded, weight, self.cell.bias_ih)

    def _advance(self, gates: Tensor, state: LSTMState) -> tuple[LSTMState, AttentionOutput]:
        """One step, from the embeddings' part of the gates (B, K, 4 D)."""
        gates = gates + nn.functional.linear(
            torch.cat([state.output, state.hidden], 2), state.recurrent_weight, self.cell.bias_hh
        )
        input_gate, forget_gate, update, output_gate = gates.chunk(4, 2)
        cell = forget_gate.sigmoid() * state.cell + input_gate.sigmoid() * update.tanh()
        hidden = output_gate.sigmoid() * cell.tanh()
        attended = self.attention(hidden, state.memory, state.attention_state)
        output = self.combine(torch.cat([hidden, attended.context], 2)).tanh()
        weight, memory = state.recurrent_weight, state.memory
        return LSTMState(hidden, cell, output, weight, memory, attended.state), attended
