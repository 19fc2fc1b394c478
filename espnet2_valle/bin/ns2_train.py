"""Train a NaturalSpeech 2 model with ESPnet's trainer."""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.tasks.ns2 import NS2Task


def get_parser() -> argparse.ArgumentParser:
    """ESPnet's training options and ours."""
    return NS2Task.get_parser()


def main(argv: Sequence[str] | None = None) -> None:
    """Train as the options say; `--print_config` shows them all."""
    NS2Task.main(args=parse(get_parser(), argv))


if __name__ == "__main__":
    run_command(main)
