"""Options that users write, checked: YAML as a frozen dataclass, and names against those that there are."""

import dataclasses
import types
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from espnet2_valle.common.conf import read_yaml
from espnet2_valle.common.errors import InputError

T = TypeVar("T")
LINES = "`key: value` lines below it"
SCALARS = {bool: "true or false", int: "a whole number", float: "a number", str: "text, in quotes"}


def check_keys(where: str | Path, given: Collection[str], known: Collection[str], kind: str = "key") -> None:
    """Refuse what is not known.

    Args:
        where: the file or option at fault.
        given, known: names.
        kind: what they are called.

    Raises:
        InputError: one of `given` is not among `known`.
    """
    for name in sorted(set(given) - set(known), key=str):
        choices = ", ".join(sorted(known))
        remedy = f"Choose among {choices}" if choices else "Leave it out"
        nearest = get_close_matches(str(name), known, n=1)
        remedy += f"; the nearest is {nearest[0]!r}" if nearest and len(known) > 1 else ""
        raise InputError(where, f"there is no {kind} {name!r}", remedy)


def load(kind: type[T], path: str | Path, option: str = "--config", /, example: str = "", **more: Any) -> T:
    """Read a YAML file, see `common.conf.read_yaml`, as the dataclass `kind`, see `build`.

    Args:
        kind: dataclass.
        path: the file.
        option: which named the file, for the error.
        example: file that has every key, for the error.
        more: fields that the file does not say.

    Raises:
        InputError: the file cannot be read, or holds what `kind` refuses.
    """
    return build(kind, read_yaml(path, option), str(path), example=example, **more)


def build(kind: type[T], given: Any, where: str, key: str = "", /, example: str = "", **more: Any) -> T:
    """Make a dataclass of what a YAML file held.

    Its fields may be true or false, numbers, text, or None beside one of these; dataclasses; classes with a
    `parse(given, where)` of their own; and `Mapping`s and `tuple`s of all these. Lists become tuples, and
    nothing else is converted: an int for a float stays one, since digests are made of what was written. A
    section or list with nothing in it is the field's default, where it has one.

    Args:
        kind: dataclass.
        given: mapping of its fields.
        where: the file, for errors.
        key: place in the file, such as `variants[0].prompt`.
        example, more: see `load`.

    Raises:
        InputError: an unknown or missing key, a value of another type, or one that `kind` itself refuses.
    """
    if not isinstance(given, Mapping):
        raise InputError(where, f"{key} is {given!r}", f"Write {LINES}")
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name not in more}  # type: ignore[arg-type]
    check_keys(_place(where, key), given, fields)
    values = {}
    hints = get_type_hints(kind)
    for name, field in fields.items():
        optional = _has_default(field)
        if name in given and not (given[name] is None and optional and _is_collection(hints[name])):
            values[name] = _checked(hints[name], given[name], where, f"{key}.{name}" if key else name)
        elif not optional:
            remedy = f"Compare with {example}" if example else "Add it"
            raise InputError(_place(where, key), f"lacks the key {name!r}", remedy)
    try:
        return kind(**values, **more)
    except InputError as error:  # which knows the name of a field, but not the file
        if error.where.startswith(where):
            raise
        place = f"{where}: {key}.{error.where}" if key else f"{where}: {error.where}"
        raise InputError(place, error.problem, error.remedy) from error


def _checked(hint: Any, value: Any, where: str, key: str) -> Any:
    """`value` as a `hint`, or InputError."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (hint,) = (one for one in arguments if one is not type(None))
        return None if value is None else _checked(hint, value, where, key)
    if hasattr(hint, "parse"):
        return hint.parse(value, _place(where, key))
    if dataclasses.is_dataclass(hint):
        return build(hint, value, where, key)  # type: ignore[arg-type]
    if origin is tuple:
        return _checked_list(arguments, value, where, key)
    if _is_collection(hint):
        if not isinstance(value, Mapping):
            raise InputError(where, f"{key} is {value!r}", f"Write {LINES}")
        return {name: _checked(arguments[1], one, where, f"{key}.{name}") for name, one in value.items()}
    kinds = (int, float) if hint is float else hint
    if hint in SCALARS and (not isinstance(value, kinds) or isinstance(value, bool) != (hint is bool)):
        raise InputError(where, f"{key} is {value!r}", f"Write {SCALARS[hint]}")
    return value


def _checked_list(hints: tuple[Any, ...], value: Any, where: str, key: str) -> tuple[Any, ...]:
    """`value` as a tuple of `hints`, where (X, ...) stands for any number of X."""
    count = None if hints[1:] == (...,) else len(hints)
    if not isinstance(value, list | tuple) or count not in (None, len(value)):
        raise InputError(where, f"{key} is {value!r}", f"Write a list{f' of {count}' if count else ''}")
    kinds = hints if count else hints[:1] * len(value)
    return tuple(_checked(kind, one, where, f"{key}[{i}]") for i, (kind, one) in enumerate(zip(kinds, value)))


def _is_collection(hint: Any) -> bool:
    section = dataclasses.is_dataclass(hint) and not hasattr(hint, "parse")
    return section or get_origin(hint) in (tuple, dict, Mapping)


def _has_default(field: "dataclasses.Field[Any]") -> bool:
    return field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING


def _place(where: str, key: str) -> str:
    return f"{where}: {key}" if key else where
