"""One output under all judges: from a sound file to a row of scores."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.score.scorers import AbsScorerPlan, load_scorers
from espnet2_valle.score.speaker import similarity

SILENCE_PEAK = 1e-4  # -80 dBFS: three steps of 16-bit audio
DECIMALS = 4  # kept in rows: more would differ with the number of threads
EMBEDDINGS_KEPT = 4096


@dataclass(frozen=True)
class Trial:
    """What a system was asked, and what its output is compared with.

    Attributes:
        pair_id: names the output.
        text: what was to be said.
        prompt: sound file of the voice to be imitated.
        other: sound file of another voice, or None.
    """

    pair_id: str
    text: str
    prompt: str
    other: str | None


@dataclass(frozen=True)
class UtteranceScore:
    """One row.

    Attributes:
        pair_id: of the trial.
        fingerprint: of all that the row depends on.
        text: what was to be said.
        heard: what the judge heard, "" without audio.
        second_heard: what the second judge heard, None without one.
        seconds: of audio; 0.0 without.
        sim_prompt: cosine of output and prompt, None without audio.
        sim_other: cosine of output and the other voice, None without either.
        dnsmos: None without audio.
    """

    pair_id: str
    fingerprint: str
    text: str
    heard: str
    second_heard: str | None
    seconds: float
    sim_prompt: float | None
    sim_other: float | None
    dnsmos: float | None

    @property
    def has_audio(self) -> bool:
        """Whether there was anything to judge."""
        return self.seconds > 0


@dataclass(frozen=True)
class Task:
    """Work for one worker: one recording (None when there is none) as the output to one or more trials.

    Several trials share their recording in ground truth and resynthesis, where it depends on the text alone.

    Attributes:
        wav: sound file.
        trials: what it is the output to.
        fingerprints: one a trial.
    """

    wav: str | None
    trials: tuple[Trial, ...]
    fingerprints: tuple[str, ...]


def score_recording(task: Task, plan: AbsScorerPlan) -> list[UtteranceScore]:
    """Score one recording, a row a trial.

    An output that is absent, has no samples or is silent is not judged: nothing was heard.

    Raises:
        InputError: a listed sound file is missing or unreadable.
    """
    scorers = load_scorers(plan)
    audio = _read_output(task.wav)
    asked = list(zip(task.trials, task.fingerprints))
    if audio is None:
        nothing = "" if plan.second_name else None
        return [
            UtteranceScore(t.pair_id, mark, t.text, "", nothing, 0.0, None, None, None) for t, mark in asked
        ]
    wav, rate = audio
    voice = scorers.speaker.embed(wav, rate)
    heard = scorers.judge.transcribe(wav, rate)
    second_heard = scorers.second.transcribe(wav, rate) if scorers.second else None
    dnsmos = round(scorers.quality.score(wav, rate), DECIMALS)

    def likeness(path: str) -> float:
        return round(similarity(voice, _voice(plan, path)), DECIMALS)

    return [
        UtteranceScore(
            pair_id=trial.pair_id,
            fingerprint=mark,
            text=trial.text,
            heard=heard,
            second_heard=second_heard,
            seconds=round(len(wav) / rate, DECIMALS),
            sim_prompt=likeness(trial.prompt),
            sim_other=likeness(trial.other) if trial.other else None,
            dnsmos=dnsmos,
        )
        for trial, mark in asked
    ]


def _read_output(path: str | None) -> tuple[np.ndarray, int] | None:
    """Samples and rate, or None where there is nothing to hear."""
    if path is None or _is_empty(path):
        return None
    wav, rate = read_audio(path)
    return (wav, rate) if np.abs(wav).max() > SILENCE_PEAK else None


def _is_empty(path: str) -> bool:
    try:
        return soundfile.info(path).frames == 0
    except (soundfile.LibsndfileError, RuntimeError):
        return False  # read_audio says what is wrong with it


@lru_cache(maxsize=EMBEDDINGS_KEPT)
def _voice(plan: AbsScorerPlan, path: str) -> np.ndarray:
    """Embedding of a prompt: several systems and pairs share it."""
    return load_scorers(plan).speaker.embed(*read_audio(path))


def fingerprint(trial: Trial, wav: str | None, identity: str) -> str:
    """A digest of all that a row depends on: trial, audio by content, judges.

    Raises:
        InputError: a sound file cannot be read.
    """
    digest = hashlib.sha1(f"{trial.pair_id}\n{trial.text}\n{identity}\n".encode())
    for path in (wav, trial.prompt, trial.other):
        digest.update(content_digest(path))
    return digest.hexdigest()


def content_digest(path: str | None) -> bytes:
    """A digest of a file's content; of nothing where there is no file.

    Raises:
        InputError: the file cannot be read.
    """
    if path is None:
        return b""
    try:
        return hashlib.sha1(Path(path).read_bytes()).digest()
    except OSError as error:
        raise InputError(
            path, f"cannot be read ({error.strerror})", "Run the stage that writes it again"
        ) from error
