"""The embedded corpus: which voices say which words, and their sound files."""

import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from espnet2_valle.common.audio import write_audio
from espnet2_valle.common.conf import locate
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, remove_unfinished
from espnet2_valle.common.options import load
from espnet2_valle.corpus.synthetic.espeak import EspeakVoice
from espnet2_valle.corpus.synthetic.espeak_speech import speak, speaker_name
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import Pair, write_pairs
from espnet2_valle.jobs.pool import parallel_map, use_cluster

DONE = "mini.yaml"  # copy of the config, written last
SPLITS = ("train", "valid", "test")
PARTS = {"train": ("train",), "valid": ("valid",), "test": ("prompts", "targets")}  # of each


@dataclass(frozen=True)
class Amount:
    """Amount of one voice's speech: `utterances` of `words[0]` to `words[1]` words."""

    utterances: int
    words: tuple[int, int]


@dataclass(frozen=True)
class Speaker:
    """An espeak-ng voice, but for what all voices share; see `EspeakVoice`."""

    variant: str
    accent: str
    pitch: int


@dataclass(frozen=True)
class MiniConfig:
    """conf/mini.yaml, which says what each is."""

    seed: int
    sample_rate: int
    rate: int
    pitch_range: int
    edge_seconds: float
    vocabulary: tuple[str, ...]
    train: Amount
    valid: Amount
    prompts: Amount
    targets: Amount
    train_voices: tuple[Speaker, ...]
    valid_voices: tuple[Speaker, ...]
    test_voices: tuple[Speaker, ...]

    @classmethod
    def load(cls, path: str | Path) -> "MiniConfig":
        """Read and check the YAML file.

        Raises:
            InputError: no such file, a missing or misspelt key, or a voice in two splits.
        """
        return load(cls, path, example="conf/mini.yaml")

    def __post_init__(self) -> None:
        keep_apart(self.voices)

    @property
    def amounts(self) -> dict[str, Amount]:
        """Amount of a voice's speech in each part."""
        return {"train": self.train, "valid": self.valid, "prompts": self.prompts, "targets": self.targets}

    @property
    def voices(self) -> dict[str, list[EspeakVoice]]:
        """The voices of each split."""
        return {
            split: [
                EspeakVoice(**asdict(voice), pitch_range=self.pitch_range, rate=self.rate)
                for voice in getattr(self, f"{split}_voices")
            ]
            for split in SPLITS
        }


@dataclass(frozen=True)
class MiniUtterance:
    """`voice` says `words`, of `language` where a corpus has several (ISO 639-1).

    Attributes:
        emotion: how, where a corpus has several.
        separator, ending: marks behind words, which decide on pauses and contour.
        gain: dB above the level of all corpora.
    """

    key: str
    speaker: str
    voice: EspeakVoice
    words: tuple[str, ...]
    language: str = ""
    emotion: str = ""
    separator: str = ", "
    ending: str = "."
    gain: float = 0.0


class Timbre(Protocol):
    """A voice, as far as its sound goes whatever it speaks."""

    @property
    def variant(self) -> str:
        """Variant of espeak-ng."""
        ...


def keep_apart(voices: Mapping[str, Iterable[Timbre]]) -> None:
    """Raise InputError at a timbre that is in two of the sets, which `voices` are of."""
    seen: dict[str, str] = {}
    for split, own in voices.items():
        for voice in own:
            if seen.setdefault(voice.variant, split) != split:
                raise InputError(
                    f"{split}_voices", f"variant '{voice.variant}' is in two sets", "Keep it in one of them"
                )


class Spoken(Protocol):
    """An embedded corpus, as its config says."""

    @property
    def seed(self) -> int:
        """Seed of its texts and pairs."""
        ...

    @property
    def vocabulary(self) -> Sequence[str]:
        """All words."""
        ...

    @property
    def sample_rate(self) -> int:
        """Rate in Hz."""
        ...

    @property
    def edge_seconds(self) -> float:
        """Silence at both ends."""
        ...


def plan(config: MiniConfig) -> dict[str, list[MiniUtterance]]:
    """Decide who says what: no text comes twice, neither in one set nor in two."""
    rng = random.Random(config.seed)
    used: set[tuple[str, ...]] = set()
    planned: dict[str, list[MiniUtterance]] = {}
    # Test first: its short texts are then the ones that training avoids.
    for split in reversed(SPLITS):
        planned[split] = [
            MiniUtterance(f"{speaker_name(voice)}_{part[0]}{number:02d}", speaker_name(voice), voice, words)
            for voice in config.voices[split]
            for part in PARTS[split]
            for number, words in enumerate(random_texts(config.vocabulary, config.amounts[part], used, rng))
        ]
    return planned


