"""Turn every utterance of a wav.scp into codec codes: codes.scp, codes_shape and arks."""

import argparse
from collections.abc import Sequence
from functools import partial

from espnet2_valle.codec.build import open_codec
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.code_files import (
    chosen_sounds,
    codec_state,
    divide,
    encode_files,
    make_batches,
)
from espnet2_valle.data.codes import ShardedCodes
from espnet2_valle.data.setaside import MAX_BAD, SetAside
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.jobs.shards import cut, shard_state, work_on_shards


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
