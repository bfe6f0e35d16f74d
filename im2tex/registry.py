"""`Registry[T]`: components by plain name, with arguments checked against their constructors.

A component registers under a name; a configuration chooses it by that name and passes a plain
dictionary of arguments. jsonargparse sees only a dictionary there and guesses at types (`"1"`
becomes an int, `on` a bool), so the values are checked and coerced here, against the signature of
the constructor. Packages outside register through entry points, which are loaded when they are
asked for: a broken one is in the way of nothing but itself. The built-in components are known by
module name, so a bare checkout on the path works without package metadata.
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
    """Classes of one kind, by name.

    Args:
        kind: what is registered, in the singular, for messages ("encoder").
        group: entry-point group that packages outside register under.
        builtin: modules to import before the first look-up; each registers its components.
        given: constructor parameters that the program supplies, hidden from configurations.
    """

    def __init__(
        self,
        kind: str,
        *,
        group: str,
        builtin: Sequence[str] = (),
        given: Sequence[str] = (),
    ) -> None:
        self.kind = kind
        self.group = group
        self._builtin = tuple(builtin)
        self._given = frozenset(given)
        self._classes: dict[str, type[T]] = {}
        self._points: list[EntryPoint] = []
        self._loaded = False

    def register(self, name: str) -> Callable[[C], C]:
        """Class decorator that registers under `name`.

        Raises:
            Im2TexError: if the name is taken.
        """

        def decorate(cls: C) -> C:
            other = self._classes.get(name)
            if other is not None and other is not cls:
                raise Im2TexError(
                    f"{self.kind} '{name}' is registered twice: by {_path(other)} and by "
                    f"{_path(cls)}. Give one of them another name."
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
            Im2TexError: if there is none (the message lists the names and the nearest one), if
                two packages claim the name, or if the one that does is broken.
        """
        self._load()
        for point in self._points:
            if point.name == name:
                self.register(name)(self._open(point))
        if name not in self._classes:
            known = self.names()
            raise Im2TexError(
                f"unknown {self.kind} '{name}'{_nearest(name, known)} Known: {', '.join(known)}."
            )
        return self._classes[name]

    def parameters(self, name: str) -> dict[str, inspect.Parameter]:
        """What a configuration may pass to the component `name`: its constructor's parameters."""
        accepted = _accepted(self.get(name))
        return {key: value for key, value in accepted.items() if key not in self._given}

    def check(self, name: str, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
        """The arguments, coerced to the types of the constructor's signature.

        Raises:
            Im2TexError: for an unknown argument, a missing one, or a value of another type.
        """
        owner = f"{self.kind} '{name}'"
        current, changes = current_arguments(self.kind, name, arguments or {})
        warn_of_old_names(owner, changes)
        return check_arguments(owner, self.get(name), current, self._given, self._elsewhere)

    def complete(self, name: str, arguments: Mapping[str, Any] | None) -> dict[str, Any]:
        """As `check`, with the defaults of what is not given.

        Raises:
            Im2TexError: as `check`.
        """
        defaults = {key: one.default for key, one in self.parameters(name).items()}
        return defaults | self.check(name, arguments)

    def build(self, name: str, arguments: Mapping[str, Any] | None = None, **given: Any) -> T:
        """An instance of the component `name`.

        Args:
            name: a registered name.
            arguments: what the configuration says.
            **given: what the program supplies (the registry's `given` parameters); those the
                constructor does not take are left out.

        Raises:
            Im2TexError: for an unknown name, or arguments that do not fit.
        """
        cls = self.get(name)
        checked = self.check(name, arguments)
        accepted = _accepted(cls)
        given = {key: value for key, value in given.items() if key in accepted}
        missing = [
            key
            for key, parameter in accepted.items()
            if parameter.default is parameter.empty and key not in checked and key not in given
        ]
        if missing:
            raise Im2TexError(f"{self.kind} '{name}' needs the argument(s) {', '.join(missing)}.")
        try:
            return cls(**checked, **given)
        except ValueError as error:
            raise Im2TexError(f"{self.kind} '{name}': {error}") from error

    def _elsewhere(self, argument: str) -> str:
        """Which of the classes at hand do take an argument, for messages; "" if none does."""
        takers = [name for name, cls in self._classes.items() if argument in _accepted(cls)]
        if not takers or argument in self._given:
            return ""
        return f" It is an argument of {self.kind} {' and '.join(map(repr, sorted(takers)))}."

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True  # the built-in modules may ask while they are imported
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
    elsewhere: Callable[[str], str] = lambda _: "",
) -> dict[str, Any]:
    """Arguments of a constructor, coerced to the types of its signature.

    Args:
        owner: whose arguments these are, for messages.
        cls: the class to construct.
        arguments: what a configuration says.
        hidden: parameters that a configuration may not set.
        elsewhere: what to add of an argument that is another component's.

    Raises:
        Im2TexError: for an unknown argument, or a value of another type.
    """
    accepted = [key for key in _accepted(cls) if key not in hidden]
    try:
        hints = get_type_hints(cls.__init__)  # type: ignore[misc]
    except NameError as error:
        raise Im2TexError(f"{owner}: its constructor's annotations: {error}.") from error
    checked = {}
    for key, value in (arguments or {}).items():
        if key not in accepted:
            raise Im2TexError(
                f"{owner} takes no argument '{key}'{_nearest(key, accepted)} "
                f"Accepted: {', '.join(accepted) or 'none'}.{elsewhere(key)}"
            )
        try:
            checked[key] = _coerce(value, hints.get(key, Any))
        except (TypeError, ValueError) as error:
            raise Im2TexError(f"{owner}: argument {key}={value!r}: {error}") from None
    return checked


