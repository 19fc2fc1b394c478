"""The data directory of a variant whose prompts are changed."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from espnet2_valle.common.audio import audio_seconds, read_audio, write_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.seeds import seed_of
from espnet2_valle.data.datadir import DataDir
from espnet2_valle.data.pairs import NO_OTHER, Pair, write_pairs
from espnet2_valle.study.config import PromptChange
from espnet2_valle.study.prompts import choose_recordings, join, mix, music, pink_noise

PAIRS = "pairs"


def change_prompts(
    pairs: Sequence[Pair], data: DataDir, change: PromptChange, seed: int, folder: Path
) -> None:
    """Write a data directory and its `pairs`, in which each pair has a prompt of its own.

    Args:
        pairs: of the test.
        data: its utterances.
        change: what is done to the prompts.
        seed: of the choice of recordings and of the disturbances; each pair draws for itself.
        folder: gets wav/, wav.scp, text, utt2spk, spk2utt and, last, pairs.

    Raises:
        InputError: a pair has no other speaker whose voice could be laid under it, or its speaker no other
            recording.
    """
    durations = {name: audio_seconds(wav) for name, wav in data.wavs.items()} if change.seconds else {}
    wavs, texts, speakers = dict(data.wavs), dict(data.texts), dict(data.speakers)
    changed = []
    for pair in pairs:
        rng = np.random.default_rng(seed_of(seed, pair.pair_id))
        chosen = [pair.prompt_utt]
        if change.seconds is not None:
            chosen = choose_recordings(_candidates(pair, data, durations), change.seconds, rng)
        wav, rate = read_audio(data.wavs[chosen[0]])
        if len(chosen) > 1:
            wav = join([wav, *(read_audio(data.wavs[name], rate)[0] for name in chosen[1:])], rate)
        if change.disturbance:
            wav = mix(wav, _disturbance(change.disturbance, pair, data, len(wav), rate, rng), change.snr)
        name = f"{data.speakers[pair.target_utt]}-prompt-{pair.pair_id}"
        path = folder / "wav" / f"{name}.wav"
        write_audio(path, wav, rate)
        wavs[name] = str(path.absolute())
        texts[name] = " ".join(data.texts[one] for one in chosen)
        speakers[name] = data.speakers[pair.target_utt]
        changed.append(Pair(pair.pair_id, name, pair.target_utt, pair.other_utt))
    DataDir(folder, wavs, texts, speakers).write()
    write_pairs(folder / PAIRS, changed)


def _candidates(pair: Pair, data: DataDir, durations: Mapping[str, float]) -> dict[str, float]:
    """Recordings of the target's speaker in which something else is said."""
    speaker, text = data.speakers[pair.target_utt], data.texts[pair.target_utt]
    found = {
        name: seconds
        for name, seconds in durations.items()
        if data.speakers[name] == speaker and name != pair.target_utt and data.texts[name] != text
    }
    if not found:
        raise InputError(
            data.path, f"'{speaker}' has but one text, so no prompt for {pair.pair_id}", "Leave out the pair"
        )
    return found


def _disturbance(
    kind: str, pair: Pair, data: DataDir, samples: int, rate: int, rng: np.random.Generator
) -> np.ndarray:
    """Make the sound that is laid under the prompt: (T,) at `rate`, of any length."""
    if kind == "noise":
        return pink_noise(samples, rng)
    if kind == "music":
        return music(samples, rate, rng)
    if pair.other_utt == NO_OTHER:
        raise InputError(
            data.path, f"{pair.pair_id} has no other speaker for a second voice", "Leave the variant out"
        )
    return read_audio(data.wavs[pair.other_utt], rate)[0]
