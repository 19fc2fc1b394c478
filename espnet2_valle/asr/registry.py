"""Recognisers by the name that a configuration gives them. A new one is a class and a line here."""

from espnet2_valle.asr.phones import PhoneScorer
from espnet2_valle.asr.pretrained import ESPnetRecognizer, HuggingFaceRecognizer, WhisperRecognizer
from espnet2_valle.asr.recognizer import AbsRecognizer, CTCRecognizer, NoRecognizer, PocketsphinxRecognizer
from espnet2_valle.common.registry import Registry

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
