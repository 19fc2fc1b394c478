"""Speaking rate, pitch and energy of utterances: measured, and cut into bins by quantiles of a training set.

Pitch and energy of a voice are its own, so that each utterance is measured against its speaker: what is cut
into bins is the difference from the median of his utterances. Of speakers with fewer than `FEWEST` utterances
it is the difference from the median of all speakers.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from espnet2_valle.codec.pitch import track_pitch
from espnet2_valle.codec.world_config import FeatureConfig
from espnet2_valle.codec.world_features import active_level
from espnet2_valle.common.audio import read_audio
from espnet2_valle.common.conf import read_yaml
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.common.resume import digest, file_state
from espnet2_valle.data.datadir import DataDir, read_scp, write_scp
from espnet2_valle.data.made_from import told_to_make_anew
from espnet2_valle.jobs.kept import kept_map
from espnet2_valle.valle.styles import ATTRIBUTES

UTT2STYLE = "utt2style"
FEWEST = 5  # utterances of a speaker whose median is his own
STEP = 0.01  # seconds
EDGE_DB = -40.0  # steps at the ends that are so far below the loudest are silence
LEAST_SPREAD = 0.1  # semitones, of a monotone
SEMITONES = 12
WORTH = 50  # utterances, for a worker of its own
UNKNOWN = 0
REMEDY = "Run stage 4 again"


def measure(wav: np.ndarray, rate: int, tokens: int) -> np.ndarray:
    """Measures of an utterance, as logarithms, so that differences are ratios.

    Args:
        wav: (S,) at `rate` Hz.
        rate: in Hz.
        tokens: of its text.

    Returns:
        (4,) in the order of `ATTRIBUTES`: tokens a second without silence at both ends (natural logarithm),
        median pitch (semitones above 1 Hz), distance of its quartiles (natural logarithm of semitones), and
        level of what is no pause (dB). NaN where there is nothing to measure.
    """
    found = np.full(len(ATTRIBUTES), np.nan)
    step = round(STEP * rate)
    power = np.square(wav[: len(wav) // step * step].reshape(-1, step), dtype=np.float64).mean(axis=1)
    sounding = np.flatnonzero(power > power.max(initial=0.0) * 10 ** (EDGE_DB / 10))
    if not len(sounding):
        return found
    seconds = (sounding[-1] + 1 - sounding[0]) * STEP
    config = FeatureConfig()
    times = (np.arange(len(power)) + 0.5) * STEP
    pitch = track_pitch(wav.astype(np.float64), rate, times, config.f0_floor, config.f0_ceil)
    if tokens:
        found[0] = math.log(tokens / seconds)
    voiced = SEMITONES * np.log2(pitch[pitch > 0])
    if len(voiced):
        low, middle, high = np.percentile(voiced, (25, 50, 75))
        found[1:3] = middle, math.log(high - low + LEAST_SPREAD)
    found[3] = 20 * math.log10(active_level(wav, rate))
    return found


def against_speaker(measures: Mapping[str, np.ndarray], speakers: Mapping[str, str]) -> dict[str, np.ndarray]:
    """The measures (4,) of utterances as differences from their speakers' medians."""
    groups: dict[str, list[str]] = {}
    for utterance in measures:
        groups.setdefault(speakers[utterance], []).append(utterance)
    medians = {name: _median([measures[each] for each in members]) for name, members in groups.items()}
    of_all = _median(list(medians.values()))
    return {
        utterance: measures[utterance] - (medians[name] if len(members) >= FEWEST else of_all)
        for name, members in groups.items()
        for utterance in members
    }


def _median(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Median (4,) of what is known of rows; NaN where nothing is."""
    columns = np.stack(rows).T
    known = [column[~np.isnan(column)] for column in columns]
    return np.array([np.median(column) if len(column) else np.nan for column in known])


def edges_of(differences: Iterable[np.ndarray], bins: int) -> dict[str, list[float]]:
    """Between which differences bins lie that have the same number of utterances each: bins - 1 numbers.

    Raises:
        InputError: nothing is known of an attribute.
    """
    columns = np.stack(list(differences)).T
    edges = {}
    for name, column in zip(ATTRIBUTES, columns):
        known = column[~np.isnan(column)]
        if not len(known):
            raise InputError(name, "cannot be measured in any utterance", "Give recordings of speech")
        edges[name] = [float(edge) for edge in np.quantile(known, np.arange(1, bins) / bins)]
    return edges


def bins_of(difference: np.ndarray, edges: Mapping[str, Sequence[float]]) -> list[int]:
    """The bin of each attribute, counted from 1, the lowest; UNKNOWN where nothing is known."""
    return [
        UNKNOWN if math.isnan(value) else 1 + int(np.searchsorted(edges[name], value, side="right"))
        for name, value in zip(ATTRIBUTES, difference)
    ]


def write_styles(
    data_dir: str | Path,
    token_int: str | Path,
    edges: str | Path,
    output_dir: str | Path,
    fit: bool,
    bins: int,
    nj: int = 1,
) -> None:
    """Write utt2style: the bins of each utterance of a set that has tokens. Goes on where it was.

    Args:
        data_dir: wav.scp and utt2spk.
        token_int: token ids of each utterance.
        edges: YAML file of the bins' edges, in the differences of `against_speaker`.
        output_dir: gets utt2style and the journal of measures.
        fit: make the edges of this set, and write them; the training set's.
        bins: so many, if they are made.
        nj: workers.

    Raises:
        InputError: a file is missing or at fault.
    """
    data, output_dir = DataDir.load(data_dir), Path(output_dir)
    tokens = {key: len(ids.split()) for key, ids in read_scp(token_int).items()}
    lacking = sorted(tokens.keys() - data.wavs.keys())
    if lacking:
        raise InputError(data.path / "wav.scp", f"lacks '{lacking[0]}', which {token_int} has", REMEDY)
    known = {} if fit else read_edges(edges)
    measures = _measured({key: (data.wavs[key], count) for key, count in tokens.items()}, output_dir, nj)
    differences = against_speaker(measures, data.speakers)
    if fit:
        known = edges_of(differences.values(), bins)
        with atomic_open(edges) as stream:
            yaml.safe_dump(known, stream, sort_keys=False)
    lines = {key: " ".join(map(str, bins_of(one, known))) for key, one in differences.items()}
    write_scp(output_dir / UTT2STYLE, lines)


def read_edges(path: str | Path) -> dict[str, list[float]]:
    """The edges of bins that `write_styles` wrote.

    Raises:
        InputError: they are not there, or are none.
    """
    edges: dict[str, Any] = read_yaml(path, "--edges")
    numbers = [edge for name in ATTRIBUTES for edge in edges.get(name) or [None]]
    if edges.keys() != {*ATTRIBUTES} or not all(isinstance(edge, float) for edge in numbers):
        raise InputError(path, "does not tell the edges of each attribute", REMEDY)
    return edges


def _measured(jobs: Mapping[str, tuple[str, int]], folder: Path, nj: int) -> dict[str, np.ndarray]:
    """Measures of utterances, of which those that are there and whose sounds are the same are kept."""
    states = {key: digest([file_state(wav), str(tokens)]) for key, (wav, tokens) in jobs.items()}
    folder.mkdir(parents=True, exist_ok=True)
    made = kept_map(_measure_file, jobs, states, folder / "measures.jsonl", nj, "style", WORTH)
    return {key: np.array(values, dtype=np.float64) for key, values in made.items()}


def _measure_file(job: tuple[str, int]) -> list[float]:
    path, tokens = job
    with told_to_make_anew():
        wav, rate = read_audio(path)
    return measure(wav, rate, tokens).tolist()
