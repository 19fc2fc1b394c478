"""Put a trained model into one zip."""

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from espnet2.main_funcs.pack_funcs import pack as espnet_pack

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path
from espnet2_valle.zoo.checksums import write_checksums
from espnet2_valle.zoo.weights import SAFE, read_weights, write_weights

CARD = "README.md"
CODEC_CONFIG = "codec_config"


def pack(
    files: Mapping[str, str | Path],
    yaml_files: Mapping[str, str | Path],
    extra: Sequence[str | Path],
    output: str | Path,
    card: str = "",
) -> None:
    """Pack a model so that `Text2Speech.from_pretrained(output)` opens it anywhere.

    Inside, files lie in a folder named by the first word of their argument (ar/, nar/, codec/), the
    codec's own model beside its codec.yaml, a BPE model beside each config that names it, `extra` at the top.
    Weights become .safetensors, which hold no code, and SHA256SUMS tells what was packed.

    Args:
        files: argument of `Text2Speech` -> weights.
        yaml_files: argument of `Text2Speech` -> YAML.
        extra: more files, such as the table of results.
        output: the zip.
        card: text of the model card, README.md at the top; none if it is empty.

    Raises:
        InputError: a file that is not there, or one that a YAML file names and that is not, or no weights.
    """
    for path in [*files.values(), *yaml_files.values(), *extra]:
        if not Path(path).is_file():
            raise InputError(path, "is to be packed but is not there", "Run the stage that makes it first")
    output = Path(output).resolve()
    with tempfile.TemporaryDirectory() as folder, atomic_path(output, alone=True) as temporary:
        staging = Path(folder)
        staged = {name: _stage_weights(path, staging / name.split("_")[0]) for name, path in files.items()}
        staged_yaml = {name: _stage(path, staging / name.split("_")[0]) for name, path in yaml_files.items()}
        more = [_stage(path, staging) for path in extra]
        for name, path in yaml_files.items():
            if name == CODEC_CONFIG:
                more += _stage_codec_model(Path(path), staged_yaml[name])
            else:
                more += _stage_bpe_model(Path(path), staged_yaml[name], staging)
        more.append(write_checksums(staging, {*staged.values(), *staged_yaml.values(), *more}))
        if card:  # which may be edited where it is shown, so it has no checksum
            more.append(staging / CARD)
            more[-1].write_text(card, encoding="utf-8")
        # ESPnet names the files in the archive relative to the working directory.
        with _working_directory(staging), contextlib.redirect_stdout(io.StringIO()):  # it prints each name
            espnet_pack(files=staged, yaml_files=staged_yaml, option=more, outpath=temporary)


def _stage(path: str | Path, folder: Path) -> Path:
    """Copy `path`, followed if it is a link, into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(path, folder))


def _stage_weights(path: str | Path, folder: Path) -> Path:
    """Write the weights of `path` into `folder` as .safetensors."""
    folder.mkdir(parents=True, exist_ok=True)
    staged = folder / f"{Path(path).stem}{SAFE}"
    write_weights(read_weights(path), staged)
    return staged


def _stage_codec_model(config: Path, staged: Path) -> list[Path]:
    """Copy the model that a codec.yaml names, if any, beside the staged copy and let that name it there."""
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    if not content.get("model"):
        return []
    model = config.parent / content["model"]
    if not model.is_file():
        raise InputError(model, f"is named by {config} but is not there", "Run stage 4 first")
    _rewrite(staged, {**content, "model": model.name})
    return [_stage(model, staged.parent)]


def _stage_bpe_model(config: Path, staged: Path, staging: Path) -> list[Path]:
    """Copy the BPE model that a training's config names, if any, beside the staged copy, and name that there.

    The name is that in the archive: unpacking makes a path of it, as of all such names in a YAML file.
    """
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    if not content.get("bpemodel"):
        return []
    model = Path(content["bpemodel"])
    if not model.is_file():
        raise InputError(
            model, f"is named by {config} but is not there", "Run stage 3 first, or pack where it was trained"
        )
    copy = _stage(model, staged.parent)
    _rewrite(staged, {**content, "bpemodel": str(copy.relative_to(staging))})
    return [copy]


def _rewrite(staged: Path, content: Mapping[str, Any]) -> None:
    staged.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@contextlib.contextmanager
def _working_directory(path: Path) -> Iterator[None]:
    former = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(former)
