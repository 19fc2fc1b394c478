"""How many times as fast as its prompt a text is said."""

import pytest
import torch

from espnet2_valle.valle.languages import SpokenLanguages
from espnet2_valle.valle.relative_rates import relative_rate
from espnet2_valle.valle.styles import SpokenStyle, StyleConditions

RATES = {"language": [1.0, 0.5], "emotion": [2.0, 0.5], "speaking_rate": [0.25, 1.0, 4.0]}
CONDITIONS = StyleConditions(["emotion", "speaking_rate", "energy"], ["happy", "sad"], 3, 0.2, 8)


def styled(strength=1.0, **values):
    weights = torch.zeros(5, 8)
    for place, weight in values.items():
        weights[2:, int(place[1:])] = weight
    return SpokenStyle(weights, None, strength)


def rate(languages=None, style=None, prompt_tokens=2, rates=RATES):
    return relative_rate(rates, CONDITIONS, prompt_tokens, languages, style)


def test_a_language_is_as_fast_as_the_training_set_says():
    text = torch.tensor([1, 1, 0, 0, 0])
    assert rate(SpokenLanguages(text, 1, 0)) == pytest.approx(2.0)
    assert rate(SpokenLanguages(1 - text, 0, 1)) == pytest.approx(0.5)
    assert rate(SpokenLanguages(torch.ones(5, dtype=torch.long), 1, 1)) == pytest.approx(1.0)
    assert rate(SpokenLanguages(torch.tensor([0, 0, 1, 0]), 0, 0)) == pytest.approx(0.5**0.5)  # half of it


def test_a_style_is_as_fast_as_its_emotion_or_as_is_asked():
    assert rate(style=styled(_0=1.0)) == pytest.approx(2.0)
    assert rate(style=styled(_0=0.5, _1=0.5)) == pytest.approx(1.0)  # a blend
    assert rate(style=styled(_0=1.0, _2=1.0)) == pytest.approx(0.25)  # the rate that is asked for
    assert rate(style=styled(_5=1.0)) == pytest.approx(1.0)  # energy tells nothing
    assert rate(style=styled(0.5, _0=1.0)) == pytest.approx(2**0.5)
    assert rate(style=styled(3.0, _0=1.0)) == pytest.approx(2.0)  # guidance makes it no faster than told


def test_what_is_not_known_is_as_fast_as_the_prompt():
    assert rate() == 1.0
    assert rate(SpokenLanguages(torch.tensor([1, 0, 0]), 1, 0), styled(_0=1.0), rates={}) == 1.0
    assert (
        rate(
            SpokenLanguages(torch.ones(3, dtype=torch.long), 1, 1),
            prompt_tokens=0,
            rates={"language": [1.0, 0.5]},
        )
        == 0.5
    )