def random_texts(
    vocabulary: Sequence[str], amount: Amount, used: set[tuple[str, ...]], rng: random.Random
) -> Iterable[tuple[str, ...]]:
    """Random texts that are not in `used` yet, and now are."""
    for _ in range(amount.utterances):
        while True:
            words = tuple(rng.choice(vocabulary) for _ in range(rng.randint(*amount.words)))
            if words not in used:
                break
        used.add(words)
        yield words


def plan_pairs(utterances: Sequence[MiniUtterance], seed: int) -> list[Pair]:
    """One pair for each target utterance of the test set; its prompts take turns."""
    rng = random.Random(seed)
    prompts: dict[str, list[str]] = {}
    for utterance in utterances:
        if _is_prompt(utterance):
            prompts.setdefault(utterance.speaker, []).append(utterance.key)
    pairs = []
    for number, target in enumerate(u for u in utterances if not _is_prompt(u)):
        own = prompts[target.speaker]
        other = rng.choice([speaker for speaker in prompts if speaker != target.speaker])
        pairs.append(Pair(target.key, own[number % len(own)], target.key, rng.choice(prompts[other])))
    return pairs


def _is_prompt(utterance: MiniUtterance) -> bool:
    return utterance.key.rsplit("_", 1)[1].startswith("p")


def speak_words(utterance: MiniUtterance, sample_rate: int, edge_seconds: float) -> np.ndarray:
    """Speak one utterance with a short pause after each word; see `speak`."""
    # A comma after each word makes espeak-ng speak them as a list, with its own pause and intonation.
    text = utterance.separator.join(utterance.words) + utterance.ending
    return speak(text, utterance.voice, sample_rate, edge_seconds, utterance.gain)


def _write(utterance: MiniUtterance, folder: Path, config: Spoken) -> str:
    path = folder / f"{utterance.key}.flac"
    wav = speak_words(utterance, config.sample_rate, config.edge_seconds)
    write_audio(path, wav, config.sample_rate)
    return str(path)


def generate(
    planned: Mapping[str, Sequence[MiniUtterance]], config: Spoken, output_dir: str | Path, nj: int = 1
) -> dict[str, DataDir]:
    """Write the sound files under `output_dir`/wav and return the sets, not written yet.

    Args:
        planned: utterances of each set.
        config: of their sound.
        output_dir: the corpus' data directory.
        nj: number of processes; the bytes do not depend on it.
    """
    output_dir = Path(output_dir)
    sets = {}
    for split, utterances in planned.items():
        folder = output_dir / "wav" / split
        write = partial(_write, folder=folder, config=config)
        paths = list(parallel_map(write, utterances, nj=nj, title=f"mini {split}"))
        remove_unfinished(folder)
        sets[split] = DataDir(
            output_dir / split,
            {u.key: path for u, path in zip(utterances, paths)},
            {u.key: " ".join(u.words) for u in utterances},
            {u.key: u.speaker for u in utterances},
            {u.key: u.language for u in utterances if u.language},
            {u.key: u.emotion for u in utterances if u.emotion},
        )
    return sets


def write_mini(output_dir: Path, config: Path, nj: int = 1) -> None:
    """Write sound files, data directories, vocabulary and pairs; does nothing if they are there.

    Args:
        output_dir: data directory, such as data/mini.
        config: see `MiniConfig`.
        nj: processes.

    Raises:
        InputError: see `MiniConfig.load`.
    """
    path = locate(config)
    mini = MiniConfig.load(path)
    write_corpus(output_dir, path.read_text(encoding="utf-8"), DONE, plan(mini), mini, nj)


def write_corpus(
    output_dir: Path,
    content: str,
    marker: str,
    planned: Mapping[str, Sequence[MiniUtterance]],
    config: Spoken,
    nj: int,
) -> None:
    """Write an embedded corpus as planned; does nothing if it is there.

    Args:
        output_dir: data directory.
        content: of the config; `marker` names its copy there, which is written last.
        planned: utterances of each set.
        config: of their sound, words and pairs.
        nj: processes.
    """
    done = output_dir / marker
    if done.is_file() and done.read_text(encoding="utf-8") == content:
        logging.info("%s is there already", output_dir)
        return
    with use_cluster():
        sets = generate(planned, config, output_dir, nj)
    for data in sets.values():
        data.write()
    with atomic_open(output_dir / "vocabulary") as stream:
        stream.writelines(f"{word}\n" for word in config.vocabulary)
    write_pairs(output_dir / "test" / "pairs", plan_pairs(planned["test"], config.seed))
    with atomic_open(done) as stream:
        stream.write(content)
