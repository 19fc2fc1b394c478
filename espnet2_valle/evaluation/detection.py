"""Equal error rates of a detector of synthetic speech on speakers and on systems that it never heard."""

import json
import logging
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.data.pairs import read_pairs
from espnet2_valle.evaluation.bootstrap import NUM_SAMPLES, Metric, interval
from espnet2_valle.evaluation.lists import read_outputs
from espnet2_valle.evaluation.speaker_verification import equal_error_rate
from espnet2_valle.evaluation.table import markdown_table, system_name
from espnet2_valle.jobs.pool import parallel_map
from espnet2_valle.mark.detector import REAL, SYNTHETIC, Detector, train_detector, write_about
from espnet2_valle.mark.detector_sounds import prepare_sounds
from espnet2_valle.mark.sound_training import Labelled

RECORDINGS = "recordings"  # the folder of real speech, beside those of the systems
PARTS = {"train": 0.6, "valid": 0.15, "test": 0.25}  # of the speakers
ALL = "all"
SCORES, TABLE = "scores.json", "DETECTOR.md"


@dataclass(frozen=True)
class Sound:
    """A sound of a speaker.

    Attributes:
        wav: as `prepare_sounds` writes it.
        speaker: who speaks, or is imitated.
    """

    name: str
    wav: str
    speaker: str


Sounds = Mapping[str, Sequence[Sound]]  # by system; RECORDINGS are real


def build_detector(
    data_dir: Path,
    systems: Mapping[str, str],
    output_dir: Path,
    config: str | Path,
    pairs: str | None = None,
    unseen: Sequence[str] = (),
    only_unseen: Sequence[str] = (),
    seed: int = 0,
    nj: int = 1,
    options: Sequence[str] = (),
) -> dict[str, Any]:
    """Train a detector and tell what it is worth; a killed run goes on where it was.

    Speakers are divided in three: to learn from, to choose epoch and threshold by, to test on. The detector
    learns from all systems but those of `only_unseen`. For each of `unseen` another learns without it.

    Args:
        data_dir: wav.scp and utt2spk of real speech.
        systems: outputs of each, a wav.scp or a folder, by pair, or by utterance of `data_dir`.
        output_dir: gets the detector, sounds/, without_SYSTEM/ for each of `unseen`, scores.json and
            DETECTOR.md.
        config: of the training.
        pairs: the pairs whose targets the systems imitate; None: outputs are named by utterances.
        unseen, only_unseen: names of systems.
        seed: of the division and of the intervals.
        nj: workers.
        options: further words for ESPnet's trainer.

    Returns:
        what scores.json holds.

    Raises:
        InputError: too few speakers, outputs of nobody, no system left to learn from, or an unknown system.
    """
    for name in [*unseen, *only_unseen]:
        if name not in systems:
            raise InputError("--unseen", f"'{name}' is no --system", f"Choose among {' '.join(systems)}")
    learnt = [name for name in systems if name not in only_unseen]
    if not learnt or [name for name in unseen if learnt == [name]]:
        raise InputError("--unseen", "no system is left to learn from", "Give another --system")
    sounds = gather(data_dir, systems, output_dir / "sounds", pairs, nj)
    parts = divide({sound.speaker for group in sounds.values() for sound in group}, seed)
    trainings = {ALL: learnt} | {
        name: [one for one in learnt if one != name] for name in unseen if name in learnt
    }
    worth = []
    for name, seen in trainings.items():
        folder = output_dir if name == ALL else output_dir / f"without_{name}"
        train_detector(
            {kind: labelled(sounds, seen, parts[kind]) for kind in ("train", "valid")},
            folder,
            config,
            options,
        )
        valid = score(folder, _of(sounds, [RECORDINGS, *seen], parts["valid"]), nj)
        _, threshold = _error_rate(valid, seen)
        heard = seen + list(only_unseen) if name == ALL else [name]
        tested = _of(sounds, [RECORDINGS, *heard], parts["test"])
        scores = score(folder, tested, nj)
        if name == ALL:
            write_about(folder, threshold, _error_rate(scores, seen)[0], seen)
        for system in heard:
            worth.append(_worth(system, system in seen, threshold, tested, scores, seed))
    found = {
        "systems": worth,
        "speakers": {kind: len(part) for kind, part in parts.items()},
        "recordings": {
            kind: len(_of(sounds, [RECORDINGS], part)[RECORDINGS]) for kind, part in parts.items()
        },
        "seed": seed,
    }
    with atomic_open(output_dir / SCORES) as stream:
        json.dump(found, stream, indent=1)
    with atomic_open(output_dir / TABLE) as stream:
        stream.write(worth_table(found))
    return found


