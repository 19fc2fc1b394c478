"""Turn every utterance of a wav.scp into codec codes: codes.scp, codes_shape and arks."""

import argparse
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from espnet2_valle.codec.build import open_codec, read_codec_config
from espnet2_valle.common.audio import audio_seconds, read_audio
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError, work_errors
from espnet2_valle.corpus.codes import ShardedCodes
from espnet2_valle.corpus.datadir import read_scp
from espnet2_valle.corpus.setaside import MAX_BAD, SetAside
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.jobs.shards import cut, fingerprint, shard_state, work_on_shards

Sound = tuple[str, str]  # utterance, sound file
Encoded = dict[str, np.ndarray | InputError]  # by utterance


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--codec_config", required=True, help="codec.yaml")
    parser.add_argument("--wav_scp", required=True)
    parser.add_argument("--only", help="file of two columns: utterances that are not in it are left out")
    parser.add_argument("--output_dir", required=True)
    parser.add_argument("--shard_size", type=int, default=256, help="utterances an ark, the unit of resuming")
    parser.add_argument("--batch_size", type=int, default=1, help="utterances of a shard encoded at once")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:N: where a worker's codec computes")
    parser.add_argument(
        "--max_bad", type=float, default=MAX_BAD, help="share of bad files left out with a warning"
    )
    add_worker_arguments(parser)
    return parser


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


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = get_parser().parse_args(argv)
    for option in ("shard_size", "batch_size"):
        value = getattr(args, option)
        if value < 1:
            raise InputError(f"--{option}", f"{value} is not a positive number", "Give 1 or more")
    open_codec(args.codec_config, args.device)
    sounds = chosen_sounds(args.wav_scp, args.only)
    shards = dict(enumerate(cut(sounds, args.shard_size), 1))
    codec = codec_state(args.codec_config)
    marks = {number: shard_state(codec, shard) for number, shard in shards.items()}
    output = ShardedCodes(args.output_dir)
    aside = SetAside(len(sounds), args.max_bad, args.wav_scp)
    batches = {}
    for number, shard in shards.items():
        if output.is_done(number, marks[number]):
            aside.extend(output.bad(number))
        else:
            batches[number] = make_batches(shard, args.batch_size)
    work = partial(encode_files, args.codec_config, args.device)
    with use_cluster(args.cluster):
        for number, results in work_on_shards(work, batches, args.nj, "tokenise"):
            codes, bad = divide(shards[number], batches[number], results)
            output.write(number, marks[number], codes, bad)
            aside.extend(bad)
    output.finish(len(shards))
    aside.report(args.output_dir)


if __name__ == "__main__":
    run_command(main)
