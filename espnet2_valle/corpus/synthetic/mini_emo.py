"""The embedded corpus of several emotions: the voices of `mini`, whose manner is changed by rule."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from espnet2_valle.common.conf import locate, read_config
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import build
from espnet2_valle.corpus.synthetic.espeak import EspeakVoice
from espnet2_valle.corpus.synthetic.espeak_speech import speaker_name
from espnet2_valle.corpus.synthetic.mini import (
    PARTS,
    SPLITS,
    Amount,
    MiniUtterance,
    Speaker,
    keep_apart,
    random_texts,
    write_corpus,
)

DONE = "mini_emo.yaml"  # what the config says with its base, written last
LOWEST, HIGHEST = 0, 99  # of espeak-ng's pitch


@dataclass(frozen=True)
class Manner:
    """An emotion as a rule: least and most of what is drawn for each utterance.

    Attributes:
        rate: words a minute.
        pitch: added to the voice's own, in espeak-ng's numbers.
        pitch_range: of espeak-ng, 50 is the voice's own intonation.
        gain: dB.
        separator, ending: marks behind words, whose contour espeak-ng gives them.
    """

    rate: tuple[int, int]
    pitch: tuple[int, int]
    pitch_range: tuple[int, int]
    gain: tuple[float, float]
    separator: str
    ending: str

    def of(self, utterance: MiniUtterance, emotion: str, rng: random.Random) -> MiniUtterance:
        """An utterance in this manner."""
        pitch = utterance.voice.pitch + rng.randint(*self.pitch)
        voice = replace(
            utterance.voice,
            rate=rng.randint(*self.rate),
            pitch=min(max(pitch, LOWEST), HIGHEST),
            pitch_range=rng.randint(*self.pitch_range),
        )
        return replace(
            utterance,
            voice=voice,
            emotion=emotion,
            separator=self.separator,
            ending=self.ending,
            gain=rng.uniform(*self.gain),
        )


@dataclass(frozen=True)
class MiniEmoConfig:
    """conf/mini_emo.yaml, which says what each is."""

    seed: int
    sample_rate: int
    edge_seconds: float
    vocabulary: tuple[str, ...]
    emotions: dict[str, Manner]
    prompt_emotion: str
    train: Amount
    valid: Amount
    prompts: Amount
    targets: Amount
    train_voices: tuple[Speaker, ...]
    valid_voices: tuple[Speaker, ...]
    test_voices: tuple[Speaker, ...]

    @classmethod
    def load(cls, path: str | Path) -> "MiniEmoConfig":
        """Read and check the YAML file, which may have a `base`.

        Raises:
            InputError: no such file, a missing or misspelt key, a timbre in two sets, a rule that goes from
                more to less, or prompts of no emotion.
        """
        return build(cls, read_config(path), str(path), example="conf/mini_emo.yaml")

    def __post_init__(self) -> None:
        keep_apart(self.voices)
        if self.prompt_emotion not in self.emotions:
            raise InputError(
                "prompt_emotion",
                f"there is no '{self.prompt_emotion}'",
                f"Choose one of {', '.join(self.emotions)}",
            )
        for name, manner in self.emotions.items():
            for key in ("rate", "pitch", "pitch_range", "gain"):
                least, most = getattr(manner, key)
                if least > most:
                    raise InputError(
                        f"emotions.{name}.{key}", f"goes from {least} to {most}", "Write the least first"
                    )

    @property
    def voices(self) -> dict[str, tuple[Speaker, ...]]:
        """The voices of each set."""
        return {split: getattr(self, f"{split}_voices") for split in SPLITS}

    def emotions_of(self, part: str) -> Sequence[str]:
        """The emotions that take turns in a part of a set."""
        return [self.prompt_emotion] if part == "prompts" else list(self.emotions)


def plan(config: MiniEmoConfig) -> dict[str, list[MiniUtterance]]:
    """Decide who says what and how: no text comes twice, neither in one set nor in two."""
    rng = random.Random(config.seed)
    used: set[tuple[str, ...]] = set()
    planned: dict[str, list[MiniUtterance]] = {}
    # Test first: its short texts are then the ones that training avoids.
    for split in reversed(SPLITS):
        planned[split] = []
        for place, speaker in enumerate(config.voices[split]):
            voice = EspeakVoice(speaker.accent, speaker.variant, speaker.pitch, 0, 0)  # the rest is drawn
            name = speaker_name(voice)
            for part in PARTS[split]:
                emotions = config.emotions_of(part)
                texts = random_texts(config.vocabulary, getattr(config, part), used, rng)
                for number, words in enumerate(texts):
                    # Another voice begins with another emotion, so that a remainder is of none in particular.
                    emotion = emotions[(number + place) % len(emotions)]
                    key = f"{name}_{part[0]}{number:02d}"
                    plain = MiniUtterance(key, name, voice, words)
                    planned[split].append(config.emotions[emotion].of(plain, emotion, rng))
    return planned


def write_mini_emo(output_dir: Path, config: Path, nj: int = 1) -> None:
    """Write sound files, data directories, vocabulary and pairs; does nothing if they are there.

    Args:
        output_dir: data directory, such as data/mini_emo.
        config: see `MiniEmoConfig`.
        nj: processes.

    Raises:
        InputError: see `MiniEmoConfig.load`.
    """
    path = locate(config)
    mini_emo = MiniEmoConfig.load(path)
    content = yaml.safe_dump(read_config(path), sort_keys=False)
    write_corpus(output_dir, content, DONE, plan(mini_emo), mini_emo, nj)
