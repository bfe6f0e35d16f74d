"""Starting a fit from another model's weights."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import SPECIALS, Vocabulary
from im2tex.model.folders import is_model_folder
from im2tex.model.pretrained import StoredModel, read_stored
from im2tex.model.recognizer import Recognizer
from im2tex.renames import component_attribute
from im2tex.utils.wording import counted


def read_initial(name_or_path: str) -> StoredModel:
    """Reads the model to start from: a checkpoint, a model folder or a packaged model.

    Raises:
        Im2TexError: if there is none, or it cannot be read.
    """
    require_init_from(name_or_path)
    return replace(read_stored(name_or_path), path=Path(name_or_path))  # as given, for messages


def extended_vocabulary(stored: StoredModel, labels: Vocabulary) -> Vocabulary:
    """The vocabulary of the model to start from, followed by the new tokens of the labels.

    A model that is fine-tuned on few formulas thus keeps the symbols that these lack.
    """
    return Vocabulary(list(dict.fromkeys([*stored.settings["vocabulary"], *labels.ordinary])))


def initialize(recognizer: Recognizer, stored: StoredModel) -> str:
    """Starts a recogniser from the weights of another one, and takes over its training data.

    Args:
        recognizer: with its own vocabulary.
        stored: the model to start from; of an ensemble, the first model.

    Returns:
        A report of the loaded, new and unused weights.

    Raises:
        Im2TexError: if none of its weights fits.
    """
    decoder = recognizer.require_decoder()
    token_parameters = component_attribute(decoder, "vocabulary_parameters", "by_token")
    report = load_matching_weights(
        recognizer,
        recognizer.require_vocabulary().ordinary,
        {f"decoder.{name}" for name in token_parameters},
        stored.state,
        stored.settings["vocabulary"],
        stored.path,
    )
    recognizer.training_data = stored.training_data
    if stored.members:
        report += f"\n  of its ensemble of {1 + len(stored.members)} models: the first one"
    return report


def require_init_from(path: str) -> None:
    """Checks that the model to start from exists.

    Raises:
        Im2TexError: if there is none.
    """
    if not Path(path).exists() and not is_model_folder(path):
        raise Im2TexError(
            f"model.init_from: there is no checkpoint {path}. Make one by pretraining with "
            "`im2tex fit` (its checkpoints lie in the run's folder), or set model.init_from to "
            "null to start from scratch."
        )


def load_matching_weights(
    module: nn.Module,
    vocabulary: Sequence[str],
    token_parameters: Collection[str],
    state: Mapping[str, Tensor],
    stored_vocabulary: Sequence[str],
    path: str | Path,
) -> str:
    """Copies weights of another model into a module.

    Weights are matched by name and shape. Of parameters with a row for each token, the rows of
    tokens that both vocabularies contain are copied.

    Args:
        module: receives the weights.
        vocabulary: its ordinary tokens, in the order of their ids.
        token_parameters: names of its parameters that have one row for each token.
        state: the other model's weights by name.
        stored_vocabulary: its ordinary tokens.
        path: of the other model, for messages.

    Returns:
        A report of the loaded, new and unused weights.

    Raises:
        Im2TexError: if no weight fits.
    """
    special = len(SPECIALS)
    stored_ids = {token: special + k for k, token in enumerate(stored_vocabulary)}
    pairs = [(k, k) for k in range(special)] + [
        (special + k, stored_ids[token])
        for k, token in enumerate(vocabulary)
        if token in stored_ids
    ]
    rows = special + len(stored_vocabulary)
    for name in token_parameters:
        if name in state and (not state[name].ndim or len(state[name]) != rows):
            raise Im2TexError(
                f"{path}: weight {name} has shape {tuple(state[name].shape)}, but its vocabulary "
                f"needs {rows} rows. The file is damaged: take another checkpoint."
            )
    ids, others = (torch.tensor(side) for side in zip(*pairs, strict=True))
    loaded, mapped, new = [], [], []
    own = dict(module.named_parameters()) | dict(module.named_buffers())
    with torch.no_grad():
        for name, value in own.items():
            other = state.get(name)
            if name in token_parameters:
                # Vocabularies of equal size may have different tokens.
                if other is None or other.shape[1:] != value.shape[1:]:
                    new.append(name)
                    continue
                value[ids] = other[others].to(value)
                mapped.append(name)
            elif (
                other is not None
                and other.shape == value.shape
                and other.is_floating_point() == value.is_floating_point()
            ):
                value.copy_(other)
                loaded.append(name)
            else:
                new.append(name)
    if not loaded:
        raise Im2TexError(
            f"model.init_from: no weight of {path} fits this model; set encoder, decoder "
            "and their arguments as it was trained with."
        )
    unused = [name for name in state if name not in own or name in new]
    unknown = [token for token in vocabulary if token not in stored_ids]
    return "\n".join(
        [
            f"Started from {path}: {counted(len(loaded), 'weight')} by name, {len(mapped)} token "
            "by token.",
            f"  new: {', '.join(new) or 'none'}",
            f"  unused: {', '.join(unused) or 'none'}",
            f"  tokens unknown to it ({len(unknown)}): {' '.join(unknown) or 'none'}",
        ]
    )
