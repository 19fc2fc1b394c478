"""espeak-ng's phones: no marks of languages among them, and punctuation by itself."""

import re

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
# Punctuation that phonemizer does not know, and would lose.
MARKS = str.maketrans("،؛؟۔।॥·", ",;?...;")


class EspeakPhones:
    """ESPnet's phonemizer for one of its espeak choices.

    Args:
        g2p: the choice.
    """

    def __init__(self, g2p: str):
        from espnet2.text.phoneme_tokenizer import Phonemizer
        from phonemizer.punctuation import Punctuation

        marks = re.escape(Punctuation.default_marks())
        self._parts = re.compile(rf"[{marks}]|[^{marks}\s]+")
        self._apart = g2p != VITS
        options = {"with_stress": True, "preserve_punctuation": True, "language_switch": "remove-flags"}
        if self._apart:
            self._phonemize = Phonemizer("espeak", language=LANGUAGES[g2p], **options)
        else:
            self._phonemize = Phonemizer(
                "espeak",
                language="en-us",
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
