"""Words of a text with tokens that a model never learnt."""

from collections.abc import Iterable, Mapping

from espnet2_valle.text.language import foreign_words
from espnet2_valle.text.markup import spans
from espnet2_valle.text.multilingual import MultilingualTokenizer, choices_by_language
from espnet2_valle.text.tokenizer import Tokenizer
from espnet2_valle.text.tokens import TokenIDs

SHOWN = 10  # so many words are named


def unknown_words(
    text: str, tokens: Iterable[str], tokenizer: Tokenizer, known: TokenIDs, g2p: str | None = None
) -> dict[str, str]:
    """Words that a model cannot say as they are.

    Args:
        text: of one utterance.
        tokens: of it.
        tokenizer: that made them.
        known: the model's list.
        g2p: of the tokenizer.

    Returns:
        word -> its tokens that the list lacks, or what else is wrong with it. Tokens that no word has by
        itself stand for themselves.
    """
    if isinstance(tokenizer, MultilingualTokenizer):
        choices = choices_by_language(g2p)
        return {
            word: lacked
            for span in spans(text, tokenizer.tokenizers)
            for word, lacked in unknown_words(
                span.text,
                tokenizer.tokens_of(span),
                tokenizer.tokenizers[span.language],
                known,
                choices.get(span.language),
            ).items()
        }
    missing = set(known.unknown(tokens))
    found: dict[str, str] = {}
    explained: set[str] = set()
    for word in dict.fromkeys(text.split()) if missing else ():
        lacked = [token for token in known.unknown(tokenizer.text2tokens(word)) if token in missing]
        if lacked:
            found[word] = " ".join(dict.fromkeys(lacked))
            explained.update(lacked)
    foreign = dict.fromkeys(foreign_words(text, g2p), "letters that the g2p does not read")
    return found | {token: token for token in sorted(missing - explained)} | foreign


def name_words(words: Mapping[str, str]) -> str:
    """Words and their tokens for a message, the first of them."""
    shown = [f"'{word}' ({tokens})" for word, tokens in list(words.items())[:SHOWN]]
    more = len(words) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
