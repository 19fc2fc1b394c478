"""Stage 3: transcripts -> token ids, and from the training set the token list."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.checks import TOKEN_LIST, check_output_file
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.data.setaside import MAX_BAD
from espnet2_valle.data.tokenise import MAX_UNKNOWN, tokenize_set
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.text.tokenizer import G2P_HELP, TOKEN_TYPES


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data_dir", required=True, help="dump/NAME/raw/SET")
    parser.add_argument("--output_dir", type=Path, required=True, help="dump/NAME/token/SET")
    parser.add_argument("--token_list", required=True, help="tokens.txt, read or written")
    parser.add_argument(
        "--write_token_list", type=_boolean, default=False, help="make the list from this set"
    )
    parser.add_argument("--token_type", choices=TOKEN_TYPES, default="phn")
    parser.add_argument("--g2p", default="espeak_ng_english_us_vits", help=G2P_HELP)
    parser.add_argument("--cleaner", default="none", help="any of ESPnet's text cleaners")
    parser.add_argument("--bpemodel", help="for bpe; written with --write_token_list")
    parser.add_argument("--nbpe", type=int, default=500, help="pieces of the BPE model")
    parser.add_argument(
        "--max_bad", type=float, default=MAX_BAD, help="share of bad texts left out with a warning"
    )
    parser.add_argument(
        "--max_unknown",
        type=float,
        default=MAX_UNKNOWN,
        help="share of tokens that the list may lack; they become <unk>",
    )
    parser.add_argument(
        "--add_tokens", type=_boolean, default=False, help="add them to the list, for a fine-tuning"
    )
    parser.add_argument(
        "--base_token_list", help="the list that they are added to; default: --token_list as it is"
    )
    add_worker_arguments(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = parse(get_parser(), argv)
    token_list = check_output_file if args.write_token_list else TOKEN_LIST
    token_list(args.token_list, "--token_list")
    tokenize_set(
        args.data_dir,
        args.output_dir,
        args.token_list,
        (args.token_type, args.g2p, args.cleaner, args.bpemodel),
        args.write_token_list,
        args.nbpe,
        args.max_bad,
        args.nj,
        args.cluster,
        (args.base_token_list or args.token_list) if args.add_tokens else None,
        args.max_unknown,
    )


def _boolean(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"'{value}' is neither true nor false")
    return value.lower() == "true"


if __name__ == "__main__":
    run_command(main)
