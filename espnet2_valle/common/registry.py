"""Registries: classes and other entries by the names that configurations and commands give them."""

import difflib
import inspect
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, TypeVar

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import check_keys
from espnet2_valle.common.resume import file_state

T = TypeVar("T")
Built = TypeVar("Built")


@dataclass(frozen=True)
class Component:
    """The name and options of a class before it is built: small, hashable, picklable.

    Attributes:
        name: in its registry.
        options: names and values of its constructor's arguments.
    """

    name: str
    options: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def parse(cls, given: Any, where: str) -> "Component":
        """From `NAME` or `{name: NAME, option: value, ...}`.

        Raises:
            InputError: it is neither.
        """
        if isinstance(given, str):
            return cls(given)
        if isinstance(given, Mapping) and isinstance(given.get("name"), str):
            rest = {str(key): value for key, value in given.items() if key != "name"}
            return cls(given["name"], tuple(sorted((key, _frozen(value)) for key, value in rest.items())))
        raise InputError(where, f"'{given}' is no scorer", "Write its name, or {name: NAME, option: value}")

    def __str__(self) -> str:
        options = ", ".join(f"{key} {value}" for key, value in self.options)
        return f"{self.name} ({options})" if options else self.name

    def identity(self) -> str:
        """Identify what would be built: name, options, and the files that options name."""
        files = [
            file_state(path)
            for _, value in self.options
            if isinstance(value, str) and Path(value).exists()
            for path in [Path(value), *sorted(Path(value).glob("*"))]
            if path.is_file()
        ]
        return " ".join([str(self), *files])


class Registry(Generic[T]):
    """Entries by name. A new one is a line where the registry is made, or a call of `register`.

    Args:
        kind: what its entries are, for messages.
        entries: name -> entry, or `MODULE:NAME` of one that is imported when it is asked for.
    """

    def __init__(self, kind: str, entries: Mapping[str, T | str]):
        self.kind = kind
        self._entries: dict[str, T | str] = dict(entries)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, as they were registered."""
        return iter(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def register(self, name: str, entry: T | str) -> None:
        """Add `entry`, an entry or its `MODULE:NAME`.

        Raises:
            ValueError: the name is taken.
        """
        if name in self._entries:
            raise ValueError(f"{self.kind} {name!r} is there already")
        self._entries[name] = entry

    def check_name(self, name: str) -> str:
        """Return `name` if it is registered.

        Raises:
            InputError: it is not; names the choices and the nearest.
        """
        if name not in self._entries:
            raise InputError(self.kind, f"there is no '{name}'", choose_among(name, self._entries))
        return name

    def __getitem__(self, name: str) -> T:
        """Return the entry called `name`, imported if need be.

        Raises:
            InputError: there is none.
        """
        entry = self._entries[self.check_name(name)]
        if isinstance(entry, str):
            module, _, attribute = entry.partition(":")
            entry = self._entries[name] = getattr(import_module(module), attribute)
        return entry

    def check(self, component: Component) -> Component:
        """Return `component` if it names a class and options that this has.

        Raises:
            InputError: it does not.
        """
        check_options(f"{self.kind} {component.name}", self[component.name], dict(component.options))
        return component

    def build(self: "Registry[type[Built]]", component: Component, **shared: Any) -> Built:
        """Build the class that `component` names, with its options.

        Args:
            component: what to build.
            shared: arguments of all classes that know them, such as `device`; its own options go before them.

        Raises:
            InputError: see `check`, and what the class raises.
        """
        kind = self[self.check(component).name]
        known = inspect.signature(kind).parameters
        taken = {name: value for name, value in shared.items() if name in known}
        return kind(**{**taken, **dict(component.options)})


def choose_among(name: str, choices: Collection[str]) -> str:
    """Write the remedy for a name that is none of `choices`: all of them, and the nearest if one is near."""
    near = difflib.get_close_matches(name, choices, n=1)
    return f"Choose among {', '.join(choices)}" + (f"; did you mean '{near[0]}'?" if near else "")


def check_options(where: str, function: Any, given: Mapping[str, Any], beside: Collection[str] = ()) -> None:
    """Refuse options that `function` does not take.

    Args:
        where: what to name in the error.
        function: a function or a class.
        given: name -> value.
        beside: arguments of `function` that are no options.

    Raises:
        InputError: it has no argument of such a name.
    """
    known = [name for name in inspect.signature(function).parameters if name not in beside]
    check_keys(where, given, known, "option")


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
