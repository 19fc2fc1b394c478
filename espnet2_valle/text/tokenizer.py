"""Text -> tokens with ESPnet's tokenizers, from Python packages alone; what is missing is said."""

from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from espnet2_valle.common.errors import InputError, WorkError, work_errors
from espnet2_valle.common.espnet_imports import import_g2p_without_download
from espnet2_valle.text.bpe import check_bpe
from espnet2_valle.text.characters import check_characters, check_markup, normalise
from espnet2_valle.text.espeak_phones import ANY, LANGUAGES, VITS, EspeakPhones, check_voice
from espnet2_valle.text.language import check_script
from espnet2_valle.text.markup import spans
from espnet2_valle.text.multilingual import MultilingualTokenizer, choices_by_language
from espnet2_valle.text.reading import CURRENT, ESPNET

TOKEN_TYPES = ("phn", "char", "bpe")
G2P_HELP = (
    "for phn: any of ESPnet's choices, espeak:VOICE for any voice of espeak-ng, or one for each language: "
    "'en=espeak_ng_english_us_vits zh=pypinyin_g2p_phone'"
)
Choice = tuple[Any, ...]  # arguments of `build_tokenizer`
ESPEAK_REMEDY = (
    "Install the extra: pip install 'espnet2_valle[espeak]', "
    "or choose --g2p g2p_en_no_space or --token_type char"
)
NLTK_DATA = {
    "cmudict": ("corpora/cmudict", "corpora/cmudict.zip"),
    "averaged_perceptron_tagger_eng": (
        "taggers/averaged_perceptron_tagger_eng",
        "taggers/averaged_perceptron_tagger_eng.zip",
    ),
}


class Tokenizer(Protocol):
    """Tokenizer that `build_tokenizer` returns."""

    def text2tokens(self, line: str) -> list[str]:
        """Tokens of one text."""
        ...


class CleaningTokenizer:
    """ESPnet's cleaner followed by one of its tokenizers.

    Args:
        cleaner, tokenizer: ESPnet's.
        normalised: characters are written alike first, see `characters.normalise`.
    """

    def __init__(self, cleaner: object, tokenizer: object, normalised: bool = False):
        self._clean = cleaner
        self._tokenizer = tokenizer
        self._normalised = normalised

    def text2tokens(self, line: str) -> list[str]:
        """Tokens of one text, in order; none of a text without a letter, a digit or a mark.

        Raises:
            WorkError: a package that some of ESPnet's g2p choices import only now is missing.
        """
        if self._normalised:
            line = normalise(line)
        if not line.strip():  # of which some of ESPnet's g2p choices make an IndexError
            return []
        try:
            tokens = self._tokenizer.text2tokens(self._clean(line))  # type: ignore[attr-defined,operator]
        except ModuleNotFoundError as error:
            raise _missing_package(error) from error
        return [token for token in tokens if token]


def build_tokenizer(
    token_type: str,
    g2p: str | None = None,
    cleaner: str | None = None,
    bpemodel: str | Path | None = None,
    reading: int = CURRENT,
) -> Tokenizer:
    """Make the tokenizer of a recipe or of a trained model.

    Args:
        token_type: phn, char or bpe.
        g2p: for phn, one of ESPnet's choices (g2p_en_no_space, espeak_ng_english_us_vits, ...), any voice of
            espeak-ng (espeak:cmn), or one of these for each language (en=... zh=...).
        cleaner: one of ESPnet's text cleaners (tacotron, ...); None or "none" for no cleaning.
        bpemodel: for bpe, a sentencepiece model.
        reading: how, see `text.reading`; a trained model keeps that of its training.

    Raises:
        InputError: an unknown choice, missing NLTK data, a missing extra or model.
    """
    import_g2p_without_download()
    from espnet2.text.build_tokenizer import build_tokenizer as espnet_build_tokenizer
    from espnet2.text.cleaner import TextCleaner

    if token_type not in TOKEN_TYPES:
        raise InputError(
            "--token_type", f"unknown value '{token_type}'", f"Choose one of {', '.join(TOKEN_TYPES)}"
        )
    g2p = _none_if_said(g2p)
    cleaner = _none_if_said(cleaner)
    choices = choices_by_language(g2p) if token_type == "phn" else {}
    if choices and cleaner:
        raise InputError(f"--cleaner {cleaner}", "is for texts of one language", "Choose none")
    if choices:
        each = {
            language: build_tokenizer("phn", choice, reading=reading) for language, choice in choices.items()
        }
        return MultilingualTokenizer(each, choices)
    if token_type == "phn":
        _check_g2p(g2p)
    if token_type == "bpe" and not (bpemodel and Path(bpemodel).is_file()):
        raise InputError(
            "--bpemodel", f"no such sentencepiece model: '{bpemodel}'", "Run stage 3 first, or give its path"
        )
    if token_type == "bpe":
        check_bpe(str(bpemodel))
    tokenizer: Tokenizer
    try:
        text_cleaner = TextCleaner(cleaner)
        text_cleaner("probe")
        if token_type == "phn" and _is_espeak(g2p, reading):
            tokenizer = EspeakPhones(str(g2p))
        else:
            tokenizer = espnet_build_tokenizer(
                token_type=token_type,
                bpemodel=str(bpemodel) if token_type == "bpe" else None,
                g2p_type=g2p if token_type == "phn" else None,
            )
    except ModuleNotFoundError as error:
        raise _missing_package(error) from error
    except NotImplementedError as error:  # a choice that ESPnet lists and does not have
        raise InputError(f"--g2p {g2p}", f"ESPnet does not have it ({error})", "Choose another") from error
    except RuntimeError as error:
        raise InputError(f"--cleaner {cleaner}", str(error), "Choose tacotron or none") from error
    # Phones that are given as they are may hold superscripts.
    normalised = reading != ESPNET and (token_type != "phn" or g2p is not None)
    return CleaningTokenizer(text_cleaner, tokenizer, normalised)


