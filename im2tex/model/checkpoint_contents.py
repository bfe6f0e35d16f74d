"""Checks the contents of checkpoints and model folders before anything is built from them.

Files may come from anywhere. No code of a file is run, its settings cannot allocate more memory
than its weights take, and the first entry that is missing, malformed or not finite is named.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import Vocabulary

NOT_HYPERPARAMETERS = (
    "init_from",
    "beam_size",
    "length_penalty",
    "max_length",
    "n_best",
    "ensemble",
    "tta_scales",
)
"""Options of a start or of inference, which checkpoints do not store."""

_MAX_DEPTH, _MAX_VALUES = 50, 2_000_000
_EXTRA_ELEMENTS = 2**22  # of a model beside its weights, such as positional encodings
_DAMAGED = "The file is damaged: take another checkpoint, or fetch it again."


class _Model(Protocol):
    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Any: ...


M = TypeVar("M", bound=_Model)


def rebuild(
    cls: type[M],
    settings: Mapping[str, Any],
    state: Mapping[str, Tensor],
    where: str,
    strict: bool = True,
    overrides: Mapping[str, Any] | None = None,
) -> M:
    """Builds a model from stored settings and weights.

    Args:
        cls: of the model.
        settings: as stored, see `require_settings`.
        state: weights and buffers by name, see `require_state`.
        where: the file, for messages.
        strict: whether every weight must exist and fit.
        overrides: settings that are not stored, or replace stored ones.

    Raises:
        Im2TexError: if no model can be built from the settings, or the weights do not fit it.
    """
    stored = {name: value for name, value in settings.items() if not name.startswith("_")}
    known = inspect.signature(cls).parameters
    for name in stored:
        if name not in known or name in NOT_HYPERPARAMETERS:
            raise Im2TexError(
                f"{where}: its setting {_short(name)} is unknown in this version of im2tex. Use "
                "the version that wrote it."
            )
    try:
        with limit_allocations(state):
            model = cls(**(stored | dict(overrides or {})))
    except Im2TexError as error:
        raise Im2TexError(f"{where}: {error}") from error
    except Exception as error:  # constructors may raise anything for malformed values
        raise Im2TexError(
            f"{where}: no model can be built from its settings: {_one_line(error)}."
        ) from error
    if strict:
        require_fit(model.state_dict(), state, where)
    try:
        model.load_state_dict(state, strict=strict)
    except RuntimeError as error:
        raise Im2TexError(f"{where}: its weights cannot be loaded: {_one_line(error)}.") from error
    return model


def require_fit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], where: str) -> None:
    """Checks that stored weights are those of a model.

    Raises:
        Im2TexError: naming the first that is missing, unknown, of another shape or type.
    """
    problem = _first_misfit(expected, found)
    if problem is not None:
        raise Im2TexError(
            f"{where}: its weights do not fit its settings: {problem}. Fetch or export the model "
            "again, or take another checkpoint of the run."
        )


def _first_misfit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> str | None:
    missing = [name for name in expected if name not in found]
    if missing:
        return f"{missing[0]} is missing{_and_more(missing)}"
    unknown = [name for name in found if name not in expected]
    if unknown:
        return f"{_short(unknown[0])} is not one of its model's{_and_more(unknown)}"
    for name, value in expected.items():
        other = found[name]
        if other.shape != value.shape:
            return f"{name} has shape {tuple(other.shape)}, not {tuple(value.shape)}"
        if other.is_floating_point() != value.is_floating_point():
            return f"{name} is of type {other.dtype}, not {value.dtype}"
    return None


def require_state(state: Any, where: str, name: str = "state_dict") -> None:
    """Checks stored weights: tensors by name, dense and finite.

    Raises:
        Im2TexError: naming the first that is not.
    """
    if not isinstance(state, Mapping) or not state:
        raise Im2TexError(
            f"{where}: its {name} must be weights by name, but is {_type(state)}. {_DAMAGED}"
        )
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise Im2TexError(f"{where}: {name}, {_short(key)} is {_type(value)}, not a weight.")
        require_dense(value, f"{where}: {name}, {_short(key)}")
        if value.is_complex():
            raise Im2TexError(f"{where}: weight {_short(key)} is of type {value.dtype}. {_DAMAGED}")
        if value.is_floating_point() and not bool(torch.isfinite(value.float()).all()):
            raise Im2TexError(
                f"{where}: weight {_short(key)} has NaN or infinite values. Take a checkpoint from "
                "before the training diverged."
            )


def require_dense(value: Tensor, where: str) -> None:
    """Checks that a tensor has all of its values in memory.

    Raises:
        Im2TexError: if it is sparse, quantised, without values, or larger than its memory.
    """
    plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
    if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise Im2TexError(f"{where}: this tensor is not stored as plain numbers. {_DAMAGED}")


def require_settings(settings: Any, where: str, name: str = "hyper_parameters") -> None:
    """Checks stored settings: plain values by name, of a reasonable number and depth.

    Raises:
        Im2TexError: if they are not.
    """
    if not isinstance(settings, Mapping):
        raise Im2TexError(
            f"{where}: its {name} must be settings, but are {_type(settings)}. {_DAMAGED}"
        )
    require_plain(settings, f"{where}: {name}")
    if name != "hyper_parameters":
        return
    tokens = settings.get("vocabulary")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise Im2TexError(
            f"{where}: its vocabulary must be a list of tokens, but is {_type(tokens)}. {_DAMAGED}"
        )
    try:
        Vocabulary(tokens)
    except ValueError as error:
        raise Im2TexError(f"{where}: its vocabulary: {_one_line(error)}. {_DAMAGED}") from error


def require_texts(texts: Any, where: str, name: str) -> list[str]:
    """Checks that a stored value is a list of texts, and returns it.

    Raises:
        Im2TexError: if it is not.
    """
    require_plain(texts, f"{where}: {name}")
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Im2TexError(f"{where}: its {name} must be a list of texts. {_DAMAGED}")
    return texts


def require_plain(value: Any, where: str, tensors: bool = False) -> None:
    """Checks that nested values are plain, and neither too many nor too deep.

    Args:
        value: to check.
        where: its name in messages.
        tensors: whether tensors are allowed, and other types that torch's loader creates.

    Raises:
        Im2TexError: if they are not.
    """
    heap, count = [(value, 0)], 0
    while heap:
        one, depth = heap.pop()
        count += 1
        if depth > _MAX_DEPTH or count > _MAX_VALUES:
            raise Im2TexError(f"{where}: this is nested too deeply or too large. {_DAMAGED}")
        if isinstance(one, Mapping):
            for key, inner in one.items():
                if not tensors and not isinstance(key, str):
                    raise Im2TexError(f"{where}: {_short(key)} is no name of a setting. {_DAMAGED}")
                heap += [(key, depth + 1), (inner, depth + 1)]
        elif isinstance(one, list | tuple):
            heap += [(inner, depth + 1) for inner in one]
        elif isinstance(one, str):
            if any("\ud800" <= letter <= "\udfff" for letter in one):
                raise Im2TexError(f"{where}: {_short(one)} is no Unicode text. {_DAMAGED}")
        elif isinstance(one, Tensor) and tensors:
            require_dense(one, where)
        elif not (one is None or tensors or isinstance(one, bool | int | float)):
            raise Im2TexError(f"{where}: {_type(one)} is no value of a setting. {_DAMAGED}")


@contextmanager
def limit_allocations(state: Mapping[str, Tensor]) -> Iterator[None]:
    """Refuses to create tensors with many more elements than the weights to load have.

    Raises:
        Im2TexError: if settings ask for them.
    """
    with _AllocationLimit(_EXTRA_ELEMENTS + 4 * sum(value.numel() for value in state.values())):
        yield


class _AllocationLimit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the elements of new tensors before they are created."""

    def __init__(self, limit: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.left = limit

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.left -= _count_new_elements(func, args)
        if self.left < 0:
            raise Im2TexError("its settings ask for a larger model than its weights are")
        return func(*args, **(kwargs or {}))


_FACTORIES = frozenset(["empty", "zeros", "ones", "full", "rand", "randn", "empty_strided", "eye"])


def _count_new_elements(func: Any, args: Any) -> int:
    name = func.overloadpacket.__name__
    if name == "arange":
        return int(sum(abs(number) for number in args if isinstance(number, int | float)))
    if name not in _FACTORIES or not args:
        return 0
    return math.prod(args[0]) if isinstance(args[0], list | tuple) else int(args[0]) ** 2


def _and_more(names: list[str]) -> str:
    return f", and {len(names) - 1} more" if len(names) > 1 else ""


def _type(value: Any) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"


def _short(value: Any) -> str:
    text = ascii(value) if isinstance(value, str) else repr(type(value).__name__)
    return text if len(text) <= 80 else f"{text[:76]} …"


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return (text if len(text) <= 200 else f"{text[:196]} …").rstrip(".")
