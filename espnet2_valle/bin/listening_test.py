"""Make a listening test (MOS, SMOS, CMOS, MUSHRA), serve it, and analyse its ratings.

    valle_listening_test --make --test_dir T --pairs P --data_dir D --system valle=decode/wav.scp --kind mos
    valle_listening_test --serve --test_dir T --port 8000
    valle_listening_test --analyse --test_dir T

T/public may also be put on any static web host; raters then save their answers as files, for --answers.
T/key.json tells which recording is whose: keep it to yourself.
"""

import argparse
import json
import logging
import signal
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from espnet2_valle.common.cli import run_command
from espnet2_valle.common.conf import read_yaml
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.common.options import check_keys
from espnet2_valle.evaluation.inputs import named_files, read_asked
from espnet2_valle.evaluation.lists import read_outputs
from espnet2_valle.evaluation.scorecard import GROUND_TRUTH
from espnet2_valle.evaluation.settings import Settings
from espnet2_valle.listening.analyse import analyse
from espnet2_valle.listening.build import Design, build_test
from espnet2_valle.listening.kinds import KINDS
from espnet2_valle.listening.server import ListeningServer
from espnet2_valle.listening.table import listening_markdown

RESULT = "listening.json"


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--make", action="store_true", help="write public/ and key.json")
    action.add_argument("--serve", action="store_true", help="serve it and store ratings")
    action.add_argument("--analyse", action="store_true", help=f"write {RESULT} and listening.md")
    parser.add_argument("--test_dir", required=True, help="folder of the test")
    making = parser.add_argument_group("make")
    making.add_argument("--pairs", default=None, help="list of pairs, with --data_dir")
    making.add_argument("--data_dir", default=None, help="test set: wav.scp and text")
    making.add_argument("--list", default=None, help="in place of both: id|prompt text|prompt sound|text|...")
    making.add_argument(
        "--system", action="append", default=[], metavar="NAME=WAV_SCP", help="or a folder; repeatable"
    )
    making.add_argument("--kind", choices=sorted(KINDS), default=None, help="in place of the configuration's")
    making.add_argument("--config", default=None, help="conf/score/listening.yaml")
    making.add_argument(
        "--ground_truth", choices=("true", "false"), default="true", help="the recordings are a system too"
    )
    serving = parser.add_argument_group("serve")
    serving.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for all interfaces")
    serving.add_argument("--port", type=int, default=8000)
    serving.add_argument("--trust_proxy", action="store_true", help="a proxy sets X-Forwarded-For")
    serving.add_argument("--raters_per_day", type=int, default=30, help="from one address")
    analysing = parser.add_argument_group("analyse")
    analysing.add_argument(
        "--answers", nargs="*", default=[], help="files that raters saved; of one rater's the fullest counts"
    )
    analysing.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    if args.make:
        make(args)
    elif args.serve:
        serve(args)
    else:
        write_analysis(args)


def make(args: argparse.Namespace) -> None:
    """Write a test.

    Raises:
        InputError: see `read_design`, `read_asked` and `build_test`.
    """
    design = read_design(args.config, args.kind)
    asked = read_asked(args.pairs, args.data_dir, args.list, None, Settings())
    systems = {name: read_outputs(path) for name, path in named_files(args.system, "--system").items()}
    if args.ground_truth == "true":
        references = {trial.pair_id: trial.reference for trial in asked.trials if trial.reference}
        if references:
            systems = {GROUND_TRUTH: references, **systems}
    counts = build_test(design, asked.trials, systems, Path(args.test_dir))
    print(json.dumps(counts))


def read_design(path: str | None, kind: str | None) -> Design:
    """Read conf/score/listening.yaml or the like.

    Raises:
        InputError: it is no such file, or has an entry that there is not.
    """
    given = read_yaml(path, "--config") if path else {}
    known = {field.name: field.default for field in fields(Design)}
    check_keys(path or "", given, known)
    for name, value in given.items():
        default = known[name]
        if type(value) is not type(default) and not (isinstance(default, float) and isinstance(value, int)):
            raise InputError(f"{path}: {name}", f"'{value}' is not like {default!r}", "Correct it")
    return Design(**(given | ({"kind": kind} if kind else {})))


def serve(args: argparse.Namespace) -> None:
    """Serve until the process is stopped."""
    server = ListeningServer(args.test_dir, args.host, args.port, args.trust_proxy, args.raters_per_day)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # stop as by Ctrl-C
    # The port is told for those who asked for any.
    print(f"http://{args.host}:{server.server_address[1]}/", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        logging.info("stopped")
    finally:
        server.server_close()
        server.store.close()


def write_analysis(args: argparse.Namespace) -> None:
    """Write listening.json and listening.md."""
    result = analyse(args.test_dir, [Path(file) for file in args.answers], args.seed)
    folder = Path(args.test_dir)
    with atomic_open(folder / RESULT) as stream:
        json.dump(result, stream, indent=2, ensure_ascii=False)
    text = listening_markdown(result)
    with atomic_open(folder / "listening.md") as stream:
        stream.write(text)
    print(text, end="")


if __name__ == "__main__":
    run_command(main)
