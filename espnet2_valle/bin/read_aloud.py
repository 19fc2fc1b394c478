"""Stage 2, on request: add sentences that espeak-ng's voices read to a training set."""

import argparse
import logging
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.conf import find
from espnet2_valle.corpus.synthetic.read_aloud import ReadAloudConfig, add_readings
from espnet2_valle.data.datadir import DataDir


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data_dir", required=True, help="dump/NAME/raw/SET, as stage 2 wrote it")
    parser.add_argument("--output_dir", required=True, help="dump/NAME/raw/SET_ra")
    parser.add_argument("--sentences", type=int, required=True, help="how many")
    parser.add_argument(
        "--config", default=str(find("read_aloud.yaml")), help="voices and kinds of sentences"
    )
    parser.add_argument("--nj", type=int, default=1, help="processes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command; run again, it goes on where it was."""
    args = parse(get_parser(), argv)
    config = ReadAloudConfig.load(args.config)
    data = DataDir.load(args.data_dir)
    larger = add_readings(data, args.sentences, config, args.output_dir, args.nj)
    logging.info("%s: %d utterances of %d speakers", larger.path, len(larger.wavs), len(larger.by_speaker()))


if __name__ == "__main__":
    run_command(main)
