"""The model card of a run: what its configs, its training index and its scores say."""

import json
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espnet2_valle.codec.build import read_codec_config
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.options import load
from espnet2_valle.corpus.named.registry import CORPORA
from espnet2_valle.evaluation.table import (
    MEASURES,
    crossing_lines,
    heard_table,
    outcome_table,
    reference_lines,
    score_table,
)
from espnet2_valle.generate.known import Known
from espnet2_valle.report.told import example_options, known_of_configs, told_lines
from espnet2_valle.train.index import TrainingIndex
from espnet2_valle.zoo.card import Facts, Statements, write_card
from espnet2_valle.zoo.checkpoint import count_parameters, read_train_config
from espnet2_valle.zoo.ns2_checkpoint import count_ns2_parameters, read_ns2_config

MINI, MINI_X, MINI_EMO = "mini", "mini_x", "mini_emo"
MINI_DATA = "`mini`, made by espeak-ng (GPL-3) from many synthetic voices and a small closed vocabulary"
MINI_LIMITS = "It knows a small closed vocabulary of digits and commands alone, and synthetic voices."
MINI_CONSENT = "nobody was recorded; the voices are synthetic."
MINI_TEXT = "seven two nine"
MINI_X_DATA = (
    "`mini_x`, made by espeak-ng (GPL-3) from many synthetic voices and a few words of five languages"
)
MINI_EMO_DATA = (
    "`mini_emo`, made by espeak-ng (GPL-3): the voices and words of `mini` in emotions that are rules"
)
MADE = {MINI: MINI_DATA, MINI_X: MINI_X_DATA, MINI_EMO: MINI_EMO_DATA}
MADE_IN = {MINI: ["en"], MINI_X: ["en", "zh", "de", "es", "pl"], MINI_EMO: ["en"]}
ADDED = "copies at other speeds and sentences that espeak-ng reads"
UNITS = {"char": "characters", "bpe": "pieces of words"}
SHOWN = ("ground_truth", "codec", "valle", "ns2")  # systems; others' are none of the card's
PROTOCOLS = {
    "cross": "the prompt is another recording of the speaker",
    "continuation": "the prompt is the beginning of the recording that is to be continued",
}
KEYS = ("systems", "pairs", "judge")  # of scores.json


@dataclass(frozen=True)
class CardFiles:
    """Sources of the card's facts; what is None is said to be unknown, or not said.

    Attributes:
        name: of the run.
        codec_config, ar_train_config, nar_train_config, ns2_train_config: see `ModelFiles`.
        corpus: names of the corpora, with spaces between.
        train_index: folder of the training index.
        scores: scores.json.
        augmented: the index has more than the recordings of the corpora.
        base_model: that was fine-tuned.
        card_config: what the lab says, see conf/card.yaml.
    """

    name: str
    codec_config: str
    ar_train_config: str | None = None
    nar_train_config: str | None = None
    ns2_train_config: str | None = None
    corpus: str = ""
    train_index: str | None = None
    scores: str | None = None
    augmented: bool = False
    base_model: str = ""
    card_config: str | None = None


def make_card(files: CardFiles) -> str:
    """Text of the model card.

    Raises:
        InputError: a file is not what it is to be, or the lab's statements have an unknown key.
    """
    said = load(Statements, files.card_config, "--card_config") if files.card_config else Statements()
    ns2 = files.ns2_train_config is not None
    if ns2:
        trainings = [read_ns2_config(str(files.ns2_train_config))]
    else:
        trainings = [
            read_train_config(str(files.ar_train_config)),
            read_train_config(str(files.nar_train_config)),
        ]
    args, known = trainings[0], known_of_configs(trainings)
    names = files.corpus.split()
    only_mini = names in ([MINI], [MINI_X], [MINI_EMO])
    facts = Facts(
        name=files.name,
        model=_model(files, args, known),
        data=_data(files, names),
        scores=_scores(files.scores) if files.scores else "",
        languages=_languages(names) or list(known.languages),
        base_model=files.base_model,
        grouped=not ns2 and args.valle_conf.get("group_size", 1) > 1,
        told=bool(known.accents),
        options={} if ns2 else example_options(known),
        diffusion=ns2,
        limits=MINI_LIMITS if only_mini else "",
        consent=MINI_CONSENT if only_mini else "",
        text=MINI_TEXT if only_mini else "what to say",
    )
    return write_card(facts, said)


def _sizes(files: CardFiles) -> list[str]:
    """Parameters of each model."""
    if files.ns2_train_config is not None:
        return [f"- Diffusion model: {count_ns2_parameters(files.ns2_train_config) / 1e6:.1f} M parameters"]
    return [
        f"- Autoregressive model: {count_parameters(str(files.ar_train_config)) / 1e6:.1f} M parameters",
        f"- Non-autoregressive model: {count_parameters(str(files.nar_train_config)) / 1e6:.1f} M parameters",
    ]


