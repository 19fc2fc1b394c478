"""Stage 3: transcripts -> token ids, and from the training set the token list."""

import argparse
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.datadir import read_scp, write_scp
from espnet2_valle.jobs.pool import parallel_map
from espnet2_valle.text.bpe import train_bpe
from espnet2_valle.text.tokenizer import TOKEN_TYPES, cached_tokenizer, tokenize
from espnet2_valle.text.tokens import UNKNOWN, TokenIDs

TEXTS_PER_PROCESS = 5000  # a process takes seconds to start, so few texts are done in this one


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
    parser.add_argument("--nj", type=int, default=1, help="most processes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    texts = read_scp(Path(args.data_dir) / "text")
    if args.write_token_list and args.token_type == "bpe":
        if not args.bpemodel:
            raise InputError("--bpemodel", "is missing", "Say where the sentencepiece model is to be written")
        train_bpe(texts.values(), args.bpemodel, args.nbpe)
    choice = (args.token_type, args.g2p, args.cleaner, args.bpemodel)
    cached_tokenizer(*choice)  # any error comes now, once, and not from every process
    work = partial(tokenize, choice=choice)
    nj = min(args.nj, 1 + len(texts) // TEXTS_PER_PROCESS)
    tokens = dict(
        zip(texts, parallel_map(work, list(texts.values()), nj, f"tokenize {Path(args.data_dir).name}"))
    )
    if args.write_token_list:
        TokenIDs.collect(tokens.values()).write(args.token_list)
    known = TokenIDs.load(args.token_list)
    ids = {u: known.encode(tokens[u], f"{args.data_dir}/text, utterance '{u}'", texts[u]) for u in texts}
    report_unknown(args.data_dir, tokens, known)
    write_scp(Path(args.output_dir) / "token_int", {u: " ".join(map(str, row)) for u, row in ids.items()})
    write_scp(Path(args.output_dir) / "token_int_shape", {u: len(row) for u, row in ids.items()})


def report_unknown(data_dir: str, tokens: dict[str, list[str]], known: TokenIDs) -> None:
    """Warn of tokens that the list does not have."""
    strange = {token for row in tokens.values() for token in row} - set(known.tokens)
    if strange:
        logging.warning(
            "%s: tokens that the list lacks become %s: %s", data_dir, UNKNOWN, " ".join(sorted(strange))
        )


def _boolean(value: str) -> bool:
    if value.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"'{value}' is neither true nor false")
    return value.lower() == "true"


if __name__ == "__main__":
    run_command(main)
