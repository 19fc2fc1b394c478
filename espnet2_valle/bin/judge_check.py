"""Judge the judges: what do they say of real speech, and of the codec's resynthesis of it?

Word error rate, similarity to the same and to another speaker, equal error rate and DNSMOS of corpora, with
95 % intervals: the scale on which the figures of synthesised speech are read. A corpus is a folder as
`prepare_folder` takes it; transcripts may be missing, and then no words are counted.
"""

import argparse
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.cli import run_command
from espnet2_valle.common.conf import find
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.evaluation.inputs import named_files
from espnet2_valle.evaluation.settings import read_settings
from espnet2_valle.study.judged import choose_plan, judge_corpus, judged_table, notes, read_corpus
from espnet2_valle.study.results import origin, write_section

TITLE = "The judges judged"


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--corpus", action="append", required=True, metavar="NAME=DIR", help="recordings; repeatable"
    )
    parser.add_argument(
        "--judge", action="append", default=[], metavar="NAME=DIR", help="trained judge of a corpus"
    )
    parser.add_argument("--codec_config", required=True, help="codec.yaml of the codec that resynthesises")
    parser.add_argument(
        "--score_config", default=str(find("score/study.yaml")), help="judges: conf/score/*.yaml"
    )
    parser.add_argument("--count", type=int, default=200, help="recordings of each corpus, at most")
    parser.add_argument("--output_dir", required=True, help="gets judged.json, judged.md and all rows")
    parser.add_argument("--results", help="Markdown file that gets the table as a section")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of recordings and of intervals")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    corpora, judges = named_files(args.corpus, "--corpus"), named_files(args.judge, "--judge")
    unknown = sorted(judges.keys() - corpora.keys())
    if unknown:
        raise InputError("--judge", f"no corpus is called '{unknown[0]}'", "Name one given by --corpus")
    settings, output = read_settings(args.score_config), Path(args.output_dir)
    read = [read_corpus(name, db, output / name / "halves") for name, db in corpora.items()]
    plans = {corpus.name: choose_plan(corpus, settings, judges.get(corpus.name)) for corpus in read}
    judged = {
        corpus.name: judge_corpus(
            corpus,
            plans[corpus.name],
            args.codec_config,
            args.count,
            output / corpus.name,
            args.seed,
            args.nj,
        )
        for corpus in read
    }
    with atomic_open(output / "judged.json") as stream:
        json.dump(judged, stream, indent=2, sort_keys=True)
    words = [word for name, db in corpora.items() for word in ("--corpus", f"{name}={Path(db).name}")]
    command = f"    valle_judge_check {shlex.join([*words, '--codec_config', args.codec_config])}"
    explained = " ".join(
        [
            f"In brackets: 95 % intervals over recordings, of the EER over speakers. {'; '.join(origin())}.",
            *notes(judged),
        ]
    )
    text = "\n\n".join([f"## {TITLE}", command, explained, judged_table(judged)])
    with atomic_open(output / "judged.md") as stream:
        stream.write(text)
    if args.results:
        write_section(Path(args.results), "judge check", text)
    print(text)


if __name__ == "__main__":
    run_command(main)
