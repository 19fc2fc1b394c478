"""ESPnet's own TTS systems that can stand beside VALL-E. A new one is an entry here and its configs.

The recipe, the commands and the tables ask here: nothing else names a system. Its configs bear its name and
lie in conf/baseline/mini/ and conf/baseline/full/.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from espnet2_valle.common.registry import Registry
from espnet2_valle.evaluation.table import SYSTEM_NAMES


@dataclass(frozen=True)
class Kind:
    """One system. All learn from speaker embeddings, so that they speak in the voice of a prompt.

    Attributes:
        title: its name in tables and reports.
        task: `tts` or `gan_tts`: trained as by espnet2.bin.<task>_train.
        embedding: (option, key) of the size of a speaker embedding.
        rates: (option, key) of each place that holds the sample rate.
        statistics: option of a normalisation -> feature whose mean and variance it needs.
        teacher: system whose attention gives the durations of tokens that this one learns from; None where it
            needs no durations.
        model_file: checkpoint in its training directory that speaks.
    """

    title: str
    task: str
    embedding: tuple[str, str]
    rates: tuple[tuple[str, str], ...]
    statistics: Mapping[str, str] = field(default_factory=dict)
    teacher: str | None = None
    model_file: str = "valid.loss.ave.pth"


KINDS: Registry[Kind] = Registry(
    "--baseline",
    {
        "vits": Kind(
            title="VITS",
            task="gan_tts",
            embedding=("tts_conf", "generator_params.spk_embed_dim"),
            rates=(("tts_conf", "sampling_rate"), ("tts_conf", "mel_loss_params.fs")),
            model_file="latest.pth",  # no loss tells which epoch of two opponents sounds best
        ),
        "tacotron2": Kind(
            title="Tacotron 2",
            task="tts",
            embedding=("tts_conf", "spk_embed_dim"),
            rates=(("feats_extract_conf", "fs"),),
            statistics={"normalize": "feats"},
        ),
        "fastspeech2": Kind(
            title="FastSpeech 2",
            task="tts",
            embedding=("tts_conf", "spk_embed_dim"),
            rates=(("feats_extract_conf", "fs"), ("pitch_extract_conf", "fs"), ("energy_extract_conf", "fs")),
            statistics={"normalize": "feats", "pitch_normalize": "pitch", "energy_normalize": "energy"},
            teacher="tacotron2",
        ),
    },
)
SYSTEM_NAMES.update({name: KINDS[name].title for name in KINDS})


def with_teachers(names: Iterable[str]) -> list[str]:
    """List the systems to train: each of `names` behind its teacher, none twice.

    Raises:
        InputError: one is not in KINDS.
    """
    trained: dict[str, None] = {}
    for name in names:
        teacher = KINDS[name].teacher
        trained |= dict.fromkeys([*(with_teachers([teacher]) if teacher else []), name])
    return list(trained)


def training_stages(name: str) -> list[str]:
    """List the recipe's stages in which a system learns, its teacher's before its own."""
    return [f"train_{trained}" for trained in with_teachers([name])]
