"""Texts of a data directory that are of several languages (utt2lang)."""

from collections.abc import Iterator
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.tables import Table
from espnet2_valle.text.language import check_language
from espnet2_valle.text.markup import in_language
from espnet2_valle.text.multilingual import check_names, choices_by_language, normal_code

UTT2LANG = "utt2lang"


class TextsInLanguages:
    """Texts of a data directory, each marked as of its language; iterated in order of their utterances.

    Args:
        data_dir: has text and utt2lang.

    Raises:
        InputError: see `Table`, or it has no utt2lang.
    """

    def __init__(self, data_dir: str | Path):
        self.path = Path(data_dir, UTT2LANG)
        if not self.path.is_file():
            raise InputError(
                self.path,
                "no such file, and --g2p names several languages",
                "Write lines `utterance language` to it, or give --g2p that of one language",
            )
        self._texts, self._languages = Table(Path(data_dir, "text")), Table(self.path)

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((utterance, in_language(text, language)) for utterance, language, text in self._rows())

    def values(self) -> Iterator[str]:
        """The marked texts."""
        return (text for _, text in self)

    def of(self, language: str) -> Iterator[str]:
        """Texts of one language as they are."""
        return (text for _, own, text in self._rows() if own == language)

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        """Yield utterance, language and text; utt2lang may have utterances that text lacks.

        Raises:
            InputError: it lacks one.
        """
        languages = iter(self._languages)
        key, language = "", ""
        for utterance, text in self._texts:
            while key < utterance:
                key, language = next(languages, (f"{utterance}\0", ""))
            if key != utterance:
                raise InputError(self.path, f"has no line of '{utterance}'", "Write it, as of all utterances")
            yield utterance, normal_code(language), text


def open_texts(data_dir: str | Path, token_type: str, g2p: str | None) -> Table | TextsInLanguages:
    """Texts by utterance, marked as of their languages where a tokenizer reads several."""
    several = token_type == "phn" and choices_by_language(g2p)
    return TextsInLanguages(data_dir) if several else Table(Path(data_dir, "text"))


def check_languages(texts: Table | TextsInLanguages, g2p: str | None, where: str) -> None:
    """Refuse texts of another language than their g2p reads.

    Args:
        texts: see `open_texts`.
        g2p: of one language or several.
        where: the set, for errors.

    Raises:
        InputError: see `check_language` and `check_names`.
    """
    if isinstance(texts, Table):
        check_language(texts.values(), g2p, where)
        return
    check_names(Table(texts.path), g2p, str(texts.path))
    for language, choice in choices_by_language(g2p).items():
        check_language(texts.of(language), choice, where)
