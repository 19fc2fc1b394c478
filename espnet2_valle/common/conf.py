"""Configurations: those that come with the package, found from any folder or from a wheel; and all, read."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from espnet2_valle.common.errors import InputError

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "conf"  # where setup.py puts the repository's conf/ in a wheel
BASE = "base"  # the key of a config of a training or a codec that names the one it is laid over
CONF = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent / "conf"


def find(name: str) -> Path:
    """Path of a configuration that comes with the package.

    Args:
        name: below conf/, such as `codec/world.yaml`.
    """
    return CONF / name


def names(folder: str) -> list[str]:
    """Names, without `.yaml`, of the configurations in a folder of conf/."""
    return sorted(path.stem for path in (CONF / folder).glob("*.yaml"))


def locate(path: str | Path, folder: str | Path = "") -> Path:
    """Path of a file as the user gave it, or of the shipped one of that name where there is none.

    Args:
        path: of a file; or below conf/, with or without `conf/` before it.
        folder: that the path is relative to; default: the working directory.
    """
    given = Path(folder, path)
    parts = Path(path).parts[1:] if Path(path).parts[:1] == ("conf",) else Path(path).parts
    shipped = CONF.joinpath(*parts)
    if given.exists() or ".." in parts or not shipped.is_file():
        return given
    logging.info("%s: there is no such file here, so that of the package is taken: %s", path, shipped)
    return shipped


def read_yaml(path: str | Path, option: str) -> dict[str, Any]:
    """Mapping of a YAML file, see `locate`; an empty file maps nothing.

    Args:
        path: the file.
        option: which named it, for the error.

    Raises:
        InputError: it cannot be read, is not YAML, or is no mapping.
    """
    try:
        content = yaml.safe_load(locate(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(path, f"cannot be read ({error.strerror})", f"Correct {option}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"is not YAML ({error})", "Correct it") from error
    if content is not None and not isinstance(content, dict):
        raise InputError(path, "holds no keys", "Write `key: value` lines")
    return content or {}


def read_config(path: str | Path, option: str = "--config") -> dict[str, Any]:
    """Mapping of a config of a training or a codec, see `read_yaml`, laid over the one that its `base` names.

    A base is named relative to the file, or as one that comes with the package; it may have a base itself.
    Mappings are merged, a null takes a key out, and all else replaces what the base has (RFC 7386).

    Raises:
        InputError: see `read_yaml`; also of a base, or if bases go round in a circle.
    """
    layers = _layers(path, option)
    content = layers.pop()[1]
    while layers:
        content = _merge(content, layers.pop()[1])
    return content


def with_bases(path: str | Path) -> list[Path]:
    """Files that a config is made of: itself, and the bases below it."""
    try:
        return [file for file, _ in _layers(path, "--config")]
    except InputError:  # whoever reads it will tell
        return [Path(path)]


def _layers(path: str | Path, option: str) -> list[tuple[Path, dict[str, Any]]]:
    """File and content without `base` of a config, of its base, of that one's base ..."""
    layers: list[tuple[Path, dict[str, Any]]] = []
    base: Any = path
    while base:
        file = locate(base, layers[-1][0].parent if layers else "")
        if any(file.resolve() == other.resolve() for other, _ in layers):
            raise InputError(path, f"its bases go round in a circle: {base} comes twice", "Take one out")
        content = read_yaml(file, f"base in {layers[-1][0]}" if layers else option)
        base = content.pop(BASE, None)
        if not isinstance(base, str | None):
            raise InputError(file, f"{BASE} is {base!r}", "Write the path of one config")
        layers.append((file, content))
    return layers


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`above` laid over `below`."""
    merged = dict(below)
    for key, value in above.items():
        former = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            merged[key] = _merge(former if isinstance(former, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged
