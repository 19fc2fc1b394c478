"""Ids of utterances and speakers: short enough for file systems, and apart from those of other corpora."""

import hashlib
import re
from collections.abc import Collection

LONGEST_ID = 200  # bytes; file systems take names of 255
LONGEST_SPEAKER = 100  # bytes
DIGEST = 10  # characters
BEHIND_CORPUS = "-"  # stands in no corpus' name
COPY = re.compile(r"sp[0-9.]+-")  # before the name of a copy at another speed, see `perturb.perturbed_name`


def shortened(name: str, longest: int) -> str:
    """A name of at most so many bytes; what is cut off is told apart by a digest of the whole."""
    whole = name.encode()
    if len(whole) <= longest:
        return name
    digest = hashlib.sha256(whole).hexdigest()[:DIGEST]
    return f"{whole[: longest - DIGEST - 1].decode(errors='ignore')}-{digest}"


def within(corpus: str, name: str) -> str:
    """Name of an utterance, speaker or pair of `corpus` among those of other corpora."""
    return shortened(f"{corpus}{BEHIND_CORPUS}{name}", LONGEST_ID)


def corpus_of(speaker: str, corpora: Collection[str]) -> str:
    """Return which of `corpora` a speaker is of, also as a copy at another speed; empty if of none."""
    for name in (speaker, COPY.sub("", speaker, count=1)):
        corpus = name.partition(BEHIND_CORPUS)[0]
        if corpus in corpora:
            return corpus
    return ""
