"""Texts of a data directory to token ids, by many workers."""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, remove_unfinished
from espnet2_valle.common.resume import digest
from espnet2_valle.data.languages import TextsInLanguages, check_languages, open_texts
from espnet2_valle.data.setaside import MAX_BAD, SetAside
from espnet2_valle.data.tables import Table
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.jobs.shards import Manifest, bad_row, error_of, lasting, numbered_shards, work_on_shards
from espnet2_valle.text.bpe import train_bpe
from espnet2_valle.text.characters import EMOJI
from espnet2_valle.text.language import foreign_words
from espnet2_valle.text.markup import without_markup
from espnet2_valle.text.multilingual import choices_by_language
from espnet2_valle.text.reading import CURRENT, ESPNET, keep_reading, reading_of
from espnet2_valle.text.tokenizer import Choice, cached_tokenizer, tokenize
from espnet2_valle.text.tokens import UNKNOWN, TokenIDs
from espnet2_valle.text.unknown import SHOWN, name_words, unknown_words

TEXTS_A_WORKER = 5000  # done in less time than a worker takes to start
SHARD_TEXTS = 5000  # the unit of resuming
MOST_BPE_TEXTS = 2_000_000  # from which a BPE model is fitted; sentencepiece keeps them all in memory
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
    where = f"{data_dir}/text"
    token_type, g2p, _, bpemodel = choice
    texts = open_texts(data_dir, token_type, g2p)
    if token_type == "phn":
        refuse_language(texts, g2p, where, max_bad)
        report_foreign(data_dir, texts, g2p)
    reading = CURRENT if write_token_list else reading_of(token_list)
    if reading != ESPNET:
        report_emoji(data_dir, texts)
    choice = (*choice, reading)
    if write_token_list and token_type == "bpe":
        if not bpemodel:
            raise InputError("--bpemodel", "is missing", "Say where the sentencepiece model is to be written")
        every = max(1, -(-len(texts) // MOST_BPE_TEXTS))
        train_bpe(islice(texts.values(), None, None, every), bpemodel, nbpe)
    cached_tokenizer(*choice)  # any error comes now, once, and not from every worker
    with use_cluster(cluster):
        tokenize_all(texts, choice, output_dir, nj)
    aside = SetAside(len(texts), max_bad, where)
    rows = partial(read_tokens, texts, output_dir, aside)
    if write_token_list:
        collected = TokenIDs.collect(row for _, _, row in rows())
        keep_reading(token_list, reading)
        collected.write(token_list)
    if add_to:
        known = add_new((row for _, _, row in rows()), TokenIDs.load(add_to), token_list)
    else:
        known = TokenIDs.load(token_list)
    unknown = UnknownTokens(known, choice)
    with (
        atomic_open(output_dir / "token_int") as stream,
        atomic_open(output_dir / "token_int_shape") as shapes,
    ):
        for utterance, text, row in rows():
            try:
                ids = known.encode(row, f"{where}, utterance '{utterance}'", text)
            except InputError as error:
                aside.extend({utterance: error})
                continue
            unknown.count(text, row)
            stream.write(f"{utterance} {' '.join(map(str, ids))}\n")
            shapes.write(f"{utterance} {len(ids)}\n")
        unknown.report(data_dir, max_unknown)
        aside.report(output_dir)


def tokenize_all(texts: Iterable[tuple[str, str]], choice: Choice, output_dir: Path, nj: int) -> None:
    """Tokenise texts shard by shard, but for those that are done; `read_tokens` gives what was made.

    Args:
        texts: by utterance; taken twice.
        choice: of the tokenizer.
        output_dir: gets manifest/, from which a killed run goes on, and one that lacked something.
        nj: workers.
    """
    manifest = Manifest(output_dir / "manifest")
    bpemodel = choice[3]
    model = Path(bpemodel).read_bytes().hex() if bpemodel else ""
    # Earlier versions had one reading, and did not say it.
    marked = choice[:4] if choice[4:] == (ESPNET,) else choice
    marks: dict[int, str] = {}  # of shards to be done
    total = 0
    for number, shard in numbered_shards(texts, SHARD_TEXTS):
        mark = digest([repr(marked), model, *(f"{key} {text}" for key, text in shard)])
        if not manifest.is_done(number, mark):
            marks[number] = mark
            total += len(shard)
    pending = (
        (number, [text for _, text in shard])
        for number, shard in numbered_shards(texts, SHARD_TEXTS)
        if number in marks
    )
    work, title = partial(tokenize, choice=choice), f"tokenize {output_dir.name}"
    for number, results in work_on_shards(work, pending, nj, title, TEXTS_A_WORKER, total):
        rows = [bad_row(result) if isinstance(result, InputError) else result for result in results]
        manifest.write(number, lasting(marks[number], results), rows)
    remove_unfinished(manifest.directory)


def read_tokens(
    texts: Iterable[tuple[str, str]], output_dir: Path, aside: SetAside
) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each utterance, its text and its tokens, as `tokenize_all` made them.

    Args:
        texts: by utterance.
        output_dir: has manifest/.
        aside: takes the utterances whose texts are bad.
    """
    manifest = Manifest(output_dir / "manifest")
    for number, shard in numbered_shards(texts, SHARD_TEXTS):
        for (key, text), row in zip(shard, manifest.rows(number), strict=True):
            error = error_of(row)
            if error:
                aside.extend({key: error})
            else:
                yield key, text, row


def add_new(tokens: Iterable[list[str]], known: TokenIDs, token_list: str) -> TokenIDs:
    """Write the list with the tokens that it lacks to `token_list`, and return that."""
    longer = known.extended(tokens)
    new = longer.tokens[len(known) - 1 : -1]
    longer.write(token_list)
    if new:
        logging.info("%s: %d tokens are added: %s", token_list, len(new), " ".join(new))
    return longer


def refuse_language(texts: Table | TextsInLanguages, g2p: str | None, where: str, max_bad: float) -> None:
    """Raise InputError at texts of another language than the g2p reads; warn where all texts may be bad."""
    try:
        check_languages(texts, g2p, where)
    except InputError as error:
        if max_bad < 1:
            raise
        logging.warning("%s", error)


def report_emoji(data_dir: str, texts: Iterable[tuple[str, str]]) -> None:
    """Warn of texts with emoji, which are not read."""
    count, first = 0, ""
    for utterance, text in texts:
        if not text.isascii() and EMOJI.search(text):
            count, first = count + 1, first or utterance
    if count:
        logging.warning("%s: the emoji of %d texts are not read, the first '%s'", data_dir, count, first)


def report_foreign(data_dir: str, texts: Table | TextsInLanguages, g2p: str | None) -> None:
    """Warn of words in a script that the g2p does not read; of several g2p a text's own is asked."""
    several: Mapping[str, str | None] = choices_by_language(g2p)
    pairs: Iterable[tuple[str, str | None]]
    if isinstance(texts, TextsInLanguages):
        pairs = ((text, choice) for language, choice in several.items() for text in texts.of(language))
    else:
        pairs = ((text, g2p) for text in texts.values())
    words = dict.fromkeys(
        word for text, choice in pairs for word in foreign_words(without_markup(text), choice)
    )
    if words:
        shown = ", ".join(list(words)[:SHOWN])
        logging.warning(
            "%s: --g2p %s does not read the letters of %d words: %s", data_dir, g2p, len(words), shown
        )


class UnknownTokens:
    """Counter of tokens that a list lacks, with the words that they are in.

    Args:
        known: the list.
        choice: of the tokenizer.
    """

    def __init__(self, known: TokenIDs, choice: Choice):
        self.known = known
        self.choice = choice
        self.strange: Counter[str] = Counter()
        self.total = 0
        self.words: dict[str, str] = {}

    def count(self, text: str, tokens: list[str]) -> None:
        """Count those of an utterance."""
        self.total += len(tokens)
        unknown = self.known.unknown(tokens)
        self.strange.update(unknown)
        if unknown and len(self.words) < SHOWN:
            self.words |= unknown_words(text, tokens, cached_tokenizer(*self.choice), self.known)

    def report(self, data_dir: str, max_unknown: float) -> None:
        """Tell which tokens the list does not have, in which words, and their share.

        Raises:
            InputError: it is more than `max_unknown`.
        """
        if not self.strange:
            return
        share = self.strange.total() / self.total
        listed = " ".join(sorted(self.strange, key=lambda token: (-self.strange[token], token)))
        problem = f"{share:.1%} of its tokens are not in {self.known.where} and become {UNKNOWN}: {listed}"
        if share > max_unknown:
            raise InputError(
                f"{data_dir}/text",
                f"{problem}; they are in {name_words(self.words)} (--max_unknown: {max_unknown:g})",
                "Fine-tune with --add_tokens true, choose the --g2p of the model, or raise --max_unknown",
            )
        logging.warning("%s: %s; they are in %s", data_dir, problem, name_words(self.words))
