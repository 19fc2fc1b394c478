"""Sentences that espeak-ng's voices read, added to a training set that is too small to learn reading from.

To say a new text an AR model has to know how each sequence of phones sounds and how far it has read. Both are
much the same in any voice: hours of any speech whose text is known teach it, while the recordings teach the
voice. What is read has the words of the training set alone: nothing of the test is learnt.
"""

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

from espnet2_valle.common.audio import audio_rate, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import load
from espnet2_valle.common.resume import digest
from espnet2_valle.corpus.split import words_of
from espnet2_valle.corpus.synthetic.espeak import EspeakVoice
from espnet2_valle.corpus.synthetic.espeak_speech import speak, speaker_name
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.made_from import make_missing

PREFIX = "espeak-"  # of their speakers


@dataclass(frozen=True)
class ReadAloudConfig:
    """conf/read_aloud.yaml, which says what each is."""

    seed: int
    language: str
    rate: int
    pitch_range: int
    edge_seconds: float
    sentence_share: float
    words: tuple[int, int]
    rare_share: float
    accents: tuple[str, ...]
    pitches: tuple[int, ...]
    variants: tuple[str, ...]

    @classmethod
    def load(cls, path: str | Path) -> "ReadAloudConfig":
        """Read and check the YAML file.

        Raises:
            InputError: no such file, a missing or misspelt key, or a value out of range.
        """
        return load(cls, path, example="conf/read_aloud.yaml")

    def __post_init__(self) -> None:
        for name in ("sentence_share", "rare_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(name, f"{getattr(self, name)} is no share", "Give 0 to 1")
        if not 1 <= self.words[0] <= self.words[1]:
            raise InputError("words", f"{list(self.words)} is no range", "Write such as [4, 10]")
        if not self.voices:
            raise InputError("accents, pitches and variants", "name no voice", "Give one of each")

    @property
    def voices(self) -> list[EspeakVoice]:
        """Every variant in every accent at every pitch."""
        return [
            EspeakVoice(accent, variant, pitch, self.pitch_range, self.rate)
            for variant, accent, pitch in product(self.variants, self.accents, self.pitches)
        ]


class Reading(NamedTuple):
    """`voice` reads `text` into the sound file `target` at `rate` Hz."""

    text: str
    voice: EspeakVoice
    target: str
    rate: int
    edge_seconds: float


def invent_texts(texts: Collection[str], count: int, config: ReadAloudConfig) -> list[str]:
    """Decide what is read.

    Args:
        texts: of the training set; how often one occurs does not matter.
        count: how many are wanted.
        config: which kinds.
    """
    sentences = sorted(set(texts))
    words = [word for text in sentences for word in words_of(text)]
    rng, vocabulary = random.Random(config.seed), sorted(set(words))

    def invent() -> str:
        if not words or rng.random() < config.sentence_share:
            return rng.choice(sentences)
        drawn = range(rng.randint(*config.words))
        return " ".join(rng.choice(vocabulary if rng.random() < config.rare_share else words) for _ in drawn)

    return [invent() for _ in range(count)]


def add_readings(
    data: DataDir, count: int, config: ReadAloudConfig, output_dir: str | Path, nj: int = 1
) -> DataDir:
    """Write the set with `count` sentences more; the recordings themselves stay where they are.

    Args:
        data: the set as stage 2 wrote it, all of one rate.
        count: sentences; the voices take turns.
        config: voices and sentences.
        output_dir: of the larger set; the readings go to wav/ in it. Those made before alike are kept.
        nj: processes; the bytes do not depend on it.

    Returns:
        the larger set.

    Raises:
        InputError: a set of another language or with emotions, or espeak-ng is not installed.
    """
    _check_kind(data, config)
    output_dir = Path(output_dir).absolute()
    larger = data.subset(data.wavs, output_dir)
    rate, voices = audio_rate(next(iter(data.wavs.values()))), config.voices
    readings = {}
    for number, text in enumerate(invent_texts(data.texts.values(), count, config)):
        voice = voices[number % len(voices)]
        speaker = PREFIX + speaker_name(voice)
        utterance = f"{speaker}_{number // len(voices):04d}"
        target = output_dir / "wav" / f"{utterance}.flac"
        readings[utterance] = Reading(text, voice, str(target), rate, config.edge_seconds)
        _add(larger, utterance, readings[utterance], speaker, config.language)
    states = {name: reading_state(reading) for name, reading in readings.items()}
    made = make_missing(output_dir, states, readings, read_aloud, nj, f"read aloud {data.path.name}")
    silent = {name for name in readings if made[name] == 0}
    larger = larger.subset(larger.wavs.keys() - silent, output_dir)
    larger.write()
    return larger


def reading_state(reading: Reading) -> str:
    """A digest of a reading, wherever it is written."""
    return digest(map(repr, reading._replace(target="")))


def read_aloud(reading: Reading) -> int:
    """Write a reading; return its samples, 0 for a text in which there is nothing to speak."""
    wav = speak(reading.text, reading.voice, reading.rate, reading.edge_seconds)
    write_audio(reading.target, wav, reading.rate)
    return len(wav)


def _add(data: DataDir, utterance: str, reading: Reading, speaker: str, language: str) -> None:
    data.wavs[utterance] = reading.target
    data.texts[utterance] = reading.text
    data.speakers[utterance] = speaker
    if data.languages:
        data.languages[utterance] = language


def _check_kind(data: DataDir, config: ReadAloudConfig) -> None:
    """Raise InputError for a set to which these voices cannot be added."""
    others: Mapping[str, str] = {utt: lang for utt, lang in data.languages.items() if lang != config.language}
    if others:
        utterance, language = next(iter(others.items()))
        raise InputError(
            data.path / "utt2lang",
            f"'{utterance}' is of language '{language}', and '{config.language}' is read aloud",
            "Give --config (run.sh: --read_aloud_config) with voices of that language, "
            "or leave --read_aloud out",
        )
    if data.emotions:
        raise InputError(
            data.path / "utt2emo", "espeak-ng's voices have no emotions", "Leave --read_aloud out"
        )
