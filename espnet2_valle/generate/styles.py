"""Style of what is to be said: as it is named, and as the models are told it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import check_keys
from espnet2_valle.common.resume import file_state
from espnet2_valle.generate.option import ACCEPTED, kinds, option
from espnet2_valle.mark.sound_training import MODEL
from espnet2_valle.valle.styles import ATTRIBUTES, EMOTION, SpokenStyle, StyleConditions

AUTO = "auto"
STRENGTH, REFERENCE, RECOGNIZER = "emotion_strength", "emotion_reference", "emotion_recognizer"
TRAIN = "Leave it out, or train a model that is told it (valle_conf: style, docs/emotion.md)"
LEVEL_HELP = "auto, or from 1 (lowest) to as many values as the model has, 5 by default; 3.5 lies between two"
ROUNDING = 0.01  # of shares that are to add up to 1
MOST_STRENGTH = 20.0  # of guidance: far beyond what speech stands, and logits stay finite


def _is_strength(value: float) -> bool:
    return 0 <= value <= MOST_STRENGTH


@dataclass(frozen=True)
class StyleOptions:
    """Options of the style in which a text is said, for models that are told one. Hashable.

    Raises:
        InputError: a value of another type or out of range, or an emotion that is named twice.
    """

    emotion: str = option("", "such as happy, or a blend, happy:0.6+sad:0.4; default: the model's own choice")
    emotion_strength: float = option(
        1.0, "guidance: above 1 the emotion counts more (twice the work), 1 as learnt, 0 none", _is_strength
    )
    emotion_reference: str = option(
        "", "recording whose emotion is to be taken, whoever speaks; needs --emotion_recognizer"
    )
    emotion_recognizer: str = option("", "folder of a recogniser of emotions, such as exp/mini_emo/emotion")
    speaking_rate: str = option(AUTO, f"{LEVEL_HELP}; against the speaker's own, as the others")
    pitch_level: str = option(AUTO, "in the same way: how high the voice is")
    pitch_variation: str = option(AUTO, "how much its pitch moves")
    energy: str = option(AUTO, "how loud it is")

    def __post_init__(self) -> None:
        for name in ATTRIBUTES:  # numbers as they stand in a config
            if isinstance(getattr(self, name), int | float):
                object.__setattr__(self, name, f"{getattr(self, name):g}")
        for one in fields(StyleOptions):
            value, kind, valid = getattr(self, one.name), kinds(StyleOptions)[one.name], one.metadata["valid"]
            if not isinstance(value, ACCEPTED[kind]) or (valid and not valid(value)):
                raise InputError(f"--{one.name}", f"{value} is out of range", "See conf/decode.yaml")
        if self.emotion:
            blend_of(self.emotion)
        for name in ATTRIBUTES:
            level_of(getattr(self, name), name)

    @property
    def style(self) -> "StyleOptions":
        """These options alone."""
        return StyleOptions(**{one.name: getattr(self, one.name) for one in fields(StyleOptions)})

    @property
    def style_given(self) -> dict[str, Any]:
        """Those that are not as by default."""
        every = fields(StyleOptions)
        return {one.name: getattr(self, one.name) for one in every if getattr(self, one.name) != one.default}

    @property
    def heard_state(self) -> dict[str, str]:
        """States of the files of a reference and its recogniser, which decide what emotion is heard."""
        if not self.emotion_reference:
            return {}
        weights = Path(self.emotion_recognizer, MODEL)
        return {"heard": f"{file_state(self.emotion_reference)} {file_state(weights)}"}

    def with_style(self, wishes: Mapping[str, Any]) -> "StyleOptions":
        """These options alone, with some in their place; an emotion takes the place of a reference.

        Raises:
            InputError: there is no such option, or see the class.
        """
        check_keys("style", wishes, [one.name for one in fields(StyleOptions)], "option")
        own = self.style
        if wishes.get(EMOTION):
            own = replace(own, emotion_reference="")
        if wishes.get(REFERENCE):
            own = replace(own, emotion="")
        numbers = {name: str(wishes[name]) for name in ATTRIBUTES if name in wishes}
        return replace(own, **{**wishes, **numbers})


def blend_of(named: str) -> dict[str, float]:
    """Labels and their shares, which add up to 1, of an emotion as it is named.

    Raises:
        InputError: a share that is no number, shares that do not add up to 1, or a label that comes twice.
    """
    example = "Write happy, or happy:0.6+sad:0.4"
    shares: dict[str, float] = {}
    parts = named.split("+")
    for part in parts:
        label, colon, share = part.strip().partition(":")
        try:
            weight = float(share) if colon else 1 / len(parts)
        except ValueError:
            weight = -1.0
        if not label or not 0 <= weight <= 1:
            raise InputError("--emotion", f"'{part}' is no emotion with its share", example)
        if label in shares:
            raise InputError("--emotion", f"'{label}' comes twice", example)
        shares[label] = weight
    if abs(sum(shares.values()) - 1) > ROUNDING:
        raise InputError("--emotion", f"the shares of '{named}' do not add up to 1", example)
    return shares


def level_of(given: str, name: str) -> float | None:
    """Place of an attribute's value, counted from 1; None for auto.

    Raises:
        InputError: it is neither auto nor a number from 1 on.
    """
    if given == AUTO:
        return None
    try:
        level = float(given)
    except ValueError:
        level = 0.0
    if not 1 <= level < float("inf"):
        raise InputError(f"--{name}", f"'{given}' is out of range", "Give auto, or a number from 1 on")
    return level


class StyleTeller:
    """The style that is asked for, as a model is told it.

    Args:
        conditions: of the model.
        device: of its texts.
    """

    def __init__(self, conditions: StyleConditions, device: torch.device | str):
        self.conditions = conditions
        self.device = device

    def check(self, asked: StyleOptions) -> None:
        """Raise InputError for what the model is not told, labels and values that it does not know, and a
        reference that nothing hears or that an emotion is named beside.
        """
        if asked.emotion and asked.emotion_reference:
            raise InputError("--emotion_reference", "is given beside --emotion", "Leave out one of them")
        if asked.emotion_reference and not asked.emotion_recognizer:
            raise InputError(
                "--emotion_reference",
                "needs a recogniser, which hears its emotion",
                "Give --emotion_recognizer, too (run.sh --emotion_recognizer true trains one)",
            )
        if asked.emotion_reference and not self.conditions.emotions:
            raise InputError("--emotion_reference", "this model is told no emotions", TRAIN)
        self._whole(asked, blend_of(asked.emotion) if asked.emotion else {})

    def told(
        self, asked: StyleOptions, marked: Sequence[str], prompt_tokens: int, heard: Mapping[str, float]
    ) -> SpokenStyle | None:
        """Style of a text, behind that of its prompt, of which nothing is told.

        Args:
            asked: for all of the text.
            marked: emotion of each token of both that is marked; "" of others.
            prompt_tokens: how many are the prompt's.
            heard: emotions of the reference and their shares, if there is one.

        Returns:
            None where nothing is asked.

        Raises:
            InputError: see `check`.
        """
        blend = blend_of(asked.emotion) if asked.emotion else heard
        whole = self._whole(asked, blend)
        if not whole.any() and not any(marked):
            return None
        weights = whole.repeat(len(marked), 1)
        weights[:prompt_tokens] = 0
        place = self._emotions
        for number, label in enumerate(marked):
            if label:
                weights[number, place] = self._shares({label: 1.0})
        baseline = weights.clone()
        baseline[:, place] = 0
        strength = asked.emotion_strength
        if strength == 1 or not weights[:, place].any():
            return SpokenStyle(weights.to(self.device))
        without = SpokenStyle(baseline.to(self.device))
        return SpokenStyle(weights.to(self.device), without, strength)

    @property
    def _emotions(self) -> slice:
        """Places of the emotions among all values: they come first."""
        return slice(0, len(self.conditions.emotions))

    def _shares(self, blend: Mapping[str, float]) -> torch.Tensor:
        known = self.conditions.emotions
        if not known:
            raise InputError("--emotion", "this model is told no emotions", TRAIN)
        for label in blend:
            if label not in known:
                raise InputError(
                    "--emotion", f"the model does not know '{label}'", f"Choose among {', '.join(known)}"
                )
        return torch.tensor([blend.get(label, 0.0) for label in known])

    def _whole(self, asked: StyleOptions, blend: Mapping[str, float]) -> torch.Tensor:
        """Weights (values,) of all of a text."""
        sizes = self.conditions.sizes
        weights = torch.zeros(sum(sizes.values()))
        if blend:
            weights[self._emotions] = self._shares(blend)
        for name in ATTRIBUTES:
            level = level_of(getattr(asked, name), name)
            if level is None:
                continue
            if name not in sizes:
                raise InputError(f"--{name}", "this model is not told it", TRAIN)
            if level > sizes[name]:
                raise InputError(f"--{name}", f"{level:g} is out of range", f"Give 1 to {sizes[name]}")
            lower = int(level)
            first = self.conditions.first(name) - 1
            weights[first + lower] += 1 - (level - lower)
            if level > lower:
                weights[first + lower + 1] += level - lower
        return weights
