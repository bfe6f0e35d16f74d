"""What a checkpoint or a model folder may hold: looked at before anything is built from it.

Files come from anywhere. Nothing of them is run, settings cannot ask for more memory than their
weights take, and whatever is missing, odd or not finite is named.
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
"""Settings that say how a model is used, and are none of a checkpoint's."""

_DEPTH, _NODES = 50, 2_000_000
_SLACK = 2**22  # elements of a model that are no weights, such as tables of positions


class _Model(Protocol):
    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Any: ...


M = TypeVar("M", bound=_Model)


def rebuilt(
    cls: type[M],
    settings: Mapping[str, Any],
    state: Mapping[str, Tensor],
    where: str,
    strict: bool = True,
    use: Mapping[str, Any] | None = None,
) -> M:
    """A model of stored settings with stored weights.

    Args:
        cls: of the model.
        settings: as stored, see `require_settings`.
        state: weights and buffers by name, see `require_state`.
        where: the file, for messages.
        strict: whether every weight must be there and fit.
        use: settings that are not stored, or win over the stored ones.

    Raises:
        Im2TexError: if the settings make no model, or the weights are not those of it.
    """
    stored = {name: value for name, value in settings.items() if not name.startswith("_")}
    known = inspect.signature(cls).parameters
    for name in stored:
        if name not in known or name in NOT_HYPERPARAMETERS:
            raise Im2TexError(
                f"{where}: its setting {_short(name)} is none of a model's in this version of "
                "im2tex. Use the version that wrote it."
            )
    try:
        with limited(state):
            model = cls(**(stored | dict(use or {})))
    except Im2TexError as error:
        raise Im2TexError(f"{where}: {error}") from error
    except Exception as error:  # of whatever a constructor does with what it did not expect
        raise Im2TexError(f"{where}: its settings make no model: {_said(error)}.") from error
    if strict:
        require_fit(model.state_dict(), state, where)
    try:
        model.load_state_dict(state, strict=strict)
    except RuntimeError as error:
        raise Im2TexError(f"{where}: its weights cannot be taken: {_said(error)}.") from error
    return model


def require_fit(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], where: str) -> None:
    """Checks that stored weights are those that a model has.

    Raises:
        Im2TexError: naming the first that is missing, unknown, of another shape or type.
    """
    problem = None
    missing = [name for name in expected if name not in found]
    unknown = [name for name in found if name not in expected]
    if missing:
        problem = f"{missing[0]} is missing{_more(missing)}"
    elif unknown:
        problem = f"{_short(unknown[0])} is none of its model's{_more(unknown)}"
    else:
        for name, value in expected.items():
            other = found[name]
            if other.shape != value.shape:
                problem = f"{name} has shape {tuple(other.shape)}, not {tuple(value.shape)}"
            elif other.is_floating_point() != value.is_floating_point():
                problem = f"{name} is of type {other.dtype}, not {value.dtype}"
            if problem is not None:
                break
    if problem is not None:
        raise Im2TexError(
            f"{where}: its weights are not those of its settings: {problem}. Fetch or export the "
            "model again, or take another checkpoint of the run."
        )


def require_state(state: Any, where: str, name: str = "state_dict") -> None:
    """Checks weights as stored: tensors by name, with their own memory, finite.

    Raises:
        Im2TexError: naming the first that is not.
    """
    if not isinstance(state, Mapping) or not state:
        raise Im2TexError(f"{where}: its {name} is {_kind(state)}, not weights by name. {_AGAIN}")
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise Im2TexError(f"{where}: {name}, {_short(key)} is {_kind(value)}, no weight.")
        require_dense(value, f"{where}: {name}, {_short(key)}")
        if value.is_complex():
            raise Im2TexError(f"{where}: weight {_short(key)} is of type {value.dtype}. {_AGAIN}")
        if value.is_floating_point() and not bool(torch.isfinite(value.float()).all()):
            raise Im2TexError(
                f"{where}: weight {_short(key)} holds NaN or infinite values. Take a checkpoint "
                "from before the training went wrong."
            )


