"""Texts of a data directory to token ids, by many workers."""

import logging
from collections import Counter
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
from espnet2_valle.text.language import check_language, foreign_words
from espnet2_valle.text.reading import CURRENT, ESPNET, keep_reading, reading_of
from espnet2_valle.text.tokenizer import Choice, cached_tokenizer, tokenize
from espnet2_valle.text.tokens import UNKNOWN, TokenIDs
from espnet2_valle.text.unknown import SHOWN, name_words, unknown_words

TEXTS_A_WORKER = 5000  # done in less time than a worker takes to start
SHARD_TEXTS = 5000  # the unit of resuming
MAX_UNKNOWN = 0.01  # the default of --max_unknown


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
    add_to: str | None = None,
    max_unknown: float = MAX_UNKNOWN,
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
        add_to: list of a model to be fine-tuned; with the tokens that only this set has it becomes
            `token_list`.
        max_unknown: share of the tokens that the list may lack.

    Raises:
        InputError: no such tokenizer, texts of another language than it reads, too many bad texts, or too
            many unknown tokens.
    """
    texts = read_scp(Path(data_dir) / "text")
    token_type, g2p, _, bpemodel = choice
    if token_type == "phn":
        refuse_language(texts, g2p, f"{data_dir}/text", max_bad)
        report_foreign(data_dir, texts, g2p)
    reading = CURRENT if write_token_list else reading_of(token_list)
    choice = (*choice, reading)
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
        keep_reading(token_list, reading)
        TokenIDs.collect(tokens.values()).write(token_list)
    known = add_new(tokens, TokenIDs.load(add_to), token_list) if add_to else TokenIDs.load(token_list)
    ids = encode_all(tokens, texts, known, f"{data_dir}/text", aside)
    report_unknown(data_dir, {key: tokens[key] for key in ids}, texts, known, choice, max_unknown)
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
    bpemodel = choice[3]
    model = Path(bpemodel).read_bytes().hex() if bpemodel else ""
    # Earlier versions had one reading, and did not say it.
    marked = choice[:4] if choice[4:] == (ESPNET,) else choice
    marks = {
        number: digest([repr(marked), model, *(f"{key} {texts[key]}" for key in shard)])
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


def add_new(tokens: Mapping[str, list[str]], known: TokenIDs, token_list: str) -> TokenIDs:
    """Write the list with the tokens that it lacks to `token_list`, and return that."""
    longer = known.extended(tokens.values())
    new = longer.tokens[len(known) - 1 : -1]
    longer.write(token_list)
    if new:
        logging.info("%s: %d tokens are added: %s", token_list, len(new), " ".join(new))
    return longer


def refuse_language(texts: Mapping[str, str], g2p: str | None, where: str, max_bad: float) -> None:
    """Raise InputError at texts of another language than the g2p reads; warn where all texts may be bad."""
    try:
        check_language(texts.values(), g2p, where)
    except InputError as error:
        if max_bad < 1:
            raise
        logging.warning("%s", error)


def report_foreign(data_dir: str, texts: Mapping[str, str], g2p: str | None) -> None:
    """Warn of words in a script that the g2p does not read."""
    words = dict.fromkeys(word for text in texts.values() for word in foreign_words(text, g2p))
    if words:
        shown = ", ".join(list(words)[:SHOWN])
        logging.warning(
            "%s: --g2p %s does not read the letters of %d words: %s", data_dir, g2p, len(words), shown
        )


def report_unknown(
    data_dir: str,
    tokens: Mapping[str, list[str]],
    texts: Mapping[str, str],
    known: TokenIDs,
    choice: Choice,
    max_unknown: float,
) -> None:
    """Tell which tokens the list does not have, in which words, and their share.

    Raises:
        InputError: it is more than `max_unknown`.
    """
    strange = Counter(token for row in tokens.values() for token in known.unknown(row))
    if not strange:
        return
    share = strange.total() / sum(len(row) for row in tokens.values())
    words: dict[str, str] = {}
    for utterance, row in tokens.items():
        if len(words) < SHOWN and known.unknown(row):
            words |= unknown_words(texts[utterance], row, cached_tokenizer(*choice), known)
    listed = " ".join(sorted(strange, key=lambda token: (-strange[token], token)))
    problem = f"{share:.1%} of its tokens are not in {known.where} and become {UNKNOWN}: {listed}"
    if share > max_unknown:
        raise InputError(
            f"{data_dir}/text",
            f"{problem}; they are in {name_words(words)} (--max_unknown: {max_unknown:g})",
            "Fine-tune with --add_tokens true, choose the --g2p of the model, or raise --max_unknown",
        )
    logging.warning("%s: %s; they are in %s", data_dir, problem, name_words(words))
