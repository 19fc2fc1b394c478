"""Real speech and its resynthesis scored by the recognisers, corpus by corpus, as a section of Markdown."""

import json
import shlex
from collections.abc import Mapping
from pathlib import Path

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.evaluation.settings import Settings
from espnet2_valle.study.judged import choose_plan, judge_corpus, judged_table, notes, read_corpus
from espnet2_valle.study.results import origin

TITLE = "The scorers on real speech"


def check_scorers(
    corpora: Mapping[str, str],
    judges: Mapping[str, str],
    codec_config: str,
    settings: Settings,
    output_dir: Path,
    count: int = 200,
    seed: int = 0,
    nj: int = 1,
) -> str:
    """Write judged.json, judged.md and all rows of scores; return the Markdown.

    Args:
        corpora: name -> folder of recordings.
        recognisers: name of a corpus -> directory of its trained recogniser.
        codec_config: codec.yaml of the codec that resynthesises.
        settings: what scores.
        output_dir: where all goes.
        count: recordings of each corpus, at most.
        seed: of the choice of recordings and of intervals.
        nj: processes.

    Raises:
        InputError: a recogniser of no corpus, or see `read_corpus` and `judge_corpus`.
    """
    unknown = sorted(judges.keys() - corpora.keys())
    if unknown:
        raise InputError("--judge", f"no corpus is called '{unknown[0]}'", "Name one given by --corpus")
    read = [read_corpus(name, db, output_dir / name / "halves") for name, db in corpora.items()]
    plans = {corpus.name: choose_plan(corpus, settings, judges.get(corpus.name)) for corpus in read}
    judged = {
        one.name: judge_corpus(one, plans[one.name], codec_config, count, output_dir / one.name, seed, nj)
        for one in read
    }
    with atomic_open(output_dir / "judged.json") as stream:
        json.dump(judged, stream, indent=2, sort_keys=True)
    words = [word for name, db in corpora.items() for word in ("--corpus", f"{name}={Path(db).name}")]
    command = f"    valle asr check {shlex.join([*words, '--codec_config', codec_config])}"
    about = f"In brackets: 95 % intervals over recordings, of the EER over speakers. {'; '.join(origin())}."
    text = "\n\n".join([f"## {TITLE}", command, " ".join([about, *notes(judged)]), judged_table(judged)])
    with atomic_open(output_dir / "judged.md") as stream:
        stream.write(text)
    return text
