"""Compare ways to decode a trained run, or several runs, on the same test pairs: a table and a plot.

The studies are files of conf/study: `valle study prompt_length --exp exp/mini`. Each variant is decoded and
scored by itself; a killed study goes on where it was, and studies share what they have in common.
"""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.conf import find, names
from espnet2_valle.study.run import StudyOptions, conduct


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    known = ", ".join(names("study"))
    parser.add_argument("study", help=f"a YAML file, or the name of one in conf/study: {known}")
    parser.add_argument(
        "--exp", action="append", required=True, metavar="[LABEL=]DIR",
        help="exp/NAME of a finished run; several, labelled, for a study over runs",
    )  # fmt: skip
    parser.add_argument(
        "--data_dir", help="test set with its pairs; default: dump/NAME/raw/test of the first run"
    )
    parser.add_argument("--judge", help="trained recogniser; default: that of the first run, if it has one")
    parser.add_argument("--decode_config", default=str(find("decode.yaml")), help="what variants differ from")
    parser.add_argument("--score_config", default=str(find("score/study.yaml")), help="recognisers")
    parser.add_argument("--inference_model", default="valid.loss.ave.pth", help="weights, in ar/ and nar/")
    parser.add_argument("--num_pairs", type=int, help="at most so many, speakers taking turns; default: all")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="each pair is sampled with each")
    parser.add_argument("--output_dir", help="default: the first run's study/")
    parser.add_argument("--results", help="Markdown file that gets the study as a section, and its picture")
    parser.add_argument("--batch_size", type=int, default=8, help="utterances decoded at once in a process")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    parser.add_argument("--device", default="cpu", help="of decoding")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run a study."""
    print(conduct(StudyOptions(**vars(parse(get_parser(), argv)))))


if __name__ == "__main__":
    run_command(main)
