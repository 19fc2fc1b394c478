"""All scorers by the name that conf/score gives them. A new one is a class and a line here."""

from espnet2_valle.score.choices import Choices
from espnet2_valle.score.mos import AbsQualityScorer, DNSMOSP808Scorer, DNSMOSScorer, TorchHubScorer
from espnet2_valle.score.phones import PhoneScorer
from espnet2_valle.score.recognizer import AbsRecognizer, CTCRecognizer, NoRecognizer, PocketsphinxRecognizer
from espnet2_valle.score.recognizer_models import ESPnetRecognizer, HuggingFaceRecognizer, WhisperRecognizer
from espnet2_valle.score.speaker import AbsSpeakerEncoder, ESPnetEncoder, ResemblyzerEncoder, WavLMEncoder

RECOGNIZERS: Choices[AbsRecognizer] = Choices(
    "recogniser",
    {
        "none": NoRecognizer,
        "pocketsphinx": PocketsphinxRecognizer,
        "ctc": CTCRecognizer,
        "espnet": ESPnetRecognizer,
        "whisper": WhisperRecognizer,
        "huggingface": HuggingFaceRecognizer,
    },
)
# What may choose among candidates of an utterance: any recogniser by the words it hears, or one of phones.
CHOOSERS: Choices[AbsRecognizer | PhoneScorer] = Choices(
    "chooser", {**RECOGNIZERS.classes, "phones": PhoneScorer}
)
SPEAKER_ENCODERS: Choices[AbsSpeakerEncoder] = Choices(
    "speaker encoder", {"resemblyzer": ResemblyzerEncoder, "espnet": ESPnetEncoder, "wavlm": WavLMEncoder}
)
QUALITY_SCORERS: Choices[AbsQualityScorer] = Choices(
    "quality scorer", {"dnsmos": DNSMOSScorer, "dnsmos_p808": DNSMOSP808Scorer, "torch_hub": TorchHubScorer}
)
