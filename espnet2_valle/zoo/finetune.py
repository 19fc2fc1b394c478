"""A packed model laid out as that from which a fine-tuning goes on."""

import argparse
import shutil
from pathlib import Path
from typing import Any

import torch
import yaml

from espnet2_valle.codec.build import read_codec_config
from espnet2_valle.common.conf import locate, read_config
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open, atomic_path
from espnet2_valle.text.reading import ESPNET, keep_reading
from espnet2_valle.text.tokens import TokenIDs
from espnet2_valle.zoo.checkpoint import MODELS, codec_spec, load_model
from espnet2_valle.zoo.ns2_checkpoint import load_ns2
from espnet2_valle.zoo.trained import ModelFiles, open_trained, open_trained_ns2

TEXT_OPTIONS = ("token_type", "g2p", "cleaner")
BPE_MODEL = "bpe.model"
NS2 = "ns2"
KINDS = {"valle": tuple(MODELS), NS2: (NS2,)}  # by the name of run.sh's --model
AUTO = "auto"  # of `bf16`: what the machine multiplies fastest


def lay_out(
    model_tag: str, config: str | Path, output_dir: str | Path, model: tuple[str, ...] | None = None
) -> None:
    """Write what `run.sh --init_model` goes on from.

    Written are the weights ({ar,nar}.pth or ns2.pth), token list, codec and BPE model, training configs of
    the model's shape (train_{ar,nar}.yaml or train_ns2.yaml), and `options`, lines of `name value` that the
    recipe has to take over.

    Args:
        model_tag: a packed model, see `unpack`.
        config: how to train, such as conf/finetune_lora.yaml.
        output_dir: where to write.
        model: kinds of models that there are to be; None: any.

    Raises:
        InputError: no such model or config, another model, or one whose parts do not belong together.
    """
    output = Path(output_dir)
    training = read_training(config)
    files = ModelFiles(model_tag=model_tag).unpacked()
    (open_trained_ns2 if files.is_diffusion else open_trained)(files)  # refuses what does not belong together
    kinds = (NS2,) if files.is_diffusion else tuple(MODELS)
    if model is not None and kinds != model:
        raise InputError(
            model_tag,
            f"holds the models {' '.join(kinds)}, not {' '.join(model)}",
            f"Give --model {NS2 if files.is_diffusion else 'valle'}",
        )
    for kind in kinds:
        load = load_ns2 if kind == NS2 else load_model
        trained, base = load(getattr(files, f"{kind}_train_config"), getattr(files, f"{kind}_model_file"))
        output.mkdir(parents=True, exist_ok=True)
        with atomic_path(output / f"{kind}.pth", alone=True) as temporary:
            torch.save(trained.state_dict(), temporary)
        with atomic_open(output / f"train_{kind}.yaml") as stream:
            yaml.safe_dump(shaped(training, base), stream, sort_keys=False)
    TokenIDs(base.token_list).write(output / "tokens.txt")
    reading = getattr(base, "text_reading", ESPNET)
    if reading != ESPNET:
        keep_reading(output / "tokens.txt", reading)
    if base.token_type == "bpe":
        shutil.copy(base.bpemodel, output / BPE_MODEL)
    _copy_codec(Path(str(files.codec_config)), output / "codec")
    options = {name: getattr(base, name) or "none" for name in TEXT_OPTIONS}
    options |= {"fs": codec_spec(base).sample_rate}
    options |= {f"{kind}_config": output / f"train_{kind}.yaml" for kind in kinds}
    with atomic_open(output / "options") as stream:  # the last: with it, all is there
        stream.writelines(f"{name} {value}\n" for name, value in options.items())


def shaped(training: dict[str, Any], base: argparse.Namespace) -> dict[str, Any]:
    """The training config of a model like `base`.

    The config's model settings, such as dropout, go before the model's own; and what its section `ar` or
    `nar` says goes before the rest, for that model.
    """
    kind = "valle" if hasattr(base, "valle") else NS2  # of the model: the name of the option that chooses it
    section = getattr(base, kind) if kind == "valle" else NS2
    own = training.get(section, {})
    common = {name: value for name, value in training.items() if name not in (*MODELS, NS2)}
    confs = {
        name: {**getattr(base, name), **common.get(name, {}), **own.get(name, {})}
        for name in (f"{kind}_conf", "model_conf")
    }
    # In which type of number the base was trained was a matter of its machine.
    if not any("bf16" in given.get("model_conf", {}) for given in (common, own)):
        confs["model_conf"]["bf16"] = AUTO
    return {**common, **own, kind: getattr(base, kind), **confs}


def read_training(config: str | Path) -> dict[str, Any]:
    """Read how to train; a config may name a `base`.

    Raises:
        InputError: it is no training config, or its section of a model is no section.
    """
    path = locate(config)
    content = read_config(path) if path.is_file() else {}
    if not content:
        raise InputError(
            config, "is not a training config", "Give one such as conf/finetune_lora.yaml (--finetune_config)"
        )
    for kind in MODELS:
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
