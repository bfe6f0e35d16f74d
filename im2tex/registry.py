"""`Registry[T]`: components by name, with arguments checked against their constructors.

A configuration names a component and passes a dictionary of arguments. jsonargparse does not know
the types of its values and guesses them from YAML (`1` is an int, `on` a bool); the registry
converts them to the types of the constructor's signature.

Other packages register components through entry points, which are loaded when they are requested:
a broken package affects its own components only. Built-in components are known by module name, so
that a checkout on the path works without package metadata.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, Literal, TypeVar, get_args, get_origin, get_type_hints

from im2tex.errors import Im2TexError
from im2tex.renames import current_arguments, warn_of_old_names

T = TypeVar("T")
C = TypeVar("C", bound=type)


class Registry(Generic[T]):
    """Classes of one kind by name.

    Example:
        >>> ENCODERS: Registry[Encoder] = Registry("encoder", group="im2tex.encoders")
        >>> @ENCODERS.register("tiny")
        ... class Tiny(Encoder): ...
        >>> ENCODERS.build("tiny", {"width": 32})

    Args:
        kind: what is registered, in the singular, for messages ("encoder").
        group: entry-point group in which other packages register.
        builtin: modules that register the built-in components when imported.
        injected: constructor parameters that the program supplies, hidden from configurations.
    """

    def __init__(
        self,
        kind: str,
        *,
        group: str,
        builtin: Sequence[str] = (),
        injected: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.group = group
        self._builtin = tuple(builtin)
        self._injected = frozenset(injected)
        self._classes: dict[str, type[T]] = {}
        self._points: list[EntryPoint] = []
        self._loaded = False

    def register(self, name: str) -> Callable[[C], C]:
        """Decorator that registers a class under `name`.

        Raises:
            Im2TexError: if another class has the name.
        """

        def decorate(cls: C) -> C:
            other = self._classes.get(name)
            if other is not None and other is not cls:
                raise Im2TexError(
                    f"{self.kind} '{name}' is registered twice: by {_qualified_name(other)} and by "
                    f"{_qualified_name(cls)}. Give one of them another name."
                )
            self._classes[name] = cls
            return cls

        return decorate

    def names(self) -> list[str]:
        """The registered names, sorted."""
        self._load()
        return sorted({*self._classes, *(point.name for point in self._points)})

    def get(self, name: str) -> type[T]:
        """The class registered under `name`.

        Raises:
            Im2TexError: if there is none, if two packages register the name, or if the package
                cannot be imported.
        """
        self._load()
        for point in self._points:
            if point.name == name:
                self.register(name)(self._open(point))
        if name not in self._classes:
            known = self.names()
            hint = _suggest_name(name, known)
            raise Im2TexError(f"unknown {self.kind} '{name}'{hint} Known: {', '.join(known)}.")
        return self._classes[name]

    def parameters(self, name: str) -> dict[str, inspect.Parameter]:
        """The constructor parameters of the component `name` that a configuration may set."""
        accepted = _named_parameters(self.get(name))
        return {key: value for key, value in accepted.items() if key not in self._injected}

    def check(self, name: str, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
        """The arguments under their current names, converted to the types of the constructor.

        Raises:
            Im2TexError: for an unknown argument, or a value of another type.
        """
        owner = f"{self.kind} '{name}'"
        current, changes = current_arguments(self.kind, name, arguments or {})
        warn_of_old_names(owner, changes)
        return check_arguments(owner, self.get(name), current, self._injected, self._suggest_owner)

    def complete(self, name: str, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
        """As `check`, with the default values of the other parameters.

        Raises:
            Im2TexError: as `check`.
        """
        defaults = {key: parameter.default for key, parameter in self.parameters(name).items()}
        return defaults | self.check(name, arguments)

    def build(self, name: str, arguments: Mapping[str, Any] | None = None, **injected: Any) -> T:
        """Constructs the component `name`.

        Args:
            name: a registered name.
            arguments: arguments from a configuration.
            **injected: arguments that the program supplies; those that the constructor does not
                take are ignored.

        Raises:
            Im2TexError: for an unknown name, or an unknown, missing or wrong argument.
        """
        cls = self.get(name)
        checked = self.check(name, arguments)
        accepted = _named_parameters(cls)
        injected = {key: value for key, value in injected.items() if key in accepted}
        missing = [
            key
            for key, parameter in accepted.items()
            if parameter.default is parameter.empty and key not in checked and key not in injected
        ]
        if missing:
            raise Im2TexError(f"{self.kind} '{name}' needs the argument(s) {', '.join(missing)}.")
        try:
            return cls(**checked, **injected)
        except ValueError as error:
            raise Im2TexError(f"{self.kind} '{name}': {error}") from error

    def _suggest_owner(self, argument: str) -> str:
        """A sentence that names the loaded components with an argument; "" if there is none."""
        takers = [name for name, cls in self._classes.items() if argument in _named_parameters(cls)]
        if not takers or argument in self._injected:
            return ""
        return f" It is an argument of {self.kind} {' and '.join(map(repr, sorted(takers)))}."

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True  # the built-in modules may use the registry while they are imported
        try:
            for module in self._builtin:
                importlib.import_module(module)
        except BaseException:
            self._loaded = False
            raise
        self._points = list(entry_points(group=self.group))

    def _open(self, point: EntryPoint) -> type[T]:
        try:
            cls = point.load()
        except Exception as error:
            package = f" of package '{point.dist.name}'" if point.dist else ""
            raise Im2TexError(
                f"{self.kind} '{point.name}'{package} cannot be loaded from {point.value}: "
                f"{type(error).__name__}: {error}. Repair or uninstall it."
            ) from error
        if not isinstance(cls, type):
            raise Im2TexError(f"{self.kind} '{point.name}': {point.value} is not a class.")
        return cls


def check_arguments(
    owner: str,
    cls: type,
    arguments: Mapping[str, Any] | None,
    hidden: Collection[str] = (),
    suggest_owner: Callable[[str], str] = lambda _: "",
) -> dict[str, Any]:
    """The arguments of a constructor, converted to the types of its signature.

    Args:
        owner: name of the component, for messages.
        cls: the class to construct.
        arguments: arguments from a configuration.
        hidden: parameters that a configuration may not set.
        suggest_owner: returns a sentence about components that have an unknown argument.

    Raises:
        Im2TexError: for an unknown argument, or a value of another type.
    """
    accepted = [key for key in _named_parameters(cls) if key not in hidden]
    try:
        hints = get_type_hints(cls.__init__)  # type: ignore[misc]
    except NameError as error:
        raise Im2TexError(f"{owner}: its constructor's annotations: {error}.") from error
    checked = {}
    for key, value in (arguments or {}).items():
        if key not in accepted:
            raise Im2TexError(
                f"{owner} takes no argument '{key}'{_suggest_name(key, accepted)} "
                f"Accepted: {', '.join(accepted) or 'none'}.{suggest_owner(key)}"
            )
        try:
            checked[key] = _coerce(value, hints.get(key, Any))
        except (TypeError, ValueError) as error:
            raise Im2TexError(f"{owner}: argument {key}={value!r}: {error}") from None
    return checked


def _named_parameters(cls: type) -> dict[str, inspect.Parameter]:
    """The named parameters of a constructor."""
    parameters = inspect.signature(cls).parameters
    catch_all = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: value for name, value in parameters.items() if value.kind not in catch_all}


def _qualified_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _suggest_name(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else "."


def _coerce(value: Any, hint: Any) -> Any:
    """Converts a value to an annotated type as jsonargparse does.

    Raises:
        ValueError: if the value has another type.
    """
    from jsonargparse import ArgumentError, ArgumentParser  # noqa: PLC0415

    if hint is Any:
        return value
    if value is None:  # jsonargparse accepts None for every type
        if hint is not object and type(None) not in get_args(hint) and None not in _literals(hint):
            raise ValueError(f"expected {_type_name(hint)}, got None")
        return None
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=hint)
    problem: Exception | None = None
    for candidate in (value, _undo_yaml_casts(value, _literals(hint))):
        try:
            return parser.parse_object({"value": candidate}).value
        except (ArgumentError, TypeError, ValueError) as error:
            problem = problem or error
    raise ValueError(f"expected {_type_name(hint)}, got {type(value).__name__}") from problem


def _undo_yaml_casts(value: Any, literals: Collection[Any]) -> Any:
    """The text that the user may have written where YAML found a number or a bool."""
    if isinstance(value, bool):
        # YAML turns on, off, yes and no into a bool; a Literal determines which was written.
        words = ("on", "yes", "true") if value else ("off", "no", "false")
        return next((word for word in words if word in literals), value)
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _undo_yaml_casts(part, literals) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_undo_yaml_casts(part, literals) for part in value]
    return value


def _literals(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(value for part in get_args(hint) for value in _literals(part))


def _type_name(hint: Any) -> str:
    # The name of a generic alias such as list[int] lacks the arguments.
    is_class = isinstance(hint, type) and not get_args(hint)
    return hint.__name__ if is_class else str(hint).replace("typing.", "")
