"""The smallest configuration of the recipe that still passes through all of it."""

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml

ROOT = Path(__file__).resolve().parents[2]
RUN = ROOT / "egs2" / "valle" / "run.sh"
RATE = 8000  # of made-up recordings, Hz


def edited(source: str, target: Path, **changes: Any) -> Path:
    """Write a copy of conf/`source` with some keys changed; a dict changes keys below."""
    config = yaml.safe_load((ROOT / "conf" / source).read_text(encoding="utf-8"))
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(config.get(key), dict):
            config[key] = {**config[key], **value}
        else:
            config[key] = value
    target.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return target


def small_judge(source: str, target: Path) -> Path:
    """Write a copy of conf/judge/`source` for a small recogniser of three steps."""
    return edited(
        f"judge/{source}",
        target,
        encoder_conf={"output_size": 32, "linear_units": 32, "num_blocks": 1},
        num_iters_per_epoch=3,
        max_epoch=1,
        batch_size=4,
    )


def write_configs(folder: Path) -> list[str]:
    """Write configs of a few voices and a few steps; return the options of run.sh that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    mini = yaml.safe_load((ROOT / "conf" / "mini.yaml").read_text(encoding="utf-8"))
    corpus = edited(
        "mini.yaml",
        folder / "mini.yaml",
        train_voices=mini["train_voices"][:12:4],
        valid_voices=mini["valid_voices"][:1],
        test_voices=mini["test_voices"][:2],
        train={"utterances": 8, "words": [2, 4]},
        valid={"utterances": 3, "words": [2, 3]},
        prompts={"utterances": 2, "words": [3, 3]},
        targets={"utterances": 2, "words": [2, 2]},
    )
    small = {"layers": 1, "width": 32, "heads": 2, "feed_forward": 64}
    steps = {"num_iters_per_epoch": 4, "max_epoch": 2, "num_workers": 0, "batch_bins": 2000}
    ar = edited("train_ar_mini.yaml", folder / "train_ar.yaml", valle_conf=small, **steps)
    nar = edited("train_nar_mini.yaml", folder / "train_nar.yaml", valle_conf=small, **steps)
    judge = small_judge("train_asr_ctc.yaml", folder / "judge.yaml")
    codec = edited("codec/world.yaml", folder / "world.yaml", codebook_size=64, fit={"iterations": 2})
    decode = edited("decode.yaml", folder / "decode.yaml", max_duration_ratio=1.0)
    return [
        *("--local_data_opts", f"--config {corpus}", "--ar_config", str(ar), "--nar_config", str(nar)),
        *("--codec_config", str(codec), "--judge_config", str(judge), "--inference_config", str(decode)),
        *(
            "--datadir",
            str(folder / "data"),
            "--dumpdir",
            str(folder / "dump"),
            "--expdir",
            str(folder / "exp"),
        ),
        *("--nj", "1"),
    ]


def phone_chooser(folder: Path) -> list[str]:
    """Options of run.sh for a chooser that is trained for three steps."""
    config = small_judge("train_asr_ctc_phones.yaml", folder / "phones.yaml")
    return ["--phone_chooser", "true", "--phone_chooser_config", str(config)]


def finetuning(folder: Path, options: list[str]) -> list[str]:
    """Options of run.sh for a short fine-tuning in place of a training with `options`."""
    config = edited(
        "finetune_lora.yaml",
        folder / "finetune.yaml",
        num_iters_per_epoch=4,
        max_epoch=1,
        num_workers=0,
        nar={"valle_conf": {"dropout": 0.3}},
    )
    pairs = zip(options[::2], options[1::2])
    kept = [word for pair in pairs if pair[0] not in ("--ar_config", "--nar_config") for word in pair]
    return [*kept, "--finetune_config", str(config)]


def diffusion(folder: Path, options: list[str]) -> list[str]:
    """The same options for a small NaturalSpeech 2 model of a few steps."""
    small = {
        **{"width": 16, "heads": 2, "encoder_layers": 1, "encoder_feed_forward": 32, "prompt_layers": 1},
        **{"predictor_layers": 2, "wavenet_layers": 3, "wavenet_width": 16, "queries": 4},
    }
    steps = {"num_iters_per_epoch": 4, "max_epoch": 2, "num_workers": 0, "batch_bins": 1000}
    train = edited("train_ns2_mini.yaml", folder / "train_ns2.yaml", ns2_conf=small, **steps)
    decode = edited("decode_ns2.yaml", folder / "decode_ns2.yaml", diffusion_steps=2)
    given = dict(zip(options[::2], options[1::2], strict=True))
    for name in ("--ar_config", "--nar_config"):
        del given[name]
    given |= {"--model": "ns2", "--ns2_config": str(train), "--inference_config": str(decode)}
    return [word for pair in given.items() for word in pair]


def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run run.sh to its end."""
    return subprocess.run(
        [str(RUN), *options],
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def sound(path: Path, seconds: float) -> None:
    """Write a tone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.2 * np.sin(np.arange(int(seconds * RATE)) / 5), RATE)


def librispeech_test(root: Path) -> None:
    """LibriSpeech's test-clean as it is unpacked: two speakers, three utterances each, words of `mini`."""
    for speaker in ("61", "121"):
        folder = root / "LibriSpeech" / "test-clean" / speaker / "7"
        words = ("SEVEN TWO", "ONE FOUR NINE", "TWO ONE")
        for n in range(len(words)):
            sound(folder / f"{speaker}-7-{n:04d}.flac", 4.5)
        lines = (f"{speaker}-7-{n:04d} {text}\n" for n, text in enumerate(words))
        (folder / f"{speaker}-7.trans.txt").write_text("".join(lines))
