"""Languages and style that a model may be told, as its model card says them."""

from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from espnet2_valle.generate.known import Known
from espnet2_valle.generate.languages import known_languages
from espnet2_valle.tasks.languages import languages_of
from espnet2_valle.text.multilingual import choices_by_language
from espnet2_valle.valle.styles import ATTRIBUTES, BINS, EMOTION

ENGLISH = "en"  # the language of the card's example, where the model knows it


def known_of_configs(trainings: Sequence[Namespace]) -> Known:
    """Languages and style of models, as far as their training configs tell.

    Args:
        trainings: AR and NAR; the first that is told something says what. Or that of a diffusion model.
    """
    reading = trainings[0]
    read = tuple(choices_by_language(reading.g2p)) if reading.token_type == "phn" else ()
    told: tuple[str, ...] = ()
    style: dict[str, Any] = {}
    for training in reversed(trainings):
        if hasattr(training, "valle_conf"):
            told = tuple(languages_of(training) or told)
            style = training.valle_conf if training.valle_conf.get("style") else style
    names = style.get("style", [])
    emotions = (style.get("emotions") or []) if EMOTION in names else []
    levels = {name: style.get("style_bins", BINS) for name in ATTRIBUTES if name in names}
    return Known(known_languages(read, told), told, tuple(emotions), levels)


def told_lines(known: Known) -> list[str]:
    """Lines of Markdown about languages and style; none of a model that is told neither."""
    lines = []
    if len(known.languages) > 1:
        first, second = known.languages[:2]
        lines.append(
            f'- Languages: {", ".join(known.languages)}; name those of text and prompt (`lang="{first}", '
            f'prompt_lang="{second}"`), or install `espnet2_valle[languages]`, which detects them'
        )
    if known.emotions:
        first = known.emotions[0]
        lines.append(
            f'- Emotions: {", ".join(known.emotions)}; name one (`emotion="{first}"`), blend some, or mark '
            f"words (`<emotion={first}>...</emotion>`); `emotion_strength` above 1 is more of it"
        )
    if known.levels:
        lines.append(
            f"- Told as well: {', '.join(f'`{name}`' for name in known.levels)}, from 1 (lowest) to "
            f"{max(known.levels.values())} (highest) of the speaker's own"
        )
    return lines


def example_options(known: Known) -> dict[str, Any]:
    """Options of speaking, for an example: some of each kind that the model may be told."""
    options: dict[str, Any] = {}
    if len(known.languages) > 1:
        lang = ENGLISH if ENGLISH in known.languages else known.languages[0]
        options["lang"] = lang
        options["prompt_lang"] = next(other for other in known.languages if other != lang)
    if known.emotions:
        options[EMOTION] = known.emotions[0]
    for name, levels in list(known.levels.items())[:1]:
        options[name] = max(1, levels - 1)
    return options
