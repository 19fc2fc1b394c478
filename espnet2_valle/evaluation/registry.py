"""All scorers by the name that conf/score gives them. A new one is a class and a line here."""

from espnet2_valle.common.registry import Registry
from espnet2_valle.evaluation.mos import (
    AbsQualityScorer,
    DistillMOSScorer,
    DNSMOSP808Scorer,
    DNSMOSScorer,
    TorchHubScorer,
)
from espnet2_valle.evaluation.speaker import (
    AbsSpeakerEncoder,
    CAMPPlusEncoder,
    ESPnetEncoder,
    ResemblyzerEncoder,
    WavLMEncoder,
)

SPEAKER_ENCODERS: Registry[type[AbsSpeakerEncoder]] = Registry(
    "speaker encoder",
    {
        "campplus": CAMPPlusEncoder,
        "espnet": ESPnetEncoder,
        "resemblyzer": ResemblyzerEncoder,
        "wavlm": WavLMEncoder,
    },
)
QUALITY_SCORERS: Registry[type[AbsQualityScorer]] = Registry(
    "quality scorer",
    {
        "distillmos": DistillMOSScorer,
        "dnsmos": DNSMOSScorer,
        "dnsmos_p808": DNSMOSP808Scorer,
        "torch_hub": TorchHubScorer,
    },
)
