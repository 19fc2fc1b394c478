"""Stage 3: transcripts -> token ids, and from the training set the token list."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import read_scp, write_scp
from espnet2_valle.data.setaside import MAX_BAD, SetAside
from espnet2_valle.data.tokenise import (
    encode_all,
    report_unknown,
    tokenize_all,
)
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.text.bpe import train_bpe
from espnet2_valle.text.tokenizer import TOKEN_TYPES, cached_tokenizer
from espnet2_valle.text.tokens import TokenIDs


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data_dir", required=True, help="dump/NAME/raw/SET")
    parser.add_argument("--output_dir", required=True, help="dump/NAME/token/SET")
    parser.add_argument("--token_list", required=True, help="tokens.txt, read or written")
    parser.add_argument(
        "--write_token_list", type=_boolean, default=False, help="make the list from this set"
    )
    parser.add_argument("--token_type", choices=TOKEN_TYPES, default="phn")
    parser.add_argument("--g2p", default="espeak_ng_english_us_vits", help="for phn, any of ESPnet's choices")
    parser.add_argument("--cleaner", default="none", help="any of ESPnet's text cleaners")
    parser.add_argument("--bpemodel", help="for bpe; written with --write_token_list")
    parser.add_argument("--nbpe", type=int, default=500, help="pieces of the BPE model")
    parser.add_argument(
        "--max_bad", type=float, default=MAX_BAD, help="share of bad texts left out with a warning"
    )
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = get_parser().parse_args(argv)
    texts = read_scp(Path(args.data_dir) / "text")
    if args.write_token_list and args.token_type == "bpe":
        if not args.bpemodel:
            raise InputError("--bpemodel", "is missing", "Say where the sentencepiece model is to be written")
        train_bpe(texts.values(), args.bpemodel, args.nbpe)
    choice = (args.token_type, args.g2p, args.cleaner, args.bpemodel)
    cached_tokenizer(*choice)  # any error comes now, once, and not from every worker
    output = Path(args.output_dir)
    aside = SetAside(len(texts), args.max_bad, f"{args.data_dir}/text")
    tokens: dict[str, list[str]] = {}
    with use_cluster(args.cluster):
        for utterance, result in tokenize_all(texts, choice, output, args.nj):
            if isinstance(result, InputError):
                aside.extend({utterance: result})
            else:
                tokens[utterance] = result
    if args.write_token_list:
        TokenIDs.collect(tokens.values()).write(args.token_list)
    known = TokenIDs.load(args.token_list)
    ids = encode_all(tokens, texts, known, f"{args.data_dir}/text", aside)
    report_unknown(args.data_dir, tokens, known)
    aside.report(output)
    write_scp(output / "token_int", {u: " ".join(map(str, row)) for u, row in ids.items()})
    write_scp(output / "token_int_shape", {u: len(row) for u, row in ids.items()})


def _boolean(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"'{value}' is neither true nor false")
    return value.lower() == "true"


if __name__ == "__main__":
    run_command(main)
