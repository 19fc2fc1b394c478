"""Train an AR or a NAR model (`--valle ar|nar`) with ESPnet's trainer."""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.tasks.valle import VALLETask


def get_parser() -> argparse.ArgumentParser:
    """ESPnet's training options and ours."""
    return VALLETask.get_parser()


def main(argv: Sequence[str] | None = None) -> None:
    """Train as the options say; `--print_config` shows them all."""
    VALLETask.main(args=parse(get_parser(), argv))


if __name__ == "__main__":
    run_command(main)
