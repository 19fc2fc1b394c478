"""Languages of a text, of a prompt and of an accent: as they are named, or as they are detected."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from espnet2_valle.common.errors import InputError, WorkError
from espnet2_valle.common.extras import import_extra
from espnet2_valle.text.markup import spans, without_emotions, without_markup
from espnet2_valle.text.multilingual import normal_code

TEXT, PROMPT, ACCENT = "--lang", "--prompt_lang", "--accent"
UNMARKED = "text"  # in the place of the language that is looked for
UNSURE = 0.6  # a probability below it deserves a warning
REMEMBERED = 1024  # texts, each of which is looked at more than once


@dataclass(frozen=True)
class Languages:
    """Languages of a request, ISO 639-1; None where a model is told none.

    Attributes:
        text: of what is to be said, outside of its marks.
        prompt: of what is said in the prompt.
        accent: whose ID stands for the text's in what is to be said; None: the text's own.
    """

    text: str | None = None
    prompt: str | None = None
    accent: str | None = None


def known_languages(read: Sequence[str], told: Sequence[str]) -> tuple[str, ...]:
    """Languages of a model.

    Args:
        read: by its tokenizer; none: it reads all alike.
        told: by IDs; none: it has none.
    """
    if not read or not told:
        return tuple(read or told)
    return tuple(language for language in read if language in told)


def named_language(named: str, known: Sequence[str], option: str) -> str:
    """The code of a language that an option names.

    Raises:
        InputError: the model does not know it.
    """
    if not known:
        raise InputError(option, f"'{named}': this model was not told languages", "Leave it out")
    code = normal_code(named)
    if code not in known:
        raise InputError(option, f"the model does not know '{named}'", f"Choose one of {', '.join(known)}")
    return code


def language_of(named: str | None, text: str, known: Sequence[str], option: str) -> str | None:
    """The language that is named, or else that of the text, which the log tells.

    Args:
        named: by an option, if it is given.
        text: with its marks.
        known: languages of the model; of one or none nothing is detected.
        option: that names it, for errors.

    Raises:
        InputError: the model does not know the named one, or the package that detects is missing.
    """
    if named:
        return named_language(named, known, option)
    if len(known) < 2:
        return known[0] if known else None
    return detect(text, tuple(known), option)


@lru_cache(maxsize=REMEMBERED)
def detect(text: str, known: tuple[str, ...], option: str) -> str:
    """The likeliest of some languages, told in the log.

    Args:
        text: its marks count: what is outside of them decides, if anything is.
        known: at least two.
        option: that would have named it.

    Raises:
        WorkError: the extra `languages` is not installed.
        InputError: py3langid knows none of them, or see `spans`.
    """
    text = without_emotions(text)
    outside = [span.text for span in spans(text, (UNMARKED, *known)) if span.language == UNMARKED]
    sample = " ".join(outside) if any(map(str.isalnum, "".join(outside))) else without_markup(text)
    identifier = _identifier(known, option)
    found, probability = identifier.classify(sample)
    level = logging.INFO if probability >= UNSURE else logging.WARNING
    logging.log(level, "%s is not given: %s (%.0f %%, by py3langid)", option, found, 100 * probability)
    return str(found)


@lru_cache(maxsize=16)
def _identifier(known: tuple[str, ...], option: str) -> Any:
    """An identifier of those languages that it knows of some.

    Raises:
        WorkError: it is not installed.
        InputError: it knows none of them.
    """
    remedy = f"Give it: one of {', '.join(known)}"
    try:
        langid = import_extra("py3langid.langid", option, "languages")
    except InputError as error:
        problem = f"is not given, and to detect it {error.problem}"
        raise WorkError(option, problem, f"{remedy}; or {error.remedy}") from error
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)
    labels = [language for language in known if language in identifier.labels]
    if not labels:
        raise InputError(option, f"is not given, and py3langid knows none of {', '.join(known)}", remedy)
    identifier.set_languages(labels)
    return identifier
