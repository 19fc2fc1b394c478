"""The named corpora. A new one is a file in this folder: `NAME.py` with a class `Corpus`."""

from collections.abc import Mapping, Sequence

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.registry import Registry
from espnet2_valle.corpus import named
from espnet2_valle.corpus.abs_corpus import AbsCorpus
from espnet2_valle.corpus.cutting import DEFAULT_LIMITS, Limits


def find_corpora() -> Registry[type[AbsCorpus]]:
    """Register the files of the folder, each to be imported when it is asked for."""
    return Registry("--corpus", {name: f"{named.__name__}.{name}:Corpus" for name in named.corpus_names()})


CORPORA = find_corpora()


def recipe_defaults(name: str) -> dict[str, str]:
    """Options of valle.sh, without `--`, and their values where a corpus wants others; the user's come first.

    Raises:
        InputError: there is no such corpus.
    """
    return dict(CORPORA[name].recipe_defaults)


def make_corpus(
    name: str, limits: Limits = DEFAULT_LIMITS, conf: Mapping[str, float] | None = None
) -> AbsCorpus:
    """Build the corpus called `name`; `limits` are for those of long recordings, `conf` for its `options`.

    Raises:
        InputError: there is none, or none with such an option.
    """
    return CORPORA[name](limits, conf)


def choose_parts(corpus: AbsCorpus, given: str | None) -> Sequence[str]:
    """Parts from a list with commas; None takes the corpus' own choice.

    Raises:
        InputError: a part that the corpus does not have.
    """
    if given is None:
        return corpus.default_parts
    parts = [part for part in given.split(",") if part]
    unknown = [part for part in parts if part not in corpus.parts]
    if unknown or not parts:
        raise InputError(
            "--parts",
            f"{corpus.title} has no part '{''.join(unknown[:1])}'",
            f"Choose among {', '.join(corpus.parts)}",
        )
    return parts
