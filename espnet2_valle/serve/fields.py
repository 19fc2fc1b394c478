"""Fields of the page for languages, emotion and style, of models that know them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from espnet2_valle.generate.known import Known
from espnet2_valle.generate.languages import ACCENT, PROMPT, TEXT, named_language
from espnet2_valle.generate.options import DecodingOptions
from espnet2_valle.generate.styles import AUTO, MOST_STRENGTH, STRENGTH
from espnet2_valle.valle.styles import EMOTION

STEP = 0.1  # of the slider


@dataclass(frozen=True)
class Field:
    """A wish of `Wishes` as the page asks for it.

    Attributes:
        label: on the page.
        value: at first, as the model's options have it.
        choices: words and values; none: a number.
        more: what else may be typed, in words; "": nothing.
    """

    label: str
    value: str | float
    choices: tuple[tuple[str, str], ...] = ()
    more: str = ""

    def component(self, gradio: Any) -> Any:
        """The field on the page."""
        if not self.choices:
            return gradio.Slider(0, MOST_STRENGTH, self.value, step=STEP, label=self.label)
        return gradio.Dropdown(
            list(self.choices),
            value=self.value,
            label=self.label,
            info=self.more or None,
            allow_custom_value=bool(self.more),
        )


def fields_of(known: Known, options: DecodingOptions) -> dict[str, Field]:
    """The fields of a model, by their names in `Wishes`; none of one that is told nothing but the text.

    Args:
        known: to the model.
        options: of the model, which say what is chosen at first.

    Raises:
        InputError: the options name a language that the model does not know.
    """
    fields = {}
    if len(known.languages) > 1:
        fields["lang"] = _language("Language", options.lang, known.languages, TEXT, "detect")
        fields["prompt_lang"] = _language(
            "Language of the prompt", options.prompt_lang, known.languages, PROMPT, "detect"
        )
    if len(known.accents) > 1:
        fields["accent"] = _language("Accent", options.accent, known.accents, ACCENT, "the text's")
    if known.emotions:
        blend = "or a blend: {}:0.6+{}:0.4".format(*known.emotions) if len(known.emotions) > 1 else ""
        nothing = "the reference's" if options.emotion_reference else "none"
        choices = ((nothing, ""), *_plain(known.emotions))
        fields[EMOTION] = Field("Emotion", options.emotion, choices, blend)
        fields[STRENGTH] = Field("Strength", options.emotion_strength)
    for name, levels in known.levels.items():
        choices = _plain([AUTO, *(str(level) for level in range(1, levels + 1))])
        label = name.replace("_", " ").capitalize()
        fields[name] = Field(label, getattr(options, name), choices, "or between two, such as 3.5")
    return fields


def draw(gradio: Any, fields: Mapping[str, Field], names: Sequence[str]) -> dict[str, Any]:
    """Put those of some fields that there are beside one another; returns them by name."""
    there = [name for name in names if name in fields]
    if not there:
        return {}
    with gradio.Row():
        return {name: fields[name].component(gradio) for name in there}


def told(asked: Mapping[str, Any]) -> list[str]:
    """Choices of a visitor, in words; what is left to the model is not named."""
    own = {None, "", AUTO}
    return [
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in asked.items()
        if value not in own and value != getattr(DecodingOptions, name)
    ]


def _language(label: str, named: str, known: Sequence[str], option: str, unnamed: str) -> Field:
    """A field of languages; `unnamed` stands for none of them, where the options name none either."""
    if named:
        return Field(label, named_language(named, known, option), _plain(known))
    return Field(label, "", ((unnamed, ""), *_plain(known)))


def _plain(values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Choices that are what they are called."""
    return tuple((value, value) for value in values)
