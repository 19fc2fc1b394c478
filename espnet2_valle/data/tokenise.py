"""Texts of a data directory to token ids, by many workers."""

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import remove_unfinished
from espnet2_valle.common.resume import digest
from espnet2_valle.data.datadir import read_scp, write_scp
from espnet2_valle.data.setaside import MAX_BAD, SetAside
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.jobs.shards import Manifest, bad_row, cut, error_of, lasting, work_on_shards
from espnet2_valle.text.bpe import train_bpe
from espnet2_valle.text.tokenizer import cached_tokenizer, tokenize
from espnet2_valle.text.tokens import UNKNOWN, TokenIDs

TEXTS_A_WORKER = 5000  # done in less time than a worker takes to start
SHARD_TEXTS = 5000  # the unit of resuming
Choice = tuple[str, str | None, str | None, str | None]  # arguments of text.tokenizer.build_tokenizer


def tokenize_set(
    data_dir: str,
    output_dir: Path,
    token_list: str,
    choice: Choice,
    write_token_list: bool = False,
    nbpe: int = 500,
    max_bad: float = MAX_BAD,
    nj: int = 1,
    cluster: str | None = None,
) -> None:
    """Write token_int and token_int_shape of a data directory's texts. Goes on where it was.

    Args:
        data_dir: has text.
        output_dir: where token ids go.
        token_list: all tokens, one a line.
        choice: of the tokenizer.
        write_token_list: make the list, and the BPE model of a tokenizer that has one, from this set.
        nbpe: pieces of that BPE model.
        max_bad: share of the texts that may be unusable.
        nj: workers.
        cluster: where they are, see `jobs.config.ClusterConfig`.

    Raises:
        InputError: no such tokenizer, or too many texts are bad.
    """
    texts = read_scp(Path(data_dir) / "text")
    token_type, _, _, bpemodel = choice
    if write_token_list and token_type == "bpe":
        if not bpemodel:
            raise InputError("--bpemodel", "is missing", "Say where the sentencepiece model is to be written")
        train_bpe(texts.values(), bpemodel, nbpe)
    cached_tokenizer(*choice)  # any error comes now, once, and not from every worker
    aside = SetAside(len(texts), max_bad, f"{data_dir}/text")
    tokens: dict[str, list[str]] = {}
    with use_cluster(cluster):
        for utterance, result in tokenize_all(texts, choice, output_dir, nj):
            if isinstance(result, InputError):
                aside.extend({utterance: result})
            else:
                tokens[utterance] = result
    if write_token_list:
        TokenIDs.collect(tokens.values()).write(token_list)
    known = TokenIDs.load(token_list)
    ids = encode_all(tokens, texts, known, f"{data_dir}/text", aside)
    report_unknown(data_dir, tokens, known)
    aside.report(output_dir)
    write_scp(output_dir / "token_int", {u: " ".join(map(str, row)) for u, row in ids.items()})
    write_scp(output_dir / "token_int_shape", {u: len(row) for u, row in ids.items()})


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
        number: digest([repr(choice), model, *(f"{key} {texts[key]}" for key in shard)])
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
