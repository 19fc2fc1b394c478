"""Serve a listening test to raters, and store their ratings, until the process is stopped."""

import argparse
from collections.abc import Sequence

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.listening.server import serve


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--test_dir", required=True, help="folder of the test")
    parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for all interfaces")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--trust_proxy", action="store_true", help="a proxy sets X-Forwarded-For")
    parser.add_argument("--raters_per_day", type=int, default=30, help="from one address")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv)
    serve(args.test_dir, args.host, args.port, args.trust_proxy, args.raters_per_day)


if __name__ == "__main__":
    run_command(main)