def gather(
    data_dir: Path, systems: Mapping[str, str], folder: Path, pairs: str | None, nj: int
) -> dict[str, list[Sound]]:
    """Real recordings and the systems' outputs, prepared, with their speakers.

    Raises:
        InputError: a table is missing, or a system gives nothing of the speakers.
    """
    wavs, speakers = read_scp(data_dir / "wav.scp"), read_scp(data_dir / "utt2spk")
    imitated = {pair.pair_id: pair.target_utt for pair in read_pairs(pairs)} if pairs else {}
    outputs_of, who = {}, {}
    for name, given in {RECORDINGS: None, **systems}.items():
        outputs = wavs if given is None else read_outputs(given)
        who[name] = {key: speakers.get(imitated.get(key, key)) for key in outputs}
        outputs_of[name] = {key: outputs[key] for key, speaker in who[name].items() if speaker}
        if not outputs_of[name]:
            raise InputError(
                given or data_dir,
                f"no sound is named by {f'a pair of {pairs}' if pairs else f'an utterance of {data_dir}'}",
                "Correct --system, --pairs or --data_dir",
            )
    found = {}
    for name, known in outputs_of.items():  # all are there: a mistake is told before the work
        ready = prepare_sounds(known, folder / name, nj, f"prepare {name}")
        found[name] = [Sound(key, path, str(who[name][key])) for key, path in ready.items()]
    return found


def divide(speakers: Iterable[str], seed: int) -> dict[str, frozenset[str]]:
    """Speakers to learn from, to choose by and to test on.

    Raises:
        InputError: there are less than three.
    """
    drawn = sorted(speakers)
    random.Random(seed).shuffle(drawn)
    if len(drawn) < len(PARTS):
        raise InputError(
            "--data_dir", f"has {len(drawn)} speakers, too few to test on others", "Give three or more"
        )
    test = max(1, round(PARTS["test"] * len(drawn)))
    valid = max(1, round(PARTS["valid"] * len(drawn)))
    return {
        "test": frozenset(drawn[:test]),
        "valid": frozenset(drawn[test : test + valid]),
        "train": frozenset(drawn[test + valid :]),
    }


def labelled(sounds: Sounds, systems: Sequence[str], speakers: frozenset[str]) -> list[Labelled]:
    """Sounds that a detector of some systems learns from, about as many real as synthetic ones.

    There is an output of each system for a recording: without repeated recordings the detector would learn
    first of all that most sounds are synthetic.
    """
    found = _of(sounds, [RECORDINGS, *systems], speakers)
    recordings = found.pop(RECORDINGS)
    synthetic = sum(map(len, found.values()))
    copies = max(1, round(synthetic / max(1, len(recordings))))
    return [
        Labelled(f"{RECORDINGS}{number or ''}-{sound.name}", sound.wav, REAL)
        for number in range(copies)
        for sound in recordings
    ] + [
        Labelled(f"{name}-{sound.name}", sound.wav, SYNTHETIC)
        for name, group in found.items()
        for sound in group
    ]


