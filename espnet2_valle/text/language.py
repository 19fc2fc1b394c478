"""Languages that each g2p reads, and texts that are of another one."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.espnet_imports import import_g2p_without_download
from espnet2_valle.text import espeak_phones
from espnet2_valle.text.characters import show

WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
MIN_WORDS = 20  # fewer tell no language
MIN_SHARE = 0.12  # of a language's commonest words in a text; the lists hold a quarter to a third of most
MIN_COMMON = 4  # different ones of them
CLEARER = 3  # so many times as many as of the g2p's own language


@dataclass(frozen=True)
class Language:
    """A language as it is written.

    Attributes:
        name: in English.
        scripts: its letters', as the names of Unicode's characters begin.
        also: scripts of words in it that its g2p reads, too.
        common: its commonest words, as far as they tell it from others.
    """

    name: str
    scripts: tuple[str, ...] = ("LATIN",)
    also: tuple[str, ...] = ()
    common: frozenset[str] = frozenset()


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


# By ISO 639-1.
LANGUAGES = {
    "en": Language("English", common=_words("the and of to is that it was for you with his he she they are")),
    "de": Language(
        "German", common=_words("der die das und ist nicht ich sie mit ein eine auf zu den es im")
    ),
    "fr": Language(
        "French", common=_words("le les des et est une un je vous il pas que qui dans du nous au")
    ),
    "es": Language("Spanish", common=_words("el los las y es un una que de en no por con para su lo del")),
    "it": Language("Italian", common=_words("il di che è un una non per sono gli della con si ma lo del")),
    "nl": Language("Dutch", common=_words("het een van en is niet ik dat de zijn met op voor hij je te")),
    "pl": Language("Polish", common=_words("w i na z nie się że jest to do jak ale co po tak")),
    "fi": Language("Finnish", common=_words("ja on ei hän se että oli mutta olen niin kun mitä ovat")),
    "hu": Language("Hungarian", common=_words("a az és hogy nem egy van volt ez meg csak de is már")),
    "pt": Language("Portuguese", common=_words("o os as e é um uma que de não por com para do da em")),
    "sv": Language("Swedish", common=_words("och att det är som en på inte jag av för den ett han med")),
    "is": Language("Icelandic", common=_words("og að er ekki ég það sem við hann til þetta en var um")),
    "ru": Language("Russian", ("CYRILLIC",), ("LATIN",), _words("и не на что он с это как по но я был она")),
    "uk": Language(
        "Ukrainian", ("CYRILLIC",), ("LATIN",), _words("і не на що він з це як та але й був вона")
    ),
    "el": Language("Greek", ("GREEK",), ("LATIN",)),
    "hi": Language("Hindi", ("DEVANAGARI",), ("LATIN",)),
    "ar": Language("Arabic", ("ARABIC",), ("LATIN",)),
    "zh": Language("Mandarin", ("CJK", "BOPOMOFO")),
    "ja": Language("Japanese", ("HIRAGANA", "KATAKANA", "CJK"), ("LATIN",)),
    "ko": Language("Korean", ("HANGUL",), ("LATIN",)),
}
# How the names of ESPnet's g2p choices begin -> the language.
READS = {
    "g2p_en": "en",
    "g2p_is": "is",
    "g2pk": "ko",
    "korean_jaso": "ko",
    "pyopenjtalk": "ja",
    "pypinyin": "zh",
    "espeak_ng_english": "en",
    **{g2p: voice.split("-")[0] for g2p, voice in espeak_phones.LANGUAGES.items()},
}


# ISO 639-2 and 639-3, which corpora use too.
THREE_LETTERS = {
    "ara": "ar", "chi": "zh", "cmn": "zh", "deu": "de", "dut": "nl", "ell": "el", "eng": "en", "fin": "fi",
    "fra": "fr", "fre": "fr", "ger": "de", "gre": "el", "hin": "hi", "hun": "hu", "ice": "is", "isl": "is",
    "ita": "it", "jpn": "ja", "kor": "ko", "nld": "nl", "pol": "pl", "por": "pt", "rus": "ru", "spa": "es",
    "swe": "sv", "ukr": "uk", "zho": "zh",
}  # fmt: skip


def code_of(named: str) -> str | None:
    """ISO 639-1 code of a language as corpora name it: `en`, `en-US`, `eng`, `English`; None if unknown."""
    name = re.split(r"[-_.]", named.strip().lower())[0]
    if re.fullmatch("[a-z]{2}", name):
        return name
    known = {language.name.lower(): code for code, language in LANGUAGES.items()}
    return THREE_LETTERS.get(name) or known.get(name)


def language_of(g2p: str | None) -> str | None:
    """The language that a g2p reads, by ISO 639-1; None where there is no g2p, an unknown one, or several."""
    if g2p and g2p.startswith(espeak_phones.ANY):
        code = code_of(g2p.removeprefix(espeak_phones.ANY))
        return code if code in LANGUAGES else None
    return next((code for start, code in READS.items() if g2p and g2p.startswith(start)), None)


def count_scripts(text: str) -> Counter[str]:
    """Letters of each script; ideographs, kana and the like are letters."""
    counts = Counter(map(_script, unicodedata.normalize("NFKC", text)))
    del counts[""]
    return counts


@lru_cache(maxsize=1 << 16)  # a corpus has few characters, each millions of times
def _script(character: str) -> str:
    """The script of a letter; "" for what is none."""
    category = unicodedata.category(character)
    is_letter = category[0] == "L" and category != "Lm"
    return unicodedata.name(character, "UNNAMED").split()[0] if is_letter else ""


def foreign_words(text: str, g2p: str | None) -> list[str]:
    """Words with letters of a script that this g2p does not read."""
    code = language_of(g2p)
    if code is None:
        return []
    readable = {*LANGUAGES[code].scripts, *LANGUAGES[code].also}
    if not count_scripts(text).keys() - readable:
        return []
    return [word for word in text.split() if count_scripts(word).keys() - readable]


def check_script(text: str, g2p: str | None, where: str = "text") -> None:
    """Refuse a text most of whose letters this g2p does not read.

    Raises:
        InputError: it names the choices for that text.
    """
    code, counts = language_of(g2p), count_scripts(text)
    if code is None or not counts:
        return
    language = LANGUAGES[code]
    readable = sum(counts[script] for script in {*language.scripts, *language.also})
    if 2 * readable < counts.total():
        _refuse(text, g2p, where, _written_in(counts))


def check_language(texts: Iterable[str], g2p: str | None, where: str) -> None:
    """Refuse a set of texts that are not of the language of this g2p.

    Scripts tell most languages; among those of one script, the share of their commonest words does.

    Args:
        texts: of all utterances.
        g2p: one of ESPnet's choices; what has no language of its own reads all.
        where: the set, for the error.

    Raises:
        InputError: it names the choices for the language that the texts seem to be of.
    """
    code = language_of(g2p)
    if code is None:
        return
    counts: Counter[str] = Counter()
    words: Counter[str] = Counter()
    sample = ""
    for text in texts:
        counts.update(count_scripts(text))
        words.update(word.lower() for word in WORD.findall(text))
        sample = sample or text
    language = LANGUAGES[code]
    own = sum(counts[script] for script in language.scripts)
    if 2 * own < counts.total():
        _refuse(sample, g2p, where, _written_in(counts))
    found = guess_language(words)
    if found and found != code:
        mine, other = (share_of_common(words, one) for one in (code, found))
        if other > CLEARER * mine and set(LANGUAGES[found].scripts) & set(language.scripts):
            _refuse(sample, g2p, where, [found])


def check_named_languages(named: Iterable[tuple[str, str]], g2p: str | None, where: str) -> None:
    """Refuse utterances that are said to be of another language than the g2p reads.

    Args:
        named: utterances and their languages, see `code_of`; unknown ones may be any.
        g2p: one of ESPnet's choices; what has no language of its own reads all.
        where: that tells the languages, for the error.

    Raises:
        InputError: it names the choices for the first such language.
    """
    own = language_of(g2p)
    if own is None:
        return
    readable: dict[str, bool] = {}
    other = total = 0
    first = name = ""
    for utterance, language in named:
        total += 1
        if language not in readable:
            readable[language] = code_of(language) in (own, None)
        if not readable[language]:
            other += 1
            first, name = (first, name) if first else (utterance, language)
    if not other:
        return
    choices = _choices([str(code_of(name))])
    remedy = f"--g2p {' or '.join(choices)}" if choices else "the --g2p of that language"
    raise InputError(
        where,
        f"{other} of {total} utterances are not {LANGUAGES[own].name}, which --g2p {g2p} reads: "
        f"'{first}' is '{name}'",
        f"Choose {remedy}, or --token_type char, or correct it",
    )


def guess_language(words: Counter[str]) -> str | None:
    """The language whose commonest words make up the largest part of `words`, if a large one."""
    if words.total() < MIN_WORDS:
        return None
    best = max(LANGUAGES, key=lambda code: share_of_common(words, code))
    enough = len(LANGUAGES[best].common & words.keys()) >= MIN_COMMON
    return best if enough and share_of_common(words, best) >= MIN_SHARE else None


def share_of_common(words: Counter[str], code: str) -> float:
    """The part of `words` that are among the commonest of a language."""
    return sum(words[word] for word in LANGUAGES[code].common) / words.total()


def _written_in(counts: Counter[str]) -> list[str]:
    """Languages of the commonest script; Japanese is written with ideographs and kana."""
    script = counts.most_common(1)[0][0]
    if script == "CJK" and counts["HIRAGANA"]:
        return ["ja"]
    return [code for code, language in LANGUAGES.items() if script in language.scripts[:2]]


def _choices(codes: Collection[str]) -> list[str]:
    """Choices of ESPnet's g2p that read one of these languages."""
    import_g2p_without_download()
    from espnet2.text.phoneme_tokenizer import g2p_choices

    return [choice for choice in g2p_choices if language_of(choice) in codes]


def _refuse(text: str, g2p: str | None, where: str, found: list[str]) -> None:
    """Raise InputError: `text` is of one of the languages `found`."""
    own = LANGUAGES[str(language_of(g2p))]
    choices = _choices(found)
    told = 0 < len(found) <= 3
    names = " or ".join(LANGUAGES[code].name for code in found) if told else "another language"
    remedy = f"--g2p {' or '.join(choices)}" if told and choices else "the --g2p of its language"
    raise InputError(
        where,
        f"{show(text)} is not {own.name}, which --g2p {g2p} reads, but looks like {names}",
        f"Choose {remedy}, or --token_type char",
    )
