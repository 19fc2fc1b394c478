"""Plan of the training of a config: parameters, memory a GPU, tokens a second, days.

The formulae are those of `espnet2_valle/tasks/plan.py` and `espnet2_valle/train/memory.py`.
"""

import argparse
from collections.abc import Sequence

from espnet2.utils.types import str2bool

from espnet2_valle.common.checks import positive
from espnet2_valle.common.cli import parse, run_command
from espnet2_valle.tasks.plan import PlanOptions, plan


def get_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--config", required=True, help="training config, such as conf/train_ar_12b.yaml")
    parser.add_argument("--num_gpus", type=int, nargs="+", default=[8, 64, 256])
    parser.add_argument("--memory", type=float, default=80.0, help="GiB of a GPU, for --batch_bins auto")
    parser.add_argument("--fsdp", type=str2bool, help="shard states over GPUs; default: as the config says")
    parser.add_argument("--peak_tflops", type=float, default=989.0, help="of a GPU in bfloat16; an H100's")
    parser.add_argument("--mfu", type=float, default=0.4, help="share of the peak that training reaches")
    parser.add_argument("--hours", type=float, default=60000.0, help="of speech in the corpus")
    parser.add_argument("--passes", type=float, default=1.0, help="over the corpus")
    parser.add_argument("--seconds", type=float, default=15.0, help="of a training utterance")
    parser.add_argument("--text_rate", type=float, default=12.0, help="text tokens a second")
    parser.add_argument("--frame_rate", type=float, default=75.0, help="of the codec")
    parser.add_argument("--num_codebooks", type=int, default=8)
    parser.add_argument("--codebook_size", type=int, default=1024)
    parser.add_argument("--vocab_size", type=int, default=100, help="text tokens")
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Print the plan."""
    print(plan(PlanOptions(**vars(parse(get_parser(), argv, peak_tflops=positive, memory=positive)))))


if __name__ == "__main__":
    run_command(main)
