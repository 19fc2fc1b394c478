"""espeak-ng's phones: no marks of languages among them, and punctuation by itself."""

import re

from espnet2_valle.common.errors import InputError

LANGUAGES = {
    "espeak_ng_arabic": "ar",
    "espeak_ng_dutch": "nl",
    "espeak_ng_finnish": "fi",
    "espeak_ng_french": "fr-fr",
    "espeak_ng_german": "de",
    "espeak_ng_greek": "el",
    "espeak_ng_hindi": "hi",
    "espeak_ng_hungarian": "hu",
    "espeak_ng_italian": "it",
    "espeak_ng_polish": "pl",
    "espeak_ng_russian": "ru",
    "espeak_ng_spanish": "es",
    "espeak_ng_ukrainian": "uk",
}
VITS = "espeak_ng_english_us_vits"  # one token a character, words apart
ANY = "espeak:"  # begins a choice that names a voice of espeak-ng, which is read in the same way: espeak:cmn
# Punctuation that phonemizer does not know, and would lose.
MARKS = str.maketrans("،؛؟۔।॥·", ",;?...;")


def words_apart(g2p: str) -> bool:
    """Tell a g2p of espeak-ng that has one token a character, and `<space>` between words."""
    return g2p == VITS or g2p.startswith(ANY)


def check_voice(g2p: str) -> None:
    """Raise InputError unless espeak-ng has the voice of a choice `espeak:VOICE`; it has to be prepared."""
    from phonemizer.backend import EspeakBackend

    voice = g2p.removeprefix(ANY)
    if not EspeakBackend.is_supported_language(voice):
        names = sorted(EspeakBackend.supported_languages())
        raise InputError(f"--g2p {g2p}", "espeak-ng has no such voice", f"Choose one of {', '.join(names)}")


class EspeakPhones:
    """ESPnet's phonemizer for one of its espeak choices, or for any voice of espeak-ng.

    Args:
        g2p: the choice.
    """

    def __init__(self, g2p: str):
        from espnet2.text.phoneme_tokenizer import Phonemizer
        from phonemizer.punctuation import Punctuation

        marks = re.escape(Punctuation.default_marks())
        self._parts = re.compile(rf"[{marks}]|[^{marks}\s]+")
        self._apart = not words_apart(g2p)
        options = {"with_stress": True, "preserve_punctuation": True, "language_switch": "remove-flags"}
        if self._apart:
            self._phonemize = Phonemizer("espeak", language=LANGUAGES[g2p], **options)
        else:
            self._phonemize = Phonemizer(
                "espeak",
                language="en-us" if g2p == VITS else g2p.removeprefix(ANY),
                strip=True,
                word_separator=" ",
                phone_separator="",
                split_by_single_token=True,
                **options,
            )

    def text2tokens(self, line: str) -> list[str]:
        """Phones and punctuation marks of one text, in order."""
        tokens = self._phonemize(line.translate(MARKS) if self._apart else line)
        return [part for token in tokens for part in self._parts.findall(token)] if self._apart else tokens
