"""meta.yaml, which says what a packed model consists of."""

from typing import NamedTuple

import yaml

from espnet2_valle.common.errors import InputError
from espnet2_valle.zoo.archive import PACK_AGAIN, check_inside

META = "meta.yaml"


class Meta(NamedTuple):
    """The content of meta.yaml: argument -> name in the pack; names in YAML files become paths."""

    yaml_files: dict[str, str]
    files: dict[str, str]

    @property
    def names(self) -> dict[str, str]:
        """Both."""
        return {**self.yaml_files, **self.files}


def read_meta(where: str, text: bytes) -> Meta:
    """Read and check meta.yaml.

    Raises:
        InputError: it does not name files, or some outside of the model's folder.
    """
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        raise InputError(where, f"its {META} is not YAML ({error})", PACK_AGAIN) from error
    groups: list[dict[str, str]] = []
    for field in Meta._fields:
        group = content.get(field) if isinstance(content, dict) else None
        if not isinstance(group, dict) or not all(
            isinstance(word, str) for pair in group.items() for word in pair
        ):
            raise InputError(where, f"its {META} does not say which files it has", PACK_AGAIN)
        check_inside(where, group.values())
        groups.append(group)
    return Meta(*groups)
