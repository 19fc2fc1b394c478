"""Labels of utterances that a recogniser may learn to hear: emotions and spoken languages."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter

from espnet2_valle.data.combine import UNKNOWN_EMOTION, UNKNOWN_LANGUAGE
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.text.multilingual import normal_code


@dataclass(frozen=True)
class Label:
    """A label of utterances.

    Attributes:
        name: as options, folders and scores.json have it.
        several: its plural.
        file: of a data directory that tells it.
        told: utterance -> label, of a data directory.
        alike: writes a label as the recogniser has it.
        unknown: label of utterances whose label is not known.
        remedy: where a recogniser is missing.
    """

    name: str
    several: str
    file: str
    told: Callable[[DataDir], Mapping[str, str]]
    alike: Callable[[str], str]
    unknown: str
    remedy: str


EMOTION = Label(
    "emotion",
    "emotions",
    "utt2emo",
    attrgetter("emotions"),
    str,
    UNKNOWN_EMOTION,
    remedy="Train one there: valle emotion train, or run.sh --emotion_recognizer true",
)
LANGUAGE = Label(
    "language",
    "languages",
    "utt2lang",
    attrgetter("languages"),
    normal_code,
    UNKNOWN_LANGUAGE,
    remedy="Train one there: valle language train, or run.sh --language_recognizer true",
)
LABELS = (EMOTION, LANGUAGE)
