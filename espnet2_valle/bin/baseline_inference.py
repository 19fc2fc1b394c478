"""Synthesise a list of (prompt, text) pairs by one of ESPnet's TTS systems, given the prompts' embeddings."""

import argparse
from collections.abc import Sequence

from espnet2_valle.baseline.synthesis import MODEL_FILES, jobs_of, read_model, synthesise
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.data.datadir import read_scp
from espnet2_valle.data.pairs import read_pairs
from espnet2_valle.jobs.config import add_device_argument
from espnet2_valle.jobs.pool import use_cluster


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--config", help="YAML of arguments of espnet2.bin.tts_inference.Text2Speech")
    parser.add_argument("--train_config", required=True, help="config.yaml of the system")
    parser.add_argument("--model_file", required=True, help="its weights")
    parser.add_argument("--vocoder_config", help="of Griffin-Lim (griffin_lim_iters), or of the vocoder file")
    parser.add_argument(
        "--vocoder_file", help="a vocoder trained with parallel_wavegan, for mel spectrograms"
    )
    add_device_argument(parser, "the system")
    parser.add_argument("--pairs", required=True, help="lines `pair_id prompt_utt target_utt other_utt`")
    parser.add_argument("--token_int", required=True, help="token ids of the targets")
    parser.add_argument("--spembs", required=True, help="spembs.scp of the prompts")
    parser.add_argument("--output_dir", required=True, help="gets wav/, wav.scp and outcomes")
    parser.add_argument("--nj", type=int, default=1, help="processes")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse(get_parser(), argv)
    files = {name: getattr(args, name) for name in MODEL_FILES if getattr(args, name)}
    model = {**read_model(files, args.config), "device": args.device}
    jobs = jobs_of(read_pairs(args.pairs), read_scp(args.token_int), read_scp(args.spembs))
    with use_cluster(device=args.device):
        synthesise(model, jobs, args.output_dir, args.nj)


if __name__ == "__main__":
    run_command(main)
