"""The embedded corpus of several languages: each voice speaks one, and those of the test all."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet2_valle.common.conf import locate
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import load
from espnet2_valle.corpus.synthetic.espeak import EspeakVoice
from espnet2_valle.corpus.synthetic.mini import (
    SPLITS,
    Amount,
    MiniUtterance,
    keep_apart,
    random_texts,
    write_corpus,
)

DONE = "mini_x.yaml"  # copy of the config, written last
TRAIN, VALID, PROMPTS, WITHIN, ACROSS = "train", "valid", "prompts", "targets", "across"


@dataclass(frozen=True)
class Tongue:
    """A language as espeak-ng's `voice` speaks it, and the words that are said in it."""

    voice: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class Speaker:
    """A voice, and the language that it speaks (in the test: that of its prompts)."""

    variant: str
    language: str
    pitch: int

    @property
    def name(self) -> str:
        """Name as a speaker of the corpus."""
        return f"{self.variant.lower()}-{self.language}-{self.pitch:02d}"


@dataclass(frozen=True)
class MiniXConfig:
    """conf/mini_x.yaml, which says what each is."""

    seed: int
    sample_rate: int
    rate: int
    pitch_range: int
    edge_seconds: float
    languages: dict[str, Tongue]
    train: Amount
    valid: Amount
    prompts: Amount
    targets: Amount
    across: Amount
    train_voices: tuple[Speaker, ...]
    valid_voices: tuple[Speaker, ...]
    test_voices: tuple[Speaker, ...]

    @classmethod
    def load(cls, path: str | Path) -> "MiniXConfig":
        """Read and check the YAML file.

        Raises:
            InputError: no such file, a missing or misspelt key, a timbre in two sets, a voice of no language,
                or a word of two.
        """
        return load(cls, path, example="conf/mini_x.yaml")

    def __post_init__(self) -> None:
        keep_apart(self.voices)
        for split, voices in self.voices.items():
            for voice in voices:
                if voice.language not in self.languages:
                    known = ", ".join(self.languages)
                    raise InputError(
                        f"{split}_voices", f"'{voice.language}' is no language", f"Choose one of {known}"
                    )
        owners: dict[str, str] = {}
        for language, tongue in self.languages.items():
            for word in tongue.words:
                if owners.setdefault(word, language) != language:
                    raise InputError(
                        "languages",
                        f"'{word}' is a word of {owners[word]} and of {language}, and words tell them apart",
                        "Take another one",
                    )

    @property
    def voices(self) -> dict[str, tuple[Speaker, ...]]:
        """The voices of each set."""
        return {split: getattr(self, f"{split}_voices") for split in SPLITS}

    @property
    def vocabulary(self) -> list[str]:
        """The words of all languages."""
        return [word for tongue in self.languages.values() for word in tongue.words]

    def voice(self, speaker: Speaker, language: str) -> EspeakVoice:
        """A speaker as he speaks a language."""
        return EspeakVoice(
            self.languages[language].voice, speaker.variant, speaker.pitch, self.pitch_range, self.rate
        )

    def parts(self, split: str, speaker: Speaker) -> Iterator[tuple[str, str]]:
        """Yield the parts of a set and the language that a speaker says them in."""
        if split != "test":
            yield split, speaker.language
            return
        yield PROMPTS, speaker.language
        yield WITHIN, speaker.language
        for language in self.languages:
            if language != speaker.language:
                yield ACROSS, language


def plan(config: MiniXConfig) -> dict[str, list[MiniUtterance]]:
    """Decide who says what: no text comes twice, neither in one set nor in two."""
    rng = random.Random(config.seed)
    used: set[tuple[str, ...]] = set()
    amounts: Mapping[str, Amount] = {
        part: getattr(config, part) for part in (TRAIN, VALID, PROMPTS, WITHIN, ACROSS)
    }
    planned: dict[str, list[MiniUtterance]] = {}
    # Test first: its short texts are then the ones that training avoids.
    for split in reversed(SPLITS):
        planned[split] = []
        for speaker in config.voices[split]:
            for part, language in config.parts(split, speaker):
                # p is of a prompt, see `mini.plan_pairs`
                beginning = f"{speaker.name}_{part[0]}{'' if part != ACROSS else language}"
                words = config.languages[language].words
                planned[split] += [
                    MiniUtterance(
                        f"{beginning}{number:02d}",
                        speaker.name,
                        config.voice(speaker, language),
                        text,
                        language,
                    )
                    for number, text in enumerate(random_texts(words, amounts[part], used, rng))
                ]
    return planned


def write_mini_x(output_dir: Path, config: Path, nj: int = 1) -> None:
    """Write sound files, data directories, vocabulary and pairs; does nothing if they are there.

    Args:
        output_dir: data directory, such as data/mini_x.
        config: see `MiniXConfig`.
        nj: processes.

    Raises:
        InputError: see `MiniXConfig.load`.
    """
    path = locate(config)
    mini_x = MiniXConfig.load(path)
    write_corpus(output_dir, path.read_text(encoding="utf-8"), DONE, plan(mini_x), mini_x, nj)