def _model(files: CardFiles, args: Namespace, known: Known) -> list[str]:
    codec = read_codec_config(files.codec_config)
    units = UNITS.get(args.token_type, args.token_type)
    reading = f"phones of `{args.g2p}`" if args.token_type == "phn" else units
    lines = [
        *_sizes(files),
        f"- Codec: `{codec['type']}`, {codec['sample_rate']} Hz, {codec['frame_rate']:g} frames a second, "
        f"{codec['num_codebooks']} codebooks of {codec['codebook_size']}",
        f"- Texts are read as {reading}",
        *told_lines(known),
    ]
    return lines + ([f"- Fine-tuned from `{base_name(files.base_model)}`"] if files.base_model else [])


def base_name(tag: str) -> str:
    """Name of a model without the folders of this machine."""
    return Path(tag).name if Path(tag).exists() else tag


def _data(files: CardFiles, names: Sequence[str]) -> list[str]:
    lines = [f"- {_corpus(name)}" for name in names] or ["- Not known to the program that packed the model."]
    if files.train_index:
        index = TrainingIndex(files.train_index)
        rate = read_codec_config(files.codec_config)["frame_rate"]
        hours = float(index.frames.sum(dtype=float)) / rate / 3600
        added = f", {ADDED} among them" if files.augmented else ""
        lines.append(f"- {len(index)} utterances, {hours:.2f} hours, {len(index.speakers)} voices{added}")
    if files.base_model:
        lines.append("- And what the model that was fine-tuned had learnt from: see its card")
    return lines


def _corpus(name: str) -> str:
    """One corpus: title, licence as far as it is certain, page."""
    if name in MADE:
        return MADE[name]
    if name not in CORPORA:
        return "Recordings of the lab's own"
    corpus = CORPORA[name]
    licence = f"licence {corpus.license}" if corpus.license else "licence: see its page"
    return f"{corpus.title}, {licence}, {corpus.home}"


def _languages(names: Sequence[str]) -> list[str]:
    """Languages of the corpora; none where there are recordings whose language is not known."""
    if not all(name in MADE or name in CORPORA for name in names):
        return []
    spoken = (MADE_IN.get(name) or [CORPORA[name].language] for name in names)
    return list(dict.fromkeys(language for each in spoken for language in each))


def _scores(path: str) -> str:
    """The run's scores, each with its interval, and how they were measured."""
    scores = _read_scores(path)
    systems = {name: value for name, value in scores["systems"].items() if name in SHOWN}
    protocol = PROTOCOLS.get(scores.get("protocol", ""), "protocol unknown")
    if "prompt_seconds" in scores:
        protocol += f" ({scores['prompt_seconds']:g} s)"
    facts = [
        f"{scores['pairs']} pairs of prompt and text of the test set; {protocol}.",
        f"Recogniser: {scores['judge']}; speaker encoder: {scores.get('speaker_encoder', 'unknown')}.",
        f"Commit {scores.get('commit') or 'unknown'}. In brackets: 95 % bootstrap interval over pairs.",
    ]
    parts = [" ".join(facts), score_table(systems)]
    if any("by_speaker" in system for system in systems.values()):
        by_speaker = {name: {**system, **system.get("by_speaker", {})} for name, system in systems.items()}
        parts += ["The same with intervals over speakers:", score_table(by_speaker, MEASURES)]
    parts += [
        *_crossing(scores),
        *_recognised(scores, "language"),
        *_recognised(scores, "emotion"),
        *reference_lines(scores),
        "How the utterances ended:",
        outcome_table(systems),
    ]
    return "\n\n".join(part.strip() for part in parts)


def _crossing(scores: dict[str, Any]) -> list[str]:
    """Words and similarity that are left across languages, where the pairs are of several."""
    shares = scores.get("across_over_within", {})
    return crossing_lines(
        {"across_over_within": {name: own for name, own in shares.items() if name in SHOWN}}
    )


def _recognised(scores: dict[str, Any], key: str) -> list[str]:
    """A table of how often emotions or languages are recognised, where a recogniser has heard them."""
    heard = scores.get(key, {}).get("systems", {})
    shown = {"systems": {name: own for name, own in heard.items() if name in SHOWN}}
    if not shown["systems"]:
        return []
    kind = key.capitalize()
    return [
        f"{kind}s, as a recogniser hears them: right, of all that were to be heard.",
        heard_table(shown, kind),
    ]


def _read_scores(path: str) -> dict[str, Any]:
    remedy = "Run stage 8 again, or leave out --scores"
    try:
        scores = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(path, f"cannot be read ({error})", remedy) from error
    missing = [key for key in KEYS if not isinstance(scores, dict) or key not in scores]
    if missing:
        raise InputError(path, f"is no scores.json: it lacks {missing[0]}", remedy)
    return scores
