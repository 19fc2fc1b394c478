"""The score table in Markdown, readable in a terminal too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One metric of a system.

    Attributes:
        key: in scores.json.
        name: for people.
        percent: shown in per cent.
        decimals: shown.
        better: "higher", "lower", or "" where it is only there for comparison.
        meaning: in a line.
    """

    key: str
    name: str
    percent: bool
    decimals: int
    better: str
    meaning: str

    def show(self, value: float | None) -> str:
        """Write a metric down."""
        if value is None:
            return "–"
        return f"{value * 100:.{self.decimals}f} %" if self.percent else f"{value:.{self.decimals}f}"

    def show_interval(self, metric: Mapping[str, float | None]) -> str:
        """Write its interval down, without the unit."""
        low, high = metric["low"], metric["high"]
        if low is None or high is None:
            return ""
        scale = 100 if self.percent else 1
        return f"{low * scale:.{self.decimals}f} to {high * scale:.{self.decimals}f}"


TRAINING_MINUTES = "training_minutes"
MEASURES = (
    Measure(
        "word_accuracy", "Word accuracy", True, 1, "higher",
        "Share of the words that the recogniser heard right, less the words added: 1 − WER.",
    ),
    Measure(
        "wer", "WER", True, 1, "lower",
        "Words wrong, missing or added, for each word to be said.",
    ),
    Measure("cer", "CER", True, 1, "lower", "The same for characters."),
    Measure(
        "sim_prompt", "Similarity to the prompt", False, 3, "higher",
        "Cosine between the voice of the output and that of its prompt; 1 is the same voice.",
    ),
    Measure(
        "sim_other", "Similarity to another voice", False, 3, "",
        "The same with a speaker it should not sound like: the floor for the line above.",
    ),
    Measure(
        "prompt_beats_other", "Prompt beats other voice", True, 1, "higher",
        "Share of the pairs that are more like their prompt than like the other voice.",
    ),
    Measure(
        "dnsmos", "DNSMOS", False, 2, "higher",
        "Estimate of how good a listener finds the sound, from 1 to 5.",
    ),
)  # fmt: skip
SECOND = "second_"  # begins the keys of what the second recogniser and the second speaker encoder say
SIM_R = Measure(
    "sim_resynthesised", "Similarity to the prompt after the codec (SIM-r)", False, 3, "higher",
    "The same against what the codec leaves of the prompt: all that the models can know of the voice.",
)  # fmt: skip
WORD_MEASURES, VOICE_MEASURES = MEASURES[:3], MEASURES[3:6]
SECOND_WORD_MEASURES = tuple(
    replace(measure, key=SECOND + measure.key, name=f"{measure.name}, second recogniser")
    for measure in WORD_MEASURES
)
# Shown where they were measured.
MORE_MEASURES = (
    SIM_R,
    *(
        replace(measure, key=SECOND + measure.key, name=f"{measure.name}, second encoder")
        for measure in (*VOICE_MEASURES, SIM_R)
    ),
    Measure("dnsmos_p808", "DNSMOS P.808", False, 2, "higher", "Another estimate of the same, from 1 to 5."),
    Measure("distillmos", "DistillMOS", False, 2, "higher", "Another estimate of the same, from 1 to 5."),
    Measure("utmos", "UTMOS", False, 2, "higher", "Another estimate of the same, from 1 to 5."),
    Measure(
        "mcd", "Mel-cepstral distortion", False, 2, "lower",
        "Distance in dB from the reference recording, aligned; another good rendering is not at 0 either.",
    ),
    Measure("f0_rmse", "Pitch error", False, 0, "lower", "RMSE to the reference, aligned, in cents."),
    Measure("f0_correlation", "Pitch correlation", False, 2, "higher", "Of log F0 with the reference's."),
    Measure(
        "voicing_error", "Voicing error", True, 1, "lower",
        "Share of the aligned frames that are voiced in output or reference only.",
    ),
    Measure("speaking_rate", "Speaking rate", False, 2, "", "Words a second, without silence at the ends."),
    Measure(
        "rate_ratio", "Rate over reference", False, 2, "",
        "1 is as fast as the reference recording; more is faster.",
    ),
    Measure(
        TRAINING_MINUTES, "Training time in minutes", False, 1, "",
        "By the clock of the run's machine, a teacher's too; without data preparation.",
    ),
)  # fmt: skip
COMPARED = ("word_accuracy", "sim_prompt")  # of texts across languages and within one
WITHIN, ACROSS = "within", "across"  # the language of the prompt, or another one
NOTHING = "nothing"  # the emotion or language that is heard where there is no sound, or too little
SMALLEST_P = 0.001
VERSA = "versa_"  # begins the keys of metrics that VERSA measured
PAIRED_HEADER = ("difference", "p", "p (Holm)", "p by speaker")
SYSTEM_NAMES = {  # baseline.kinds adds its own
    "ground_truth": "Ground truth",
    "codec": "Codec resynthesis",
    "valle": "VALL-E",
    "ns2": "NaturalSpeech 2",
}


