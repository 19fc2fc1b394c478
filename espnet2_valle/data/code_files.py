"""Sound files to code files and back, by many workers."""

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from espnet2_valle.codec.build import open_codec, read_codec_config
from espnet2_valle.common.audio import audio_seconds, read_audio, write_audio
from espnet2_valle.common.errors import InputError, work_errors
from espnet2_valle.common.fileio import atomic_open, remove_unfinished
from espnet2_valle.common.resume import digest
from espnet2_valle.data.codes import ShardedCodes
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.data.pairs import read_pairs
from espnet2_valle.data.setaside import MAX_BAD, SetAside
from espnet2_valle.jobs.pool import parallel_map, use_cluster
from espnet2_valle.jobs.shards import cut, shard_state, work_on_shards

Sound = tuple[str, str]  # utterance, sound file
Encoded = dict[str, np.ndarray | InputError]  # by utterance


def encode_set(
    codec_config: str,
    wav_scp: str,
    output_dir: str,
    only: str | None = None,
    device: str = "cpu",
    shard_size: int = 256,
    batch_size: int = 1,
    max_bad: float = MAX_BAD,
    nj: int = 1,
    cluster: str | None = None,
) -> None:
    """Write the codes of a set of utterances: codes.scp, codes_shape and arks. Goes on where it was.

    Args:
        codec_config: codec.yaml.
        wav_scp: sound files by utterance.
        output_dir: where the codes go.
        only: file of two columns; utterances that are not in it are left out.
        device: where a worker's codec computes.
        shard_size: utterances of an ark.
        batch_size: utterances of a shard that are encoded at once.
        max_bad: share of the sound files that may be unusable.
        nj: workers.
        cluster: where they are, see `jobs.config.ClusterConfig`.

    Raises:
        InputError: a number is out of range, the codec cannot be opened, or too many sound files are bad.
    """
    for option, value in (("shard_size", shard_size), ("batch_size", batch_size)):
        if value < 1:
            raise InputError(f"--{option}", f"{value} is not a positive number", "Give 1 or more")
    open_codec(codec_config, device)
    sounds = chosen_sounds(wav_scp, only)
    shards = dict(enumerate(cut(sounds, shard_size), 1))
    codec = codec_state(codec_config)
    marks = {number: shard_state(codec, shard) for number, shard in shards.items()}
    output = ShardedCodes(output_dir)
    aside = SetAside(len(sounds), max_bad, wav_scp)
    batches = {}
    for number, shard in shards.items():
        if output.is_done(number, marks[number]):
            aside.extend(output.bad(number))
        else:
            batches[number] = make_batches(shard, batch_size)
    work = partial(encode_files, codec_config, device)
    with use_cluster(cluster):
        for number, results in work_on_shards(work, batches, nj, "tokenise"):
            codes, bad = divide(shards[number], batches[number], results)
            output.write(number, marks[number], codes, bad)
            aside.extend(bad)
    output.finish(len(shards))
    aside.report(output_dir)


def resynthesise_set(
    codec_config: str,
    wav_scp: str,
    output_dir: Path,
    pairs: str | None = None,
    codebooks: int | None = None,
    nj: int = 1,
    cluster: str | None = None,
) -> None:
    """Encode and decode utterances: wav/ and wav.scp.

    Args:
        codec_config: codec.yaml.
        wav_scp: sound files by utterance.
        output_dir: where the sound goes.
        pairs: list of pairs, whose targets are resynthesised, named by the pair; and whose prompts are, by
            utterance, in prompts/ and prompts.scp. None: all utterances.
        codebooks: decode only the first so many; None for all.
        nj: workers.
        cluster: where they are, see `jobs.config.ClusterConfig`.

    Raises:
        InputError: the codec has fewer codebooks, or see `targets`.
    """
    codec = open_codec(codec_config)
    if codebooks is not None and not 1 <= codebooks <= codec.num_codebooks:
        raise InputError("--codebooks", f"{codebooks} is not in 1..{codec.num_codebooks}", "Correct it")
    wavs = read_scp(wav_scp)
    wanted = targets(pairs, wavs) if pairs else wavs
    paths = {key: output_dir / "wav" / f"{key}.wav" for key in wanted}
    voices = prompts(pairs, wavs) if pairs else {}
    voice_paths = {key: output_dir / "prompts" / f"{key}.wav" for key in voices}
    jobs = [(source, paths[key]) for key, source in wanted.items()]
    jobs += [(source, voice_paths[key]) for key, source in voices.items()]
    work = partial(resynthesise, codec_config, codebooks)
    with use_cluster(cluster):
        for _ in parallel_map(work, jobs, nj=nj, title="resynthesise"):
            pass
    remove_unfinished(output_dir / "wav", output_dir / "prompts")
    if voices:
        with atomic_open(output_dir / "prompts.scp") as scp:
            scp.writelines(f"{key} {path}\n" for key, path in voice_paths.items())
    with atomic_open(output_dir / "wav.scp") as scp:
        scp.writelines(f"{key} {path}\n" for key, path in paths.items())


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
    return digest(file.read_bytes().hex() for file in files)


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
