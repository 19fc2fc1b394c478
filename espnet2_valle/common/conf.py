"""Configurations: those that come with the package, found from any folder or from a wheel; and YAML, read."""

import logging
from pathlib import Path
from typing import Any

import yaml

from espnet2_valle.common.errors import InputError

_PACKAGE = Path(__file__).resolve().parents[1]
_INSTALLED = _PACKAGE / "conf"  # where setup.py puts the repository's conf/ in a wheel
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


def locate(path: str | Path) -> Path:
    """Path of a file as the user gave it, or of the shipped one of that name where there is none.

    Args:
        path: relative to the working directory; or below conf/, with or without `conf/` before it.
    """
    given = Path(path)
    if given.exists() or given.is_absolute() or ".." in given.parts:
        return given
    parts = given.parts[1:] if given.parts[:1] == ("conf",) else given.parts
    shipped = CONF.joinpath(*parts)
    if not shipped.is_file():
        return given
    logging.info("%s: not in the working directory, so that of the package is taken: %s", path, shipped)
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