def system_name(key: str) -> str:
    """Name of a system for people; its key where it has no other."""
    return SYSTEM_NAMES.get(key, key)


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A padded Markdown table, the first column to the left and the others to the right."""
    cells = [list(header), *(list(row) for row in rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:]))]
        for row in (cells[0], rule, *cells[1:])
    ]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def shown_measures(systems: Mapping[str, Mapping[str, Any]]) -> list[Measure]:
    """The measures of a table: those that every run has, and those that this one has."""
    found = dict.fromkeys(key for system in systems.values() for key in system)
    versa = [
        Measure(key, f"VERSA: {key.removeprefix(VERSA)}", False, 3, "", "As VERSA defines it.")
        for key in found
        if key.startswith(VERSA)
    ]
    return [*MEASURES, *(m for m in MORE_MEASURES if m.key in found), *versa]


def score_table(systems: Mapping[str, Mapping[str, Any]], measures: Sequence[Measure] | None = None) -> str:
    """Measures down, systems across, each metric with its 95 % interval."""
    measures = shown_measures(systems) if measures is None else measures
    rows = [
        [measure.name, *(_cell(measure, s.get(measure.key)) for s in systems.values())]
        for measure in measures
    ]
    return markdown_table(["", *map(system_name, systems)], rows)


def _cell(measure: Measure, metric: Mapping[str, float | None] | None) -> str:
    if metric is None:
        return "–"
    interval = measure.show_interval(metric)
    return f"{measure.show(metric['value'])} ({interval})" if interval else measure.show(metric["value"])


def results_markdown(scores: Mapping[str, Any], title: str, command: str = "") -> str:
    """The text of RESULTS.md.

    Args:
        scores: the content of scores.json.
        title: of the run.
        command: that made the scores, or "".
    """
    systems = scores["systems"]
    facts = [
        f"{scores['pairs']} pairs",
        f"judge: {scores['judge']}",
        *encoder_facts(scores),
        f"commit: {scores['commit'] or 'unknown'}",
    ]
    parts = [
        f"# {title}\n",
        ", ".join(facts) + ". In brackets: 95 % bootstrap interval.\n",
        score_table(systems),
    ]
    parts += _relative_lines(scores)
    parts += [line + "\n" for line in reference_lines(scores)]
    parts += language_parts(scores)
    parts += emotion_parts(scores)
    if any("by_speaker" in system for system in systems.values()):
        spread = {name: {**system, **system.get("by_speaker", {})} for name, system in systems.items()}
        counts = sorted({system["n_speakers"] for system in systems.values() if "n_speakers" in system})
        parts += [
            f"The same with intervals over {counts[-1]} speakers, drawn with all of their pairs:\n",
            score_table(spread),
        ]
    if scores.get("paired_tests"):
        parts += [
            "Systems against each other on the same pairs (randomisation test; Holm for several systems):\n",
            paired_table(scores["paired_tests"]),
        ]
    second = scores.get("second_judge")
    if second:
        parts += [f"Second recogniser, {second['name']}:\n", score_table(second["systems"], WORD_MEASURES)]
        parts += _relative_lines(second)
    parts += ["Outcomes:\n", outcome_table(systems)]
    if scores["seconds_by_stage"]:
        rows = [[stage, f"{seconds:.0f}"] for stage, seconds in scores["seconds_by_stage"].items()]
        parts += ["Time:\n", markdown_table(["stage", "seconds"], rows)]
    if command:
        parts += [f"Made by `{command}`.\n"]
    return "\n".join(parts)


def language_parts(scores: Mapping[str, Any]) -> list[str]:
    """Tables of the languages heard, of words and similarity by language, of what crossing costs; or none."""
    groups = scores.get("by_language", {})
    if not groups:
        return []
    parts = heard_parts(scores.get("language"), "Language")
    parts.append("By language: within that of the prompt, and across from another one to it.\n")
    parts += [markdown_table(header, rows) for header, rows in group_tables(groups)]
    return parts + [f"{line}\n" for line in crossing_lines(scores)]


def crossing_lines(scores: Mapping[str, Any]) -> list[str]:
    """Word accuracy and similarity that are left across languages, a line for each system."""
    lines = []
    for name, shares in scores.get("across_over_within", {}).items():
        told = [
            f"{measure.name.lower()} {100 * shares[measure.key]:.1f} %"
            for measure in MEASURES
            if measure.key in COMPARED and measure.key in shares
        ]
        lines.append(f"{system_name(name)}, across as a share of within: {', '.join(told)}.")
    return lines


def group_tables(groups: Mapping[str, Any]) -> list[tuple[list[str], list[list[str]]]]:
    """Header and rows of a table by group, of each measure of COMPARED.

    Args:
        groups: "by_language" or "by_emotion" of scores.json.
    """
    names = list(next(iter(groups.values()))["systems"])
    tables = []
    for measure in (one for one in MEASURES if one.key in COMPARED):
        rows = [
            [
                f"{group} ({found['pairs']})",
                *(_cell(measure, found["systems"][name].get(measure.key)) for name in names),
            ]
            for group, found in groups.items()
        ]
        tables.append(([measure.name, *map(system_name, names)], rows))
    return tables


def emotion_parts(scores: Mapping[str, Any]) -> list[str]:
    """Tables of what a recogniser of emotions hears, and of words and similarity by emotion; or nothing."""
    if not scores.get("by_emotion"):
        return []
    parts = heard_parts(scores.get("emotion"), "Emotion")
    parts.append("By emotion of what was to be said.\n")
    return parts + [markdown_table(header, rows) for header, rows in group_tables(scores["by_emotion"])]


def heard_parts(heard: Mapping[str, Any] | None, kind: str) -> list[str]:
    """Tables of what a recogniser hears; or nothing.

    Args:
        heard: "emotion" or "language" of scores.json.
        kind: of which the recogniser is.
    """
    if not heard:
        return []
    parts = [f"{kind}s, as the recogniser hears them: right, of all that were to be heard.\n"]
    parts.append(heard_table(heard, kind))
    for name in heard["systems"]:
        parts.append(f"{system_name(name)}: intended (lines) and heard (columns).\n")
        parts.append(markdown_table(*confusion_table(heard, name)))
    return parts


def heard_table(heard: Mapping[str, Any], kind: str) -> str:
    """Table of how often each system is heard right; see `heard_parts`."""
    header = ["", f"{kind} recognised", *heard_groups(heard)]
    accuracies = zip(heard["systems"], heard_accuracies(heard))
    return markdown_table(header, [[system_name(name), *cells] for name, cells in accuracies])


def heard_groups(heard: Mapping[str, Any]) -> list[str]:
    """Groups that have accuracies of their own; `heard` is "emotion" or "language" of scores.json."""
    return [group for group in (WITHIN, ACROSS) if any(group in found for found in heard["systems"].values())]


def heard_accuracies(heard: Mapping[str, Any]) -> list[list[str]]:
    """Accuracy of each system with the interval: of all pairs, and of each of `heard_groups`."""
    groups = heard_groups(heard)
    return [
        [_accuracy(found), *(_accuracy(found[group]) for group in groups)]
        for found in heard["systems"].values()
    ]


def _accuracy(found: Mapping[str, Any]) -> str:
    value, low, high = (100 * found["accuracy"][key] for key in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def confusion_table(heard: Mapping[str, Any], name: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a system's confusion matrix; what was never silent has no column for it."""
    confusion = heard["systems"][name]["confusion"]
    columns = [*heard["labels"], NOTHING]
    if not any(row[-1] for row in confusion.values()):
        columns = columns[:-1]
    rows = [[emotion, *map(str, row[: len(columns)])] for emotion, row in confusion.items()]
    return ["", *columns], rows


