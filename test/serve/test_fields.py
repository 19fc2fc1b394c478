"""Fields for what a model knows."""

import pytest

from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.known import Known
from espnet2_valle.generate.options import DecodingOptions
from espnet2_valle.generate.styles import MOST_STRENGTH
from espnet2_valle.serve.asked import Wishes
from espnet2_valle.serve.fields import fields_of, told

LEVELS = {"speaking_rate": 5, "pitch_level": 5, "pitch_variation": 5, "energy": 3}
ALL = Known(("de", "en"), ("de", "en", "pl"), ("happy", "sad"), LEVELS)


def values(fields, name):
    return [value for _, value in fields[name].choices]


def test_a_model_that_is_told_nothing_has_none():
    for known in (Known(), Known(("en",), ("en",))):
        assert fields_of(known, DecodingOptions()) == {}


def test_all_wishes_have_a_field_with_the_model_s_values():
    fields = fields_of(ALL, DecodingOptions())
    assert list(fields) == list(Wishes.model_fields)
    assert values(fields, "lang") == values(fields, "prompt_lang") == ["", "de", "en"]
    assert values(fields, "accent") == ["", "de", "en", "pl"]
    assert values(fields, "emotion") == ["", "happy", "sad"]
    assert values(fields, "energy") == ["auto", "1", "2", "3"]
    assert "happy:0.6+sad:0.4" in fields["emotion"].more
    assert told({name: field.value for name, field in fields.items()}) == []


def test_a_slider_has_the_service_s_bounds():
    gradio = pytest.importorskip("gradio")
    slider = fields_of(ALL, DecodingOptions())["emotion_strength"].component(gradio)
    assert (slider.minimum, slider.maximum, slider.value) == (0, MOST_STRENGTH, 1)


def test_fields_begin_with_what_the_options_say():
    options = DecodingOptions(lang="German", emotion="happy:0.5+sad:0.5", emotion_strength=2, energy="2.5")
    fields = fields_of(ALL, options)
    assert fields["lang"].value == "de"
    assert values(fields, "lang") == ["de", "en"]  # a request cannot leave a language to be detected then
    assert told({name: field.value for name, field in fields.items()}) == [
        *("lang de", "emotion happy:0.5+sad:0.5", "emotion_strength 2", "energy 2.5"),
    ]
    reference = DecodingOptions(emotion_reference="sad.wav", emotion_recognizer="exp/emotion")
    assert fields_of(ALL, reference)["emotion"].choices[0] == ("the reference's", "")


def test_a_language_of_the_options_that_the_model_does_not_know_is_refused():
    with pytest.raises(InputError, match="--accent: the model does not know 'fr'. Choose one of de, en, pl"):
        fields_of(ALL, DecodingOptions(accent="fr"))