def _accepted(cls: type) -> dict[str, inspect.Parameter]:
    """The named parameters of a constructor."""
    parameters = inspect.signature(cls).parameters
    catch_all = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {key: one for key, one in parameters.items() if one.kind not in catch_all}


def _path(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _nearest(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else "."


def _coerce(value: Any, hint: Any) -> Any:
    """`value` as the annotated type, through jsonargparse's own reading of annotations."""
    from jsonargparse import ArgumentError, ArgumentParser  # noqa: PLC0415

    if hint is Any:
        return value
    if value is None:  # jsonargparse would take it for a value not given, of any type
        if hint is not object and type(None) not in get_args(hint) and None not in _literals(hint):
            raise ValueError(f"expected {_spell(hint)}, got None")
        return None
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--value", type=hint)
    problem: Exception | None = None
    for candidate in (value, _respelled(value, _literals(hint))):
        try:
            return parser.parse_object({"value": candidate}).value
        except (ArgumentError, TypeError, ValueError) as error:
            problem = problem or error
    raise ValueError(f"expected {_spell(hint)}, got {type(value).__name__}") from problem


def _respelled(value: Any, literals: Collection[Any]) -> Any:
    """What a person may have written where YAML found a number or a bool."""
    if isinstance(value, bool):
        # YAML turns a bare on, off, yes or no into a bool; a Literal tells which was meant.
        words = ("on", "yes", "true") if value else ("off", "no", "false")
        return next((word for word in words if word in literals), value)
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, Mapping):
        return {key: _respelled(part, literals) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_respelled(part, literals) for part in value]
    return value


def _literals(hint: Any) -> tuple[Any, ...]:
    if get_origin(hint) is Literal:
        return get_args(hint)
    return tuple(value for part in get_args(hint) for value in _literals(part))


def _spell(hint: Any) -> str:
    # A generic alias such as list[int] has the name of its origin alone.
    plain = isinstance(hint, type) and not get_args(hint)
    return hint.__name__ if plain else str(hint).replace("typing.", "")
