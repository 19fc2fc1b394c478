"""Normalisation of texts before their words are compared: each protocol has its own."""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from espnet2_valle.common.extras import import_extra
from espnet2_valle.common.registry import Registry

APOSTROPHES = str.maketrans({"’": "'", "ʼ": "'", "`": "'"})
STRAY_APOSTROPHE = re.compile(r"(?<!\w)'|'(?!\w)")


def basic(text: str) -> str:
    """Lower case, one space between words, no punctuation but an apostrophe inside a word.

    Every other mark parts words (`well-known` is two), in all scripts. LibriSpeech's transcripts come
    out as they are but for the case.
    """
    text = unicodedata.normalize("NFKC", text).lower().translate(APOSTROPHES)
    kept = "".join(" " if char != "'" and unicodedata.category(char)[0] in "PSZC" else char for char in text)
    return " ".join(STRAY_APOSTROPHE.sub(" ", kept).split())


def characters(text: str) -> str:
    """As `basic`, then each character is a word: for scripts without spaces, as Seed-TTS-eval does."""
    return " ".join(basic(text).replace(" ", ""))


def mandarin(text: str) -> str:
    """As `characters`, in simplified characters: Whisper writes Mandarin in either, as it likes.

    Raises:
        InputError: the package opencc is not installed.
    """
    module = import_extra("opencc", "the normaliser mandarin", "whisper")
    return characters(_simplified_by(module).convert(text))


@lru_cache(maxsize=1)
def _simplified_by(module: Any) -> Any:
    return module.OpenCC("t2s")  # which reads its tables


def whisper_english(text: str) -> str:
    """Whisper's: as `basic`, and spellings, numbers, contractions and fillers made alike.

    Raises:
        InputError: the package whisper-normalizer is not installed.
    """
    module = import_extra("whisper_normalizer.english", "the normaliser whisper_english", "whisper")
    return basic(_normaliser_of(module)(text))


@lru_cache(maxsize=1)
def _normaliser_of(module: Any) -> Callable[[str], str]:
    normaliser: Callable[[str], str] = module.EnglishTextNormalizer()  # which reads a table of spellings
    return normaliser


def spelled_english(text: str) -> str:
    """As `whisper_english`, then each character is a word, 0 is the letter o and `one` the digit.

    For spelled names and strings of digits (AN4): recognisers write `t e e`, `T-E-E` or `tee`, `five oh` or
    `50`, and none of these is an error. Whisper's normaliser leaves a digit 1 that stands alone as `one`.
    """
    digits = re.sub(r"\bone(s?)\b", r"1\1", whisper_english(text))
    return " ".join(digits.replace(" ", "").replace("0", "o"))


NORMALISERS: Registry[Callable[[str], str]] = Registry(
    "normaliser",
    {
        "basic": basic,
        "characters": characters,
        "mandarin": mandarin,
        "spelled_english": spelled_english,
        "whisper_english": whisper_english,
    },
)