def encoder_facts(scores: Mapping[str, Any]) -> list[str]:
    """Names of the speaker encoders where there are two."""
    second = scores.get("second_speaker_encoder")
    return [f"speaker encoders: {scores['speaker_encoder']}", f"second {second}"] if second else []


def reference_lines(scores: Mapping[str, Any]) -> list[str]:
    """Describe the similarities of real recordings by each speaker encoder; none where none were compared."""
    encoders = {"speaker_reference": "", "second_speaker_reference": scores.get("second_speaker_encoder", "")}
    return [_reference_line(scores[key], name) for key, name in encoders.items() if scores.get(key)]


def _reference_line(reference: Mapping[str, Any], encoder: str) -> str:
    same, other = reference["same"], reference["other"]
    on = f"By {encoder}, on" if encoder else "On"
    return (
        f"{on} {reference['n_utterances']} real recordings of {reference['n_speakers']} speakers the "
        f"similarity is {same['value']:.3f} ({same['low']:.3f} to {same['high']:.3f}) within a speaker and "
        f"{other['value']:.3f} ({other['low']:.3f} to {other['high']:.3f}) between speakers; told apart at "
        f"{reference['threshold']:.3f}, {reference['eer'] * 100:.1f} % are mistaken (equal error rate)."
    )


def paired_table(tests: Sequence[Mapping[str, Any]]) -> str:
    """Differences between systems with interval and p."""
    return markdown_table(["", *PAIRED_HEADER], paired_rows(tests))


