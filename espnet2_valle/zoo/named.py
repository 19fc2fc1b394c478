"""The files that the YAML files of a packed model name: each is one of its own."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from espnet2_valle.common.errors import InputError
from espnet2_valle.zoo.archive import PACK_AGAIN, UNTRUSTED, Contents, check_inside

# Keys whose value, where it is text, is opened as a file.
FILE_KEYS = ("token_list", "codec_config", "bpemodel", "train_config")
SECTION = "options"  # of codec.yaml
CODEC_MODEL = "model"  # in codec.yaml: a file beside it


class NamedFiles:
    """The YAML files of a pack, with the files that they name as paths in `target`.

    As ESPnet does it, a text that is the name of a file of the pack becomes its path.

    Args:
        contents: of the pack.
        yaml_files: argument -> name.
        target: the folder that the files are to lie in.

    Attributes:
        texts: name of a YAML file -> its content, as YAML.
        names: of the files that they name.

    Raises:
        InputError: one is not YAML, or names a file that is not in the pack.
    """

    def __init__(self, contents: Contents, yaml_files: Mapping[str, str], target: Path):
        self.contents = contents
        self.target = target
        self.names: set[str] = set()
        self.texts: dict[str, str] = {}
        for name in dict.fromkeys(yaml_files.values()):
            self.texts[name] = yaml.safe_dump(self._read(name))
        codec = yaml_files.get("codec_config")
        if codec is not None:
            self._find_codec_model(codec)

    def _read(self, name: str) -> Any:
        try:
            content = yaml.safe_load(self.contents.read(name))
            known: dict[int, Any] = {}
            content = self._with_paths(content, known)
        except (yaml.YAMLError, UnicodeError, RecursionError) as error:
            raise InputError(
                self.contents.where, f"its '{name}' is not plain YAML ({error})", PACK_AGAIN
            ) from error
        if isinstance(content, dict):
            for section in (content, content.get(SECTION)):
                self._check_files(name, section)
        return content

    def _with_paths(self, value: Any, known: dict[int, Any]) -> Any:
        """`value` with paths for names. `known` has what was met: aliases can name one value without end."""
        if isinstance(value, str):
            return self._path(value)
        if not isinstance(value, dict | list):
            return value
        if id(value) not in known:
            known[id(value)] = None  # of a value that holds itself
            known[id(value)] = (
                {key: self._with_paths(one, known) for key, one in value.items()}
                if isinstance(value, dict)
                else [self._with_paths(one, known) for one in value]
            )
        return known[id(value)]

    def _path(self, value: str) -> str:
        path = PurePosixPath(value)
        if not value or path.is_absolute() or ".." in path.parts or "\0" in value:
            return value
        try:
            found = str(path) in self.contents
        except (OSError, InputError):  # too long for a name, or none that a pack may have
            return value
        if not found:
            return value
        self.names.add(str(path))
        return str(self.target / path)

    def _check_files(self, where: str, section: Any) -> None:
        for key in FILE_KEYS:
            value = section.get(key) if isinstance(section, dict) else None
            if isinstance(value, str) and value and not Path(value).is_relative_to(self.target):
                raise InputError(
                    f"{self.contents.where}: {where}", f"{key} names '{value}', which is not in it", UNTRUSTED
                )

    def _find_codec_model(self, config: str) -> None:
        """Add the model that codec.yaml names, beside it."""
        content = yaml.safe_load(self.texts[config])
        model = content.get(CODEC_MODEL) if isinstance(content, dict) else None
        if not isinstance(model, str) or not model or Path(model).is_relative_to(self.target):
            return
        check_inside(f"{self.contents.where}: {config}", [model])
        self.names.add(str(PurePosixPath(config).parent / model))
