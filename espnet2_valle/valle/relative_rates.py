"""Speaking rate of what is to be said against that of its prompt, by languages and style.

The AR model moves along its text at the prompt's rate. Another language has more or fewer tokens a second,
and who is sad speaks more slowly: a training set tells by how much.
"""

from collections.abc import Mapping, Sequence

import torch

from espnet2_valle.valle.languages import SpokenLanguages
from espnet2_valle.valle.styles import ATTRIBUTES, EMOTION, SpokenStyle, StyleConditions

LANGUAGE, SPEAKING_RATE = "language", ATTRIBUTES[0]


def relative_rate(
    rates: Mapping[str, Sequence[float]],
    conditions: StyleConditions,
    prompt_tokens: int,
    languages: SpokenLanguages | None,
    style: SpokenStyle | None,
) -> float:
    """Rate of a text over that of its prompt; the geometric mean over its tokens.

    Args:
        rates: how many times as fast as usual each language, each emotion and each value of the speaking rate
            is said; what is not there counts as usual.
        conditions: of the model.
        prompt_tokens: how many of the tokens are the prompt's, of which no style is told.
        languages, style: of the utterance; None: not told.
    """
    log = torch.zeros(())
    if languages is not None and LANGUAGE in rates:
        each = torch.tensor(rates[LANGUAGE], dtype=torch.float32).log()[languages.text.cpu()]
        log = log + _mean(each[prompt_tokens:]) - _mean(each[:prompt_tokens])
    if style is not None:
        told = style.weights[prompt_tokens:].cpu().float()
        log = log + min(style.strength, 1.0) * _mean(_of_style(rates, conditions, told))
    return float(log.exp())


def _of_style(
    rates: Mapping[str, Sequence[float]], conditions: StyleConditions, weights: torch.Tensor
) -> torch.Tensor:
    """Logarithm (time,) of the rate of each token by its style (time, values): as asked, or the emotion's."""
    found = torch.zeros(len(weights))
    for name in (EMOTION, SPEAKING_RATE):
        if name in rates and name in conditions.sizes:
            first = conditions.first(name)
            own = weights[:, first : first + conditions.sizes[name]]
            log = own @ torch.tensor(rates[name], dtype=torch.float32).log()
            found = torch.where(own.sum(1) > 0, log, found)
    return found


def _mean(values: torch.Tensor) -> torch.Tensor:
    """Mean of values, 0 of none."""
    return values.mean() if len(values) else torch.zeros(())
