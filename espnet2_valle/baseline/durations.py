"""Durations of tokens from the attention of a trained Tacotron 2, for FastSpeech 2 to learn from."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import kaldiio
import numpy as np

from espnet2_valle.baseline.data import DURATIONS
from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.espnet_imports import import_espnet_quietly
from espnet2_valle.data.datadir import read_scp, write_scp
from espnet2_valle.jobs.pool import parallel_map, use_cluster
from espnet2_valle.jobs.shards import cut

BATCH_SIZE = 16
CLEAR_FOCUS = 0.5  # below it the attention looks at no token in particular


@dataclass(frozen=True)
class Spoken:
    """An utterance whose tokens are to be timed: key, sound file, token ids, place of its embedding."""

    key: str
    wav: str
    ids: tuple[int, ...]
    spemb: str


@dataclass(frozen=True)
class Timed:
    """An attention in numbers: decoder steps of each token and of the end, its focus from 0 to 1."""

    key: str
    steps: tuple[int, ...]
    focus: float


@lru_cache(maxsize=1)
def _open_teacher(config: str, model_file: str, device: str) -> tuple[Any, Any]:
    """The model in evaluation, and what makes batches for it."""
    from espnet2.tasks.tts import TTSTask

    model, args = TTSTask.build_model_from_file(config, model_file, device)
    return model.eval(), TTSTask.build_collate_fn(args, False)


def _time_batch(config: str, model_file: str, device: str, batch: Sequence[Spoken]) -> list[Timed]:
    """Attention of the teacher, forced along the recordings."""
    import_espnet_quietly()
    import torch
    from espnet2.torch_utils.device_funcs import to_device
    from espnet2.tts.utils import DurationCalculator

    model, collate = _open_teacher(config, model_file, device)
    items = [
        (
            spoken.key,
            {
                "text": np.array(spoken.ids, dtype=np.int64),
                "speech": read_audio(spoken.wav)[0],
                "spembs": np.array(kaldiio.load_mat(spoken.spemb), dtype=np.float32),
            },
        )
        for spoken in batch
    ]
    inputs = to_device(collate(items)[1], device)
    kept: list[Any] = []
    hook = model.tts.dec.register_forward_hook(lambda module, given, outputs: kept.append(outputs[3]))
    try:
        with torch.no_grad():
            model(**inputs)
            frames = model.feats_extract(inputs["speech"], inputs["speech_lengths"])[1]
    finally:
        hook.remove()
    calculator = DurationCalculator()
    timed = []
    for spoken, attention, length in zip(batch, kept[0].cpu(), frames.tolist()):
        own = attention[: length // model.tts.reduction_factor, : len(spoken.ids) + 1]  # 1: the end
        steps, focus = calculator(own)
        timed.append(Timed(spoken.key, tuple(steps.tolist()), float(focus)))
    return timed


def write_durations(
    train_config: str,
    model_file: str,
    wav_scp: str,
    token_int: str,
    spembs: str,
    output_dir: Path,
    nj: int = 1,
    device: str = "cpu",
) -> None:
    """Write durations and focus_rates of a set, see `time_tokens`.

    Args:
        train_config: config.yaml of the teacher.
        model_file: its weights.
        wav_scp, token_int, spembs: files of the set.
        output_dir: where the two files go.
        nj: processes.
        device: where the teacher computes, see `jobs.pool.use_cluster`.

    Raises:
        InputError: a file of the teacher is not there, or the set has no utterance.
    """
    for path in (train_config, model_file):
        if not Path(path).is_file():
            raise InputError(path, "no such file of the teacher", "Train tacotron2 first")
    utterances = spoken_utterances(read_scp(wav_scp), read_scp(token_int), read_scp(spembs))
    if not utterances:
        raise InputError(token_int, f"and {wav_scp} share no utterance", "Give files of one set")
    with use_cluster(device=device):
        timed = time_tokens(train_config, model_file, utterances, nj, device)
    write_scp(output_dir / "focus_rates", {one.key: f"{one.focus:.5f}" for one in timed})
    write_scp(output_dir / DURATIONS, {one.key: " ".join(map(str, one.steps)) for one in timed})


def time_tokens(
    config: str, model_file: str, utterances: Sequence[Spoken], nj: int = 1, device: str = "cpu"
) -> list[Timed]:
    """Durations of utterances by the attention of a Tacotron 2 (argmax, as ESPnet's DurationCalculator).

    Args:
        config: config.yaml of the teacher.
        model_file: its weights.
        utterances: what is said in them.
        nj: processes.
        device: where the teacher computes.

    Returns:
        One a utterance, sorted by key; a warning is logged where the attention is not clear.
    """
    ordered = sorted(utterances, key=lambda spoken: len(spoken.ids), reverse=True)  # as its encoder wants it
    batches = cut(ordered, BATCH_SIZE)
    work = partial(_time_batch, config, model_file, device)
    timed = [one for batch in parallel_map(work, batches, nj, "durations") for one in batch]
    focus = float(np.mean([one.focus for one in timed]))
    logging.info("focus rate of the teacher's attention: %.3f", focus)
    if focus < CLEAR_FOCUS:
        logging.warning("%s: the attention is not clear: train the teacher longer", Path(model_file))
    return sorted(timed, key=lambda one: one.key)


def spoken_utterances(
    wavs: Mapping[str, str], tokens: Mapping[str, str], spembs: Mapping[str, str]
) -> list[Spoken]:
    """The utterances that have all three."""
    return [
        Spoken(key, wavs[key], tuple(map(int, tokens[key].split())), spembs[key])
        for key in wavs
        if key in tokens and key in spembs
    ]
