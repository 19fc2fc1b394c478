"""Texts of a data directory to token ids, by many workers."""

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import remove_unfinished
from espnet2_valle.data.setaside import SetAside
from espnet2_valle.jobs.shards import Manifest, bad_row, cut, error_of, fingerprint, lasting, work_on_shards
from espnet2_valle.text.tokenizer import tokenize
from espnet2_valle.text.tokens import UNKNOWN, TokenIDs

TEXTS_A_WORKER = 5000  # done in less time than a worker takes to start
SHARD_TEXTS = 5000  # the unit of resuming
Choice = tuple[str, str | None, str | None, str | None]  # arguments of text.tokenizer.build_tokenizer


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
