"""Codecs by name, and codec.yaml, the file that the rest of the system opens a codec by."""

import dataclasses
import logging
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from espnet2_valle.codec.abs_codec import AbsCodec
from espnet2_valle.codec.spec import CodecSpec
from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_open
from espnet2_valle.common.registry import Registry, check_options

# A new codec is a class and a line here; imported when it is asked for.
CODECS: Registry[type[AbsCodec]] = Registry(
    "codec",
    {
        "world": "espnet2_valle.codec.world:WorldCodec",
        "encodec": "espnet2_valle.codec.encodec:EncodecCodec",
        "espnet": "espnet2_valle.codec.espnet_codec:ESPnetCodec",
        "lyra": "espnet2_valle.codec.lyra:LyraCodec",
    },
)
OPTIONAL = {field.name: field.default for field in dataclasses.fields(CodecSpec)}
OPTIONAL = {name: value for name, value in OPTIONAL.items() if value is not dataclasses.MISSING}
FIELDS = {"type", "model", "options", *(field.name for field in dataclasses.fields(CodecSpec))} - {"name"}


def build_codec(name: str, model: Path | None, options: dict[str, Any]) -> AbsCodec:
    """Open the codec `name` from its `model` file.

    Args:
        name: one of CODECS.
        model: its weights.
        options: what its `load` takes beside the model.

    Raises:
        InputError: unknown name or option, missing or unusable model.
    """
    if name not in CODECS:
        raise InputError("codec", f"unknown type {name!r}", f"Use one of {', '.join(CODECS)}")
    if model is None:
        raise InputError("codec", f"{name} needs its model file", "Give --codec_model, or fit it (stage 4)")
    check_options(f"codec {name}", CODECS[name].load, options, beside=["model"])
    return CODECS[name].load(model, **options)


def save_codec_config(path: str | Path, codec: AbsCodec, model: str | None, options: dict[str, Any]) -> None:
    """Write codec.yaml: the type, the model file (relative to the yaml or absolute) and the spec."""
    spec = dataclasses.asdict(codec.spec)
    content = {"type": spec.pop("name"), "model": model, "options": options, **spec}
    with atomic_open(path) as stream:
        yaml.safe_dump(content, stream, sort_keys=False)


def read_codec_config(path: str | Path) -> dict[str, Any]:
    """Read and check codec.yaml.

    Raises:
        InputError: missing file, unknown or missing key.
    """
    if not Path(path).is_file():
        raise InputError(path, "no such codec configuration", "Run stage 4 first, or correct the path")
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(path, f"not YAML ({error})", "Run stage 4 again") from error
    if isinstance(content, dict):
        content = {**OPTIONAL, **content}  # which older files lack
    if not isinstance(content, dict) or set(content) != FIELDS:
        found = set(content) if isinstance(content, dict) else set()
        raise InputError(
            path, f"its keys differ from a codec.yaml in {sorted(found ^ FIELDS)}", "Run stage 4 again"
        )
    return content


def load_codec(config: str | Path) -> AbsCodec:
    """Open the codec that a codec.yaml describes.

    Raises:
        InputError: a bad codec.yaml, or a model that does not match it.
    """
    content = read_codec_config(config)
    model = content["model"] and Path(config).parent / content["model"]
    codec = build_codec(content["type"], model, content["options"] or {})
    for key, found in dataclasses.asdict(codec.spec).items():
        expected = content["type" if key == "name" else key]
        if found != expected:
            raise InputError(
                config, f"says {key} {expected}, but {model or 'the codec'} has {found}", "Run stage 4 again"
            )
    return codec


def codec_device(config: str, device: str) -> str:
    """Device of the codec of a codec.yaml: `device` if it can compute there, else the CPU; the log says so.

    Raises:
        InputError: see `load_codec`.
    """
    codec = open_codec(config, "cpu")
    found = codec.nearest(device)
    if found != device:
        logging.info("codec %s computes on the CPU", codec.spec.name)
    return found


@lru_cache(maxsize=1)
def open_codec(config: str, device: str = "cpu") -> AbsCodec:
    """`load_codec` on a device, once a process: for workers that call it for every utterance."""
    return load_codec(config).to(device)
