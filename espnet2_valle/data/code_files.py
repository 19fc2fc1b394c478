"""Sound files to code files and back, by many workers."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from espnet2_valle.codec.build import open_codec, read_codec_config
from espnet2_valle.common.audio import audio_seconds, read_audio, write_audio
from espnet2_valle.common.errors import InputError, work_errors
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.data.pairs import read_pairs
from espnet2_valle.jobs.shards import cut, fingerprint

Sound = tuple[str, str]  # utterance, sound file
Encoded = dict[str, np.ndarray | InputError]  # by utterance


def encode_files(codec_config: str, device: str, batch: Sequence[Sound]) -> Encoded:
    """Codes of each utterance of a batch, or what is wrong with its sound file.

    Raises:
        WorkError: this worker cannot open the codec.
    """
    with work_errors():
        codec = open_codec(codec_config, device)
    wavs: dict[str, np.ndarray] = {}
    encoded: Encoded = {}
    for key, path in batch:
        try:
            wavs[key], _ = read_audio(path, codec.sample_rate)
        except InputError as error:
            encoded[key] = error
    encoded.update(zip(wavs, codec.encode_batch(list(wavs.values())), strict=True))
    return encoded


def make_batches(shard: Sequence[Sound], size: int) -> list[Sequence[Sound]]:
    """Batches of utterances of about equal length, since the shorter ones are padded."""
    return cut(shard if size == 1 else sorted(shard, key=_seconds), size)


def _seconds(sound: Sound) -> float:
    try:
        return audio_seconds(sound[1])
    except InputError:
        return 0.0  # the worker tells of it


def codec_state(codec_config: str) -> str:
    """A digest of codec.yaml and the model file it names."""
    model = read_codec_config(codec_config)["model"]
    files = [Path(codec_config)] + ([Path(codec_config).parent / model] if model else [])
    return fingerprint(file.read_bytes().hex() for file in files)


def chosen_sounds(wav_scp: str, only: str | None) -> list[Sound]:
    """Utterances of `wav_scp`, if they are in the file `only`.

    Raises:
        InputError: none is left.
    """
    chosen = read_scp(only).keys() if only else None
    sounds = [sound for sound in read_scp(wav_scp).items() if chosen is None or sound[0] in chosen]
    if not sounds:
        raise InputError(wav_scp, f"has no utterance that is in {only}", "Correct --wav_scp or --only")
    return sounds


def divide(
    shard: Sequence[Sound], batches: Iterable[Sequence[Sound]], results: Iterable[Encoded | InputError]
) -> tuple[dict[str, np.ndarray], dict[str, InputError]]:
    """Codes of a shard's utterances in their order, and errors of those that have none.

    A batch at which workers died is bad as a whole.
    """
    encoded: Encoded = {}
    for batch, result in zip(batches, results, strict=True):
        encoded |= {key: result for key, _ in batch} if isinstance(result, InputError) else result
    codes: dict[str, np.ndarray] = {}
    bad: dict[str, InputError] = {}
    for key, _ in shard:
        found = encoded[key]
        if isinstance(found, InputError):
            bad[key] = found
        else:
            codes[key] = found
    return codes, bad


def prompts(pairs: str, wavs: dict[str, str]) -> dict[str, str]:
    """The sound files of the prompts that a `pairs` file names, by utterance."""
    return {pair.prompt_utt: wavs[pair.prompt_utt] for pair in read_pairs(pairs) if pair.prompt_utt in wavs}


def targets(pairs: str, wavs: dict[str, str]) -> dict[str, str]:
    """Map each pair of a `pairs` file to the sound file of its target utterance.

    Raises:
        InputError: a target without sound file.
    """
    found = {}
    for pair in read_pairs(pairs):
        if pair.target_utt not in wavs:
            raise InputError(
                pairs,
                f"target {pair.target_utt} of {pair.pair_id} is not in the wav.scp",
                "Run stage 1 again",
            )
        found[pair.pair_id] = wavs[pair.target_utt]
    return found


def resynthesise(codec_config: str, codebooks: int | None, job: tuple[str, Path]) -> None:
    """Read job[0], encode, decode, write job[1]."""
    source, output = job
    codec = open_codec(codec_config)
    wav, _ = read_audio(source, codec.sample_rate)
    write_audio(output, codec.decode(codec.encode(wav)[:, :codebooks]), codec.sample_rate)
