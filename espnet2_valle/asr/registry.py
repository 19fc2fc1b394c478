"""Recognisers by the name that a configuration gives them. A new one is a class and a line here."""

from pathlib import Path

from espnet2_valle.asr.phones import PhoneScorer
from espnet2_valle.asr.pretrained import (
    CTRANSLATE2_FILE,
    ESPnetRecognizer,
    HuggingFaceRecognizer,
    WhisperRecognizer,
)
from espnet2_valle.asr.recognizer import AbsRecognizer, CTCRecognizer, NoRecognizer, PocketsphinxRecognizer
from espnet2_valle.common.registry import Component, Registry

RECOGNIZERS: Registry[type[AbsRecognizer]] = Registry(
    "recogniser",
    {
        "ctc": CTCRecognizer,
        "espnet": ESPnetRecognizer,
        "huggingface": HuggingFaceRecognizer,
        "none": NoRecognizer,
        "pocketsphinx": PocketsphinxRecognizer,
        "whisper": WhisperRecognizer,
    },
)
# What may choose among candidates of an utterance: any recogniser by the words it hears, or one of phones.
CHOOSERS: Registry[type[AbsRecognizer] | type[PhoneScorer]] = Registry(
    "chooser", {**{name: RECOGNIZERS[name] for name in RECOGNIZERS}, "phones": PhoneScorer}
)
POCKETSPHINX = "pocketsphinx"
LISTENERS_HELP = (
    "for a recording without text: pocketsphinx (English), whisper, or the folder of one: a model of "
    "CTranslate2, or what `valle asr train` made"
)


def open_recognizer(choice: str) -> AbsRecognizer:
    """Open a recogniser of words by its name, or by the folder that it lies in.

    Raises:
        InputError: it cannot be had.
    """
    if choice in RECOGNIZERS and not Path(choice).is_dir():
        return RECOGNIZERS.build(Component(choice))
    if (Path(choice) / CTRANSLATE2_FILE).is_file():
        return WhisperRecognizer(choice)
    return CTCRecognizer(choice)
