"""Which named corpora there are: what `--corpus` says -> its class."""

from collections.abc import Sequence

from espnet2_valle.common.errors import InputError
from espnet2_valle.corpus.cutting import DEFAULT_LIMITS, Limits
from espnet2_valle.corpus.named.abs_corpus import AbsCorpus
from espnet2_valle.corpus.named.aishell3 import AISHELL3
from espnet2_valle.corpus.named.emovdb import EmoVDB
from espnet2_valle.corpus.named.libri import LibriSpeech, LibriSpeechTest, LibriTTS, LibriTTSR
from espnet2_valle.corpus.named.ljspeech import LJSpeech
from espnet2_valle.corpus.named.long_recordings import AbsLongRecordings, Libriheavy, LibriLight
from espnet2_valle.corpus.named.vctk import VCTK

CORPORA: dict[str, type[AbsCorpus]] = {
    "ljspeech": LJSpeech,
    "vctk": VCTK,
    "libritts": LibriTTS,
    "libritts_r": LibriTTSR,
    "librispeech": LibriSpeech,
    "librispeech_test": LibriSpeechTest,
    "libriheavy": Libriheavy,
    "librilight": LibriLight,
    "aishell3": AISHELL3,
    "emovdb": EmoVDB,
}


def make_corpus(name: str, limits: Limits = DEFAULT_LIMITS) -> AbsCorpus:
    """The corpus called `name`; `limits` are for those that are cut."""
    kind = CORPORA[name]
    return kind(limits) if issubclass(kind, AbsLongRecordings) else kind()


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
