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
    """Work for one worker: the output `wav` (None when there is none) to one trial."""

    trial: Trial
    wav: str | None
    fingerprint: str


def score_utterance(task: Task, plan: AbsScorerPlan) -> UtteranceScore:
    """Score one output.

    An output that is absent, has no samples or is silent is not judged: nothing was heard.

    Raises:
        InputError: a listed sound file is missing or unreadable.
    """
    scorers = load_scorers(plan)
    audio = _read_output(task.wav)
    if audio is None:
        nothing = "" if plan.second_name else None
        return UtteranceScore(
            task.trial.pair_id, task.fingerprint, task.trial.text, "", nothing, 0.0, None, None, None
        )
    wav, rate = audio
    voice = scorers.speaker.embed(wav, rate)
    other = task.trial.other
    return UtteranceScore(
        pair_id=task.trial.pair_id,
        fingerprint=task.fingerprint,
        text=task.trial.text,
        heard=scorers.judge.transcribe(wav, rate),
        second_heard=scorers.second.transcribe(wav, rate) if scorers.second else None,
        seconds=round(len(wav) / rate, DECIMALS),
        sim_prompt=round(similarity(voice, _voice(plan, task.trial.prompt)), DECIMALS),
        sim_other=round(similarity(voice, _voice(plan, other)), DECIMALS) if other else None,
        dnsmos=round(scorers.quality.score(wav, rate), DECIMALS),
    )


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
    """A digest of all that a row depends on: text, audio by content, judges.

    Raises:
        InputError: a sound file cannot be read.
    """
    digest = hashlib.sha1(f"{trial.text}\n{identity}".encode())
    for path in (wav, trial.prompt, trial.other):
        digest.update(_content_digest(path) if path else b"none")
    return digest.hexdigest()


@lru_cache(maxsize=EMBEDDINGS_KEPT)
def _content_digest(path: str) -> bytes:
    try:
        return hashlib.sha1(Path(path).read_bytes()).digest()
    except OSError as error:
        raise InputError(
            path, f"cannot be read ({error.strerror})", "Run the stage that writes it again"
        ) from error
