"""Stage 3: transcripts -> token ids, and from the training set the token list."""

import argparse
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import remove_unfinished
from espnet2_valle.corpus.datadir import read_scp, write_scp
from espnet2_valle.corpus.setaside import MAX_BAD, SetAside
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.jobs.shards import (
    Manifest,
    bad_row,
    cut,
    error_of,
    fingerprint,
    lasting,
    work_on_shards,
)
from espnet2_valle.text.bpe import train_bpe
from espnet2_valle.text.tokenizer import TOKEN_TYPES, cached_tokenizer, tokenize
from espnet2_valle.text.tokens import UNKNOWN, TokenIDs

TEXTS_A_WORKER = 5000  # done in less time than a worker takes to start
SHARD_TEXTS = 5000  # the unit of resuming
Choice = tuple[str, str | None, str | None, str | None]  # arguments of text.tokenizer.build_tokenizer


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


def tokenize_all(
    texts: Mapping[str, str], choice: Choice, output_dir: Path, nj: int
) -> Iterator[tuple[str, list[str] | InputError]]:
    """Yield each utterance with its tokens, or with what is wrong with its text.

    Args:
        texts: by utterance.
        choice: of the tokenizer.
        output_dir: gets manifest/, from which a killed run goes on, and one that lacked something.
        nj: workers.
    """
    manifest = Manifest(output_dir / "manifest")
    shards = dict(enumerate(cut(list(texts), SHARD_TEXTS), 1))
    model = Path(choice[-1]).read_bytes().hex() if choice[-1] else ""
    marks = {
        number: fingerprint([repr(choice), model, *(f"{key} {texts[key]}" for key in shard)])
        for number, shard in shards.items()
    }
    pending = {
        number: [texts[key] for key in shard]
        for number, shard in shards.items()
        if not manifest.is_done(number, marks[number])
    }
    title = f"tokenize {output_dir.name}"
    for number, results in work_on_shards(
        partial(tokenize, choice=choice), pending, nj, title, TEXTS_A_WORKER
    ):
        rows = [bad_row(result) if isinstance(result, InputError) else result for result in results]
        manifest.write(number, lasting(marks[number], results), rows)
    remove_unfinished(manifest.directory)
    for number, shard in shards.items():
        for key, row in zip(shard, manifest.rows(number), strict=True):
            yield key, error_of(row) or row


def encode_all(
    tokens: Mapping[str, list[str]], texts: Mapping[str, str], known: TokenIDs, where: str, aside: SetAside
) -> dict[str, list[int]]:
    """Ids of each utterance's tokens; texts without one known token are set aside."""
    ids: dict[str, list[int]] = {}
    for utterance, row in tokens.items():
        try:
            ids[utterance] = known.encode(row, f"{where}, utterance '{utterance}'", texts[utterance])
        except InputError as error:
            aside.extend({utterance: error})
    return ids


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
