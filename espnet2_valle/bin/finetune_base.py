"""Lay out a packed model as that from which `run.sh --init_model` goes on.

Written are its weights ({ar,nar}.pth), token list, codec and BPE model, training configs of its shape
(train_{ar,nar}.yaml), and `options`, lines of `name value` that the recipe has to take over.
"""

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from espnet2_valle.codec.build import read_codec_config
from espnet2_valle.common.cli import run_command
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.generate.text2speech import Text2Speech
from espnet2_valle.tasks.valle import VALLETask, codec_spec
from espnet2_valle.text.tokens import TokenIDs
from espnet2_valle.train.compute_dtype import AUTO
from espnet2_valle.train.step_checkpoint import save_whole
from espnet2_valle.zoo.load import unpack

KINDS = ("ar", "nar")
TEXT_OPTIONS = ("token_type", "g2p", "cleaner")
BPE_MODEL = "bpe.model"


def get_parser() -> argparse.ArgumentParser:
    """Options of the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model_tag", required=True, help="a packed model: a zip, or a model-zoo name")
    parser.add_argument("--config", required=True, help="how to train, such as conf/finetune_lora.yaml")
    parser.add_argument("--output_dir", required=True)
    return parser


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = get_parser().parse_args(argv)
    output = Path(args.output_dir)
    training = _read(args.config)
    files = unpack(args.model_tag)
    Text2Speech.from_pretrained(args.model_tag)  # refuses models and codec that do not belong together
    for kind in KINDS:
        model, base = VALLETask.build_model_from_file(
            files[f"{kind}_train_config"], files[f"{kind}_model_file"]
        )
        output.mkdir(parents=True, exist_ok=True)
        save_whole(model.state_dict(), output / f"{kind}.pth")
        with atomic_open(output / f"train_{kind}.yaml") as stream:
            yaml.safe_dump(shaped(training, base), stream, sort_keys=False)
    TokenIDs(base.token_list).write(output / "tokens.txt")
    if base.token_type == "bpe":
        shutil.copy(base.bpemodel, output / BPE_MODEL)
    _copy_codec(Path(files["codec_config"]), output / "codec")
    options = {name: getattr(base, name) or "none" for name in TEXT_OPTIONS}
    options |= {"fs": codec_spec(base).sample_rate}
    options |= {f"{kind}_config": output / f"train_{kind}.yaml" for kind in KINDS}
    with atomic_open(output / "options") as stream:  # the last: with it, all is there
        stream.writelines(f"{name} {value}\n" for name, value in options.items())


def shaped(training: dict[str, Any], base: argparse.Namespace) -> dict[str, Any]:
    """The training config of a model like `base`.

    The config's model settings, such as dropout, go before the model's own; and what its section `ar` or
    `nar` says goes before the rest, for that model.
    """
    own = training.get(base.valle, {})
    common = {name: value for name, value in training.items() if name not in KINDS}
    confs = {
        name: {**getattr(base, name), **common.get(name, {}), **own.get(name, {})}
        for name in ("valle_conf", "model_conf")
    }
    # In which type of number the base was trained was a matter of its machine.
    if not any("bf16" in given.get("model_conf", {}) for given in (common, own)):
        confs["model_conf"]["bf16"] = AUTO
    return {**common, **own, "valle": base.valle, **confs}


def _read(config: str) -> dict[str, Any]:
    content = yaml.safe_load(Path(config).read_text(encoding="utf-8")) if Path(config).is_file() else None
    if not isinstance(content, dict):
        raise InputError(
            config, "is not a training config", "Give one such as conf/finetune_lora.yaml (--finetune_config)"
        )
    for kind in KINDS:
        if not isinstance(content.get(kind, {}), dict):
            raise InputError(
                config, f"{kind}: {content[kind]!r} is no section", "Write options of that model below it"
            )
    return content


def _copy_codec(config: Path, target: Path) -> None:
    """Copy codec.yaml and, where the codec has one, its model, which a packed codec.yaml has beside it."""
    target.mkdir(parents=True, exist_ok=True)
    model = read_codec_config(config)["model"]
    for name in (config.name, *([model] if model else [])):
        shutil.copy(config.parent / name, target)


if __name__ == "__main__":
    run_command(main)
