"""Word and character errors between what was to be said and what a recogniser heard."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from espnet2_valle.asr.normalise import basic as normalise
from espnet2_valle.common.extras import import_extra

if TYPE_CHECKING:
    from jiwer import CharacterOutput, WordOutput


@dataclass(frozen=True)
class ErrorCounts:
    """Counts of one alignment, in words or characters."""

    hits: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def errors(self) -> int:
        """All that is wrong: may exceed the length of the reference."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def length(self) -> int:
        """Length of the reference."""
        return self.hits + self.substitutions + self.deletions


def count_words(reference: str, heard: str) -> ErrorCounts:
    """Count word errors after normalisation; nothing heard counts as all words deleted."""
    jiwer = import_extra("jiwer", "word errors")
    return _counts(jiwer.process_words(normalise(reference), normalise(heard)))


def count_characters(reference: str, heard: str) -> ErrorCounts:
    """Count character errors (a space is a character) after normalisation.

    Where each word is one character, as `normalise.characters` leaves scripts without spaces, spaces tell
    nothing and do not count.
    """
    jiwer = import_extra("jiwer", "word errors")
    said, got = normalise(reference), normalise(heard)
    if not said.isascii() and all(len(word) == 1 for word in said.split()):
        said, got = said.replace(" ", ""), got.replace(" ", "")
    return _counts(jiwer.process_characters(said, got))


def _counts(output: "WordOutput | CharacterOutput") -> ErrorCounts:
    return ErrorCounts(output.hits, output.substitutions, output.deletions, output.insertions)


def align_words(reference: str, heard: str) -> list[tuple[str, str]]:
    """Align two texts after normalisation.

    Returns:
        (word to be said, word heard) in order; an empty string where one has no counterpart.
    """
    jiwer = import_extra("jiwer", "word errors")
    output = jiwer.process_words(normalise(reference), normalise(heard))
    said, got = output.references[0], output.hypotheses[0]
    pairs: list[tuple[str, str]] = []
    for chunk in output.alignments[0]:
        left = said[chunk.ref_start_idx : chunk.ref_end_idx]
        right = got[chunk.hyp_start_idx : chunk.hyp_end_idx]
        width = max(len(left), len(right))
        pairs += zip(left + [""] * (width - len(left)), right + [""] * (width - len(right)))
    return pairs
