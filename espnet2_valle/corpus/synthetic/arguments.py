"""Options of the commands that generate an embedded corpus."""

import argparse
from pathlib import Path

from espnet2_valle.common.conf import find


def corpus_parser(corpus: str, description: str | None) -> argparse.ArgumentParser:
    """The options: where it goes, and conf/CORPUS.yaml unless another is given."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument(
        "--output_dir", type=Path, required=True, help=f"data directory, such as data/{corpus}"
    )
    parser.add_argument(
        "--config", type=Path, default=find(f"{corpus}.yaml"), help="voices, words and amounts"
    )
    parser.add_argument("--nj", type=int, default=1, help="number of processes")
    return parser