def score(folder: Path, sounds: Sounds, nj: int = 1) -> dict[str, list[float]]:
    """Scores of a detector, by system."""
    work = partial(_score, str(folder))
    return {
        name: list(parallel_map(work, [sound.wav for sound in group], nj, f"hear {name}"))
        for name, group in sounds.items()
    }


def _score(folder: str, wav: str) -> float:
    return _opened(folder).score(read_audio(wav)[0])


@lru_cache(maxsize=1)
def _opened(folder: str) -> Detector:
    return Detector.open(folder)


def _of(sounds: Sounds, systems: Sequence[str], speakers: frozenset[str]) -> dict[str, list[Sound]]:
    return {name: [sound for sound in sounds[name] if sound.speaker in speakers] for name in systems}


def _error_rate(scores: Mapping[str, Sequence[float]], systems: Iterable[str]) -> tuple[float, float]:
    """Equal error rate of all systems together, and its threshold; chance and 0 where a kind is missing."""
    synthetic = [value for name in systems for value in scores[name]]
    if not synthetic or not scores[RECORDINGS]:
        logging.warning("no sounds of the speakers by which the threshold is chosen: it is 0")
        return 0.5, 0.0
    return equal_error_rate(synthetic, scores[RECORDINGS])


def _worth(
    system: str,
    seen: bool,
    threshold: float,
    sounds: Sounds,
    scores: Mapping[str, Sequence[float]],
    seed: int,
) -> dict[str, Any]:
    """Error rates of a detector on one system."""
    synthetic, real = scores[system], scores[RECORDINGS]
    return {
        "system": system,
        "seen": seen,
        "sounds": len(synthetic),
        "eer": error_rate_metric(sounds[system], synthetic, sounds[RECORDINGS], real, seed),
        "missed": float(np.mean([value < threshold for value in synthetic])),
        "false_alarms": float(np.mean([value >= threshold for value in real])),
    }


def error_rate_metric(
    of_synthetic: Sequence[Sound],
    synthetic: Sequence[float],
    of_real: Sequence[Sound],
    real: Sequence[float],
    seed: int,
) -> Metric:
    """The equal error rate with its bootstrap interval over speakers, drawn with all of their sounds."""
    names = sorted({sound.speaker for sound in [*of_synthetic, *of_real]})
    number = {name: index for index, name in enumerate(names)}
    places = [np.array([number[sound.speaker] for sound in group]) for group in (of_synthetic, of_real)]
    generator = np.random.default_rng(seed)
    rates = []
    for _ in range(NUM_SAMPLES):
        drawn = np.bincount(generator.integers(len(names), size=len(names)), minlength=len(names))
        own, others = (drawn[place].astype(float) for place in places)
        if own.sum() and others.sum():
            rates.append(equal_error_rate(synthetic, real, own, others)[0])
    return interval(equal_error_rate(synthetic, real)[0], np.array(rates))


def worth_table(found: Mapping[str, Any]) -> str:
    """Error rates as Markdown."""
    rows = []
    for row in found["systems"]:
        eer = row["eer"]
        rows.append(
            [
                system_name(row["system"]),
                "heard in training" if row["seen"] else "never heard",
                str(row["sounds"]),
                f"{eer['value']:.1%} ({eer['low']:.1%} to {eer['high']:.1%})",
                f"{row['missed']:.1%}",
                f"{row['false_alarms']:.1%}",
            ]
        )
    speakers, recordings = found["speakers"], found["recordings"]
    header = ["system", "the detector", "sounds", "EER", "missed", "false alarms"]
    return (
        f"# Detector of synthetic speech\n\n{speakers['test']} speakers that it had not heard, "
        f"{recordings['test']} of their recordings; it learnt from {speakers['train']} speakers "
        f"({recordings['train']} recordings). EER: equal error rate, with its 95 % bootstrap interval over "
        f"speakers. Missed and false alarms: at the threshold of equal errors on {speakers['valid']} more "
        f"speakers.\n\n{markdown_table(header, rows)}"
    )