def paired_rows(tests: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """A line for each test: what is compared, and what PAIRED_HEADER names."""
    measures = {measure.key: measure for measure in (*MEASURES, *MORE_MEASURES, *SECOND_WORD_MEASURES)}
    rows = []
    for test in tests:
        measure = measures[test["measure"]]
        by_speaker = test.get("p_by_speaker")
        rows.append(
            [
                f"{measure.name}: {system_name(test['system'])} − {system_name(test['base'])}",
                _cell(measure, test["difference"]),
                show_p(test["p"]),
                show_p(test["p_holm"]),
                "–" if by_speaker is None else show_p(by_speaker),
            ]
        )
    return rows


def show_p(value: float) -> str:
    """Write a p value down."""
    return "< 0.001" if value < SMALLEST_P else f"{value:.3f}"


def outcome_table(systems: Mapping[str, Mapping[str, Any]]) -> str:
    """Count the outcomes of each system's pairs."""
    kinds = sorted({kind for system in systems.values() for kind in system["outcomes"]})
    rows = [[kind, *(str(s["outcomes"].get(kind, 0)) for s in systems.values())] for kind in kinds]
    return markdown_table(["outcome", *map(system_name, systems)], rows)


def _relative_lines(scores: Mapping[str, Any]) -> list[str]:
    return [_relative_line(name, metric) for name, metric in scores.get("relative_word_accuracy", {}).items()]


def _relative_line(name: str, metric: Mapping[str, float | None]) -> str:
    if metric["value"] is None:
        return f"Word accuracy of {system_name(name)} cannot be set against the codec's, which is 0.\n"
    low, high = metric["low"] or 0.0, metric["high"] or 0.0
    return (
        f"Word accuracy of {system_name(name)} is {metric['value'] * 100:.1f} % "
        f"({low * 100:.1f} to {high * 100:.1f}) of that of codec resynthesis.\n"
    )
