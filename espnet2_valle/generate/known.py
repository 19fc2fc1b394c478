"""Languages and style that a model may be told, for those who show them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from espnet2_valle.valle.styles import ATTRIBUTES

if TYPE_CHECKING:
    from espnet2_valle.generate.text2speech import Text2Speech


@dataclass(frozen=True)
class Known:
    """Languages and style that a model may be told.

    Attributes:
        languages: that it reads, ISO 639-1.
        accents: languages of its IDs.
        emotions: labels.
        levels: highest value of each attribute of style, by name.
    """

    languages: tuple[str, ...] = ()
    accents: tuple[str, ...] = ()
    emotions: tuple[str, ...] = ()
    levels: Mapping[str, int] = field(default_factory=dict)


def known_of(text2speech: "Text2Speech") -> Known:
    """Languages and style that an open model may be told."""
    sizes = text2speech.style_conditions.sizes
    levels = {name: size for name, size in sizes.items() if name in ATTRIBUTES}
    return Known(text2speech.languages, text2speech.told_languages, text2speech.emotions, levels)
