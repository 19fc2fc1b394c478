"""Synthesise speech: one text from the command line, or a whole list of (prompt, text) pairs."""

import argparse
from collections.abc import Sequence

from espnet2.utils.types import str2bool

from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.common.config_parser import ConfigParser
from espnet2_valle.common.lock import WORK, only_one
from espnet2_valle.generate.arguments import (
    add_model_arguments,
    add_prompt_arguments,
    check_voice,
    model_spec,
    require,
)
from espnet2_valle.generate.decode_pairs import synthesise_pairs
from espnet2_valle.generate.say import say
from espnet2_valle.jobs.config import add_worker_arguments
from espnet2_valle.jobs.pool import use_cluster
from espnet2_valle.text.characters import check_characters


def get_parser() -> argparse.ArgumentParser:
    """Options of the command; `--config` reads them from YAML."""
    parser = ConfigParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add_model_arguments(parser)
    group = parser.add_argument_group("a list of pairs")
    group.add_argument("--pairs", help="lines `pair_id prompt_utt target_utt other_utt`")
    group.add_argument("--data_dir", help="wav.scp and text of the utterances in the pairs")
    group.add_argument("--output_dir", help="gets wav/, codes/, wav.scp, outcomes and tries")
    group.add_argument("--batch_size", type=int, default=1, help="utterances decoded at once in a process")
    group.add_argument(
        "--streaming", type=str2bool, default=False, help="chunk by chunk as valle_stream, one at once"
    )
    add_worker_arguments(group)
    group = parser.add_argument_group("one utterance")
    group.add_argument("--text", help="what to say")
    add_prompt_arguments(group)
    group.add_argument("--output_wav", help="where the speech goes (.wav, .flac)")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Synthesise what the options name."""
    args = parse(get_parser(), argv)
    model = model_spec(args)
    if args.pairs:
        require(args, "data_dir", "output_dir")
        with only_one(args.output_dir, WORK), use_cluster(args.cluster, args.device):
            synthesise_pairs(
                model, args.pairs, args.data_dir, args.output_dir, args.nj, args.batch_size, args.streaming
            )
    else:
        require(args, "text", "prompt_speech", "output_wav")
        check_characters(args.text, "--text")
        check_voice(args)
        speech = say(model, args.text, args.prompt_speech, args.prompt_text, args.output_wav)
        print(f"{args.output_wav}: {speech.outcome.value}")


if __name__ == "__main__":
    run_command(main)