@lru_cache(maxsize=4)
def cached_tokenizer(*choice: Any) -> Tokenizer:
    """`build_tokenizer`, once in each process for the same choices."""
    return build_tokenizer(*choice)


def tokenize(text: str, choice: Choice) -> list[str]:
    """Tokens of one text, for parallel work.

    Raises:
        WorkError: this worker lacks what the choice needs.
        InputError: the text has characters that are no writing, or is in a script that the g2p does not read.
    """
    with work_errors():
        tokenizer = cached_tokenizer(*choice)
    check_text(text, choice[0], choice[1])
    return tokenizer.text2tokens(text)


def check_text(text: str, token_type: str, g2p: str | None, where: str = "text") -> None:
    """Raise InputError at a text that a tokenizer would misread without a word; `where` names it."""
    check_characters(text, where)
    choices = choices_by_language(g2p) if token_type == "phn" else {}
    if choices:
        for span in spans(text, choices, where):
            check_script(span.text, choices[span.language], where)
    elif token_type == "phn" and _none_if_said(g2p):
        check_markup(text, where)
        check_script(text, g2p, where)


def _is_espeak(g2p: str | None, reading: int) -> bool:
    """Tell a g2p that `EspeakPhones` reads; earlier versions had ESPnet's alone."""
    ours = g2p is not None and g2p.startswith(ANY)
    return ours or (reading != ESPNET and (g2p == VITS or g2p in LANGUAGES))


def _missing_package(error: ModuleNotFoundError) -> WorkError:
    return WorkError(
        "--g2p", f"this choice needs the Python package '{error.name}'", f"Run: pip install {error.name}"
    )


def _none_if_said(choice: str | None) -> str | None:
    """Recipes say "none" where ESPnet wants None."""
    return None if choice is None or choice.lower() == "none" else choice


def _check_g2p(g2p: str | None) -> None:
    """Raise InputError unless this grapheme-to-phoneme choice exists and has what it needs."""
    from espnet2.text.phoneme_tokenizer import g2p_choices

    if g2p and g2p.startswith(ANY):
        prepare_espeak()
        check_voice(g2p)
        return
    if g2p not in g2p_choices:
        known = ", ".join(choice for choice in g2p_choices if choice)
        raise InputError("--g2p", f"unknown value '{g2p}'", f"Choose one of {known}, or {ANY}VOICE")
    if g2p and g2p.startswith("g2p_en"):
        check_nltk_data()
    if g2p and g2p.startswith("espeak_ng"):
        prepare_espeak()


def check_nltk_data() -> None:
    """Raise InputError unless NLTK finds the data that g2p_en reads."""
    import nltk

    missing = [
        name for name, places in NLTK_DATA.items() if not any(_nltk_has(nltk, place) for place in places)
    ]
    if missing:
        raise InputError(
            "--g2p g2p_en",
            f"needs the NLTK data {' and '.join(missing)}, found nowhere in {', '.join(nltk.data.path)}",
            f"Run: python -m nltk.downloader {' '.join(missing)} "
            "(or set NLTK_DATA to a folder that has them). "
            "Without a network choose --g2p espeak_ng_english_us_vits or --token_type char",
        )


def _nltk_has(nltk: object, place: str) -> bool:
    try:
        nltk.data.find(place)  # type: ignore[attr-defined]
    except LookupError:
        return False
    return True


def prepare_espeak() -> None:
    """Point phonemizer to the espeak-ng library and voices of the espeakng_loader wheel.

    Raises:
        InputError: the extra `espeak` is not installed.
    """
    try:
        import espeakng_loader
        from phonemizer.backend.espeak.wrapper import EspeakWrapper
    except ModuleNotFoundError as error:
        raise InputError("espeak phones", f"need the Python package '{error.name}'", ESPEAK_REMEDY) from error
    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    if hasattr(EspeakWrapper, "set_data_path"):
        EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
