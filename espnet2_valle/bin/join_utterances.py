"""Stage 4: add joined utterances of the same speaker to a training set of codes and token ids."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from espnet2_valle.codec.build import read_codec_config
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.corpus.codes import ShardedCodes, read_codes
from espnet2_valle.corpus.datadir import read_scp
from espnet2_valle.corpus.join import choose_joins, join_ids
from espnet2_valle.text.tokens import TokenIDs

SPACE = "<space>"
SHARD_SIZE = 256  # utterances held in memory at a time


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--codes_dir", required=True, help="codes.scp and codes_shape of the training set")
    parser.add_argument("--token_dir", required=True, help="token_int of the training set")
    parser.add_argument("--token_list", required=True, help="tokens.txt")
    parser.add_argument("--codec_config", required=True, help="codec.yaml, for the frame rate")
    parser.add_argument("--utt2spk", required=True)
    parser.add_argument("--max_seconds", type=float, default=10.0, help="longest joined utterance; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output_dir", required=True, help="gets codes.scp, token_int and their shapes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Write all utterances and one joined one for each that finds a companion."""
    args = get_parser().parse_args(argv)
    codes = read_codes(Path(args.codes_dir) / "codes.scp")
    shapes = read_scp(Path(args.codes_dir) / "codes_shape")
    texts = {
        utt: [int(i) for i in row.split()]
        for utt, row in read_scp(Path(args.token_dir) / "token_int").items()
    }
    speakers = read_scp(args.utt2spk)
    for utt in codes:
        if utt not in texts or utt not in speakers:
            raise InputError(args.codes_dir, f"'{utt}' has no text or speaker", "Run stages 2 to 4 again")
    tokens = TokenIDs.load(args.token_list).tokens
    separator = tokens.index(SPACE) if SPACE in tokens else None
    max_frames = int(args.max_seconds * read_codec_config(args.codec_config)["frame_rate"])
    frames = {utt: int(shapes[utt].split(",")[0]) for utt in codes}
    parts: dict[str, tuple[str, ...]] = {utt: (utt,) for utt in codes}
    for first, second in choose_joins(frames, speakers, max_frames, args.seed):
        parts[f"{first}+{second}"] = (first, second)
    write_codes(parts, codes, Path(args.output_dir))
    with (
        atomic_open(Path(args.output_dir) / "token_int") as rows,
        atomic_open(Path(args.output_dir) / "token_int_shape") as sizes,
    ):
        for key, utts in parts.items():
            ids = texts[utts[0]] if len(utts) == 1 else join_ids(texts[utts[0]], texts[utts[1]], separator)
            rows.write(f"{key} {' '.join(map(str, ids))}\n")
            sizes.write(f"{key} {len(ids)}\n")


def write_codes(
    parts: Mapping[str, tuple[str, ...]], codes: Mapping[str, np.ndarray], directory: Path
) -> None:
    """Write the codes of each key's utterances behind one another."""
    output = ShardedCodes(directory)
    shards = list(_shards(list(parts)))
    for number, keys in enumerate(tqdm(shards, desc="join"), 1):
        joined = {key: np.concatenate([codes[utt] for utt in parts[key]]) for key in keys}
        output.write(number, "", joined)
    output.finish(len(shards))


def _shards(keys: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(keys), SHARD_SIZE):
        yield keys[start : start + SHARD_SIZE]


if __name__ == "__main__":
    run_command(main)