def require_dense(value: Tensor, where: str) -> None:
    """Checks that a tensor has its values in memory, each of them.

    Raises:
        Im2TexError: if it is sparse, quantised, without values, or larger than its memory.
    """
    plain = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
    if not plain or value.numel() * value.element_size() > value.untyped_storage().nbytes():
        raise Im2TexError(f"{where}: this tensor is not stored as plain numbers. {_AGAIN}")


def require_settings(settings: Any, where: str, name: str = "hyper_parameters") -> None:
    """Checks settings as stored: plain values under names, of a reasonable number and depth.

    Raises:
        Im2TexError: if they are something else.
    """
    if not isinstance(settings, Mapping):
        raise Im2TexError(f"{where}: its {name} are {_kind(settings)}, no settings. {_AGAIN}")
    require_plain(settings, f"{where}: {name}")
    if name != "hyper_parameters":
        return
    tokens = settings.get("vocabulary")
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise Im2TexError(
            f"{where}: its vocabulary is {_kind(tokens)}, no list of tokens. {_AGAIN}"
        )
    try:
        Vocabulary(tokens)
    except ValueError as error:
        raise Im2TexError(f"{where}: its vocabulary: {_said(error)}. {_AGAIN}") from error


def require_plain(value: Any, where: str, tensors: bool = False) -> None:
    """Checks that nested values are plain and not too many or too deep.

    Args:
        value: to check.
        where: what it is, for messages.
        tensors: whether tensors are allowed, and what else torch's loader makes.

    Raises:
        Im2TexError: if they are not.
    """
    heap, count = [(value, 0)], 0
    while heap:
        one, depth = heap.pop()
        count += 1
        if depth > _DEPTH or count > _NODES:
            raise Im2TexError(f"{where}: this is nested too deeply or too large. {_AGAIN}")
        if isinstance(one, Mapping):
            for key, inner in one.items():
                if not tensors and not isinstance(key, str):
                    raise Im2TexError(f"{where}: {_short(key)} is no name of a setting. {_AGAIN}")
                heap += [(key, depth + 1), (inner, depth + 1)]
        elif isinstance(one, list | tuple):
            heap += [(inner, depth + 1) for inner in one]
        elif isinstance(one, str):
            if not _encodable(one):
                raise Im2TexError(f"{where}: {_short(one)} is no Unicode text. {_AGAIN}")
        elif isinstance(one, Tensor) and tensors:
            require_dense(one, where)
        elif not (one is None or tensors or isinstance(one, bool | int | float)):
            raise Im2TexError(f"{where}: {_kind(one)} is no value of a setting. {_AGAIN}")


def _encodable(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


@contextmanager
def limited(state: Mapping[str, Tensor]) -> Iterator[None]:
    """Refuses to make tensors of many more elements than the weights to load have.

    Raises:
        Im2TexError: where settings ask for them.
    """
    limit = _SLACK + 4 * sum(value.numel() for value in state.values())
    with _Limit(limit):
        yield


class _Limit(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what is made, before it is made."""

    def __init__(self, limit: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.left = limit

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.left -= _asked(func, args)
        if self.left < 0:
            raise Im2TexError("its settings ask for a larger model than its weights are")
        return func(*args, **(kwargs or {}))


_MAKERS = frozenset(["empty", "zeros", "ones", "full", "rand", "randn", "empty_strided", "eye"])


def _asked(func: Any, args: Any) -> int:
    """Elements that an operation is asked to make; 0 for one that makes none."""
    name = func.overloadpacket.__name__
    if name == "arange":
        return int(sum(abs(one) for one in args if isinstance(one, int | float)))
    if name not in _MAKERS or not args:
        return 0
    return math.prod(args[0]) if isinstance(args[0], list | tuple) else int(args[0]) ** 2


_AGAIN = "The file is damaged: take another checkpoint, or fetch it again."


def _kind(value: Any) -> str:
    return "missing" if value is None else f"of type {type(value).__name__}"


def _short(value: Any) -> str:
    text = ascii(value) if isinstance(value, str) else repr(type(value).__name__)
    return text if len(text) <= 80 else f"{text[:76]} …"


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return (text if len(text) <= 200 else f"{text[:196]} …").rstrip(".")


def _more(names: list[str]) -> str:
    return f", and {len(names) - 1} more" if len(names) > 1 else ""
