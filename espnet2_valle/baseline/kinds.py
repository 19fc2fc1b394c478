"""Which of ESPnet's TTS systems stand beside VALL-E, and what each needs from the recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Kind:
    """One system.

    Attributes:
        task: `tts` or `gan_tts`: trained as by espnet2.bin.<task>_train.
        embedding: (option, key) of the size of a speaker embedding.
        rates: (option, key) of each place that holds the sample rate.
        statistics: option of a normalisation -> feature whose mean and variance it needs.
        timed: it learns from durations of tokens, which a teacher gives.
    """

    task: str
    embedding: tuple[str, str]
    rates: tuple[tuple[str, str], ...]
    statistics: Mapping[str, str] = field(default_factory=dict)
    timed: bool = False


KINDS = {
    "vits": Kind(
        task="gan_tts",
        embedding=("tts_conf", "generator_params.spk_embed_dim"),
        rates=(("tts_conf", "sampling_rate"), ("tts_conf", "mel_loss_params.fs")),
    ),
    "tacotron2": Kind(
        task="tts",
        embedding=("tts_conf", "spk_embed_dim"),
        rates=(("feats_extract_conf", "fs"),),
        statistics={"normalize": "feats"},
    ),
    "fastspeech2": Kind(
        task="tts",
        embedding=("tts_conf", "spk_embed_dim"),
        rates=(("feats_extract_conf", "fs"), ("pitch_extract_conf", "fs"), ("energy_extract_conf", "fs")),
        statistics={"normalize": "feats", "pitch_normalize": "pitch", "energy_normalize": "energy"},
        timed=True,
    ),
}
