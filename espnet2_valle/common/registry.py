"""Scorers by name, with options, as a configuration gives them."""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import check_keys

T = TypeVar("T")


@dataclass(frozen=True)
class Component:
    """A scorer before it is built: small, hashable, picklable.

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
        """Changes when the scorer would: name, options, and the files that options name."""
        files = [
            f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}"
            for _, value in self.options
            if isinstance(value, str) and Path(value).exists()
            for path in [Path(value), *sorted(Path(value).glob("*"))]
            if path.is_file()
        ]
        return " ".join([str(self), *files])


class Choices(Generic[T]):
    """What a name may be.

    Args:
        kind: of scorer, for messages.
        classes: name -> class.
    """

    def __init__(self, kind: str, classes: Mapping[str, type[T]]):
        self.kind = kind
        self.classes = dict(classes)

    def check(self, component: Component) -> Component:
        """Return `component` if it names a class and options that this has.

        Raises:
            InputError: it does not.
        """
        chosen = self.classes.get(component.name)
        if chosen is None:
            raise InputError(
                self.kind,
                f"there is no '{component.name}'",
                f"Choose among {', '.join(sorted(self.classes))}",
            )
        known = [name for name in inspect.signature(chosen).parameters if name != "self"]
        check_keys(f"{self.kind} {component.name}", dict(component.options), known, "option")
        return component

    def build(self, component: Component) -> T:
        """Load it."""
        return self.classes[self.check(component).name](**dict(component.options))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
