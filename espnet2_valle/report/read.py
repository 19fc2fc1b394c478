"""Reading what a report shows from the folder of a run."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.common.errors import InputError
from espnet2_valle.data.datadir import read_if_there, read_scp
from espnet2_valle.data.layout import TrainedRun
from espnet2_valle.data.pairs import read_pairs
from espnet2_valle.evaluation.inputs import continued, read_times, read_trials
from espnet2_valle.evaluation.lists import read_outputs
from espnet2_valle.evaluation.scorecard import GROUND_TRUTH
from espnet2_valle.evaluation.systems import read_rows
from espnet2_valle.generate.opening import ModelSpec, open_text2speech
from espnet2_valle.generate.pair_languages import read_languages
from espnet2_valle.generate.pair_styles import read_styles
from espnet2_valle.generate.request import Request
from espnet2_valle.report.examples import AlignmentPicture
from espnet2_valle.report.media import alignment_uri
from espnet2_valle.report.page import MODELS, TRAINED, Run
from espnet2_valle.zoo.trained import ModelFiles

DEFAULT_OUTPUTS = {"codec": "resynthesis/wav.scp", "valle": "decode/wav.scp"}
DEFAULT_OUTCOMES = "decode/outcomes"


@dataclass(frozen=True)
class RunFiles:
    """Files that a report shows.

    Attributes:
        exp_dir: of the run: training directories, stage_times.
        score_dir: with scores.json and scores/.
        pairs: list of pairs, as stage 1 writes it.
        data_dir: test set: wav.scp and text.
        systems: name -> wav.scp or folder of its outputs, in place of those in exp_dir.
        outcomes: of the model's decoding; None is that in exp_dir.
        inference_model: name of the weights in exp_dir's ar/ and nar/.
        listening: results of listening tests; None is all in exp_dir/listening.
    """

    exp_dir: Path
    score_dir: Path
    pairs: str
    data_dir: Path
    systems: Mapping[str, str] = field(default_factory=dict)
    outcomes: str | None = None
    inference_model: str = "valid.loss.ave.pth"
    listening: Sequence[str] | None = None


def read_run(files: RunFiles) -> Run:
    """Gather what there is of the run; only scores, pairs and data are a must.

    Raises:
        InputError: no scores, pairs and data that do not match, or a file that is named and not there.
    """
    exp_dir, score_dir = files.exp_dir, files.score_dir
    scores = read_scores(score_dir / "scores.json")
    pairs = read_pairs(files.pairs)
    wavs = read_scp(files.data_dir / "wav.scp")
    trials = read_trials(pairs, wavs, read_scp(files.data_dir / "text"), files.pairs)
    if "prompt_seconds" in scores:  # continuations
        trials = [continued(trial, scores["prompt_seconds"]) for trial in trials]
    outputs = {name: exp_dir / path for name, path in DEFAULT_OUTPUTS.items() if name not in files.systems}
    outputs = {name: path for name, path in outputs.items() if _is_there(path)}
    outputs |= {name: _given(path, f"--system {name}={path}") for name, path in files.systems.items()}
    outcomes = _given(files.outcomes, "--outcomes") if files.outcomes else exp_dir / DEFAULT_OUTCOMES
    times = exp_dir / "stage_times"
    return Run(
        name=exp_dir.resolve().name,
        scores=scores,
        rows={name: read_rows(score_dir / "scores" / f"{name}.jsonl") for name in scores["systems"]},
        trials={trial.pair_id: trial for trial in trials},
        wavs={
            GROUND_TRUTH: {pair.pair_id: wavs[pair.target_utt] for pair in pairs},
            **{name: read_outputs(path) for name, path in outputs.items()},
        },
        outcomes=read_scp(outcomes) if _is_there(outcomes) else {},
        train_dirs={model: exp_dir / model for model in MODELS},
        # Longer than what scores.json holds: the scoring itself is in it by now.
        listening=read_listening(files.listening, exp_dir),
        seconds_by_stage=read_times(str(times)) if times.is_file() else scores.get("seconds_by_stage", {}),
    )


def read_alignments(files: RunFiles, run: Run, examples: Sequence[str]) -> dict[str, AlignmentPicture]:
    """Pictures of where the AR model looks in the text of each example; none without model or codes."""
    outputs = files.systems.get("valle") or files.exp_dir / DEFAULT_OUTPUTS["valle"]
    decoded = Path(outputs).parent
    if next(iter({*files.systems} & {*TRAINED}), "valle") != "valle":
        return {}  # a model that looks at no text while it speaks
    codes = {pair: decoded / "codes" / f"{pair}.npy" for pair in examples}
    # What a continuation's prompt says is known to its decoding alone.
    pairs = read_pairs(files.pairs)
    prompts = {p.pair_id: p.prompt_utt for p in pairs if p.prompt_utt != p.target_utt}
    codes = {pair: path for pair, path in codes.items() if path.is_file() and pair in prompts}
    try:
        model = TrainedRun(run.name, files.exp_dir).model_files(files.inference_model)
    except InputError as error:
        logging.warning("no pictures of attention: %s", error)
        return {}
    if not codes:
        return {}
    texts = read_scp(files.data_dir / "text")
    languages = read_languages(pairs, read_if_there(files.data_dir / "utt2lang"))
    styles = read_styles(pairs, read_if_there(files.data_dir / "utt2emo"))
    text2speech = open_text2speech(ModelSpec(ModelFiles(**model)))
    pictures = {}
    for pair, path in codes.items():
        trial = run.trials[pair]
        request = Request(trial.text, trial.prompt, texts[prompts[pair]])
        request = languages[pair].added_to(request, text2speech.languages)
        request = styles[pair].added_to(request, text2speech.emotions, text2speech.options)
        found = text2speech.align(request, np.load(path))
        if found is not None:
            note = (
                f"Attention of layer {found.layer}, head {found.head}, from each moment of the speech to "
                f"the text (upwards; below the line the prompt's). Focus {found.focus:.2f}."
            )
            picture = alignment_uri(found.weights.numpy(), found.prompt_tokens)
            pictures[pair] = AlignmentPicture(picture, note)
    return pictures


def read_listening(files: Sequence[str] | None, exp_dir: Path) -> list[dict[str, Any]]:
    """Results of listening tests.

    Raises:
        InputError: a file is not what `valle listening analyse` writes.
    """
    found = [Path(file) for file in files or ()]
    if files is None:
        found = sorted(exp_dir.glob("listening/*/listening.json"))
    results = []
    for path in found:
        try:
            result = json.loads(path.read_text(encoding="utf-8"))
            missing = {"kind", "source", "question", "scale", "systems", "raters"} - result.keys()
        except (OSError, ValueError, AttributeError) as error:
            raise InputError(path, f"cannot be read ({error})", "Analyse the listening test again") from error
        if missing:
            raise InputError(path, f"lacks {sorted(missing)}", "Analyse the listening test again")
        results.append(result)
    return results


def read_scores(path: Path) -> dict[str, Any]:
    """The content of scores.json.

    Raises:
        InputError: no such file, or not one that the score command wrote.
    """
    if not path.is_file():
        raise InputError(path, "no such file", "Score the run first (stage 8)")
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
        missing = {"systems", "judge", "pairs", "commit"} - scores.keys()
    except (ValueError, AttributeError) as error:
        raise InputError(
            path, f"is not a file of scores ({error})", "Score the run again (stage 8)"
        ) from error
    if missing or not scores["systems"]:
        raise InputError(path, f"lacks {sorted(missing) or 'systems'}", "Score the run again (stage 8)")
    return scores


def _given(path: str, option: str) -> Path:
    if not Path(path).exists():
        raise InputError(option, f"there is no {path}", "Correct the path, or leave it out")
    return Path(path)


def _is_there(path: Path) -> bool:
    if not path.exists():
        logging.warning("%s is not there: the report does without", path)
    return path.exists()
