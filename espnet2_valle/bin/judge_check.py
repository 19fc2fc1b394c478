"""Score the scorers: what do they say of real speech, and of the codec's resynthesis of it?

Word error rate, similarity to the same and to another speaker, equal error rate and DNSMOS of corpora, with
95 % intervals: the scale on which the metrics of synthesised speech are read. A corpus is a folder as
`prepare_folder` takes it; transcripts may be missing, and then no words are counted.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.conf import find
from espnet2_valle.evaluation.inputs import named_files
from espnet2_valle.evaluation.settings import read_settings
from espnet2_valle.study.judge_check import check_scorers
from espnet2_valle.study.results import write_section


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--corpus", action="append", required=True, metavar="NAME=DIR", help="recordings; repeatable"
    )
    parser.add_argument(
        "--judge", action="append", default=[], metavar="NAME=DIR", help="trained recogniser of a corpus"
    )
    parser.add_argument("--codec_config", required=True, help="codec.yaml of the codec that resynthesises")
    parser.add_argument(
        "--score_config", default=str(find("score/study.yaml")), help="scorers: conf/score/*.yaml"
    )
    parser.add_argument("--count", type=int, default=200, help="recordings of each corpus, at most")
    parser.add_argument("--output_dir", type=Path, required=True, help="gets judged.json, judged.md and rows")
    parser.add_argument("--results", type=Path, help="Markdown file that gets the table as a section")
    parser.add_argument("--seed", type=int, default=0, help="of the choice of recordings and of intervals")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv)
    text = check_scorers(
        named_files(args.corpus, "--corpus"),
        named_files(args.judge, "--judge"),
        args.codec_config,
        read_settings(args.score_config),
        args.output_dir,
        args.count,
        args.seed,
        args.nj,
    )
    if args.results:
        write_section(args.results, "recogniser check", text)
    print(text)


if __name__ == "__main__":
    run_command(main)
