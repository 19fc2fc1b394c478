"""Put a trained model into one zip."""

from pathlib import Path

import yaml
from espnet2.main_funcs.pack_funcs import pack as espnet_pack

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.fileio import atomic_path


def pack(
    files: dict[str, str | Path],
    yaml_files: dict[str, str | Path],
    extra: list[str | Path],
    output: str | Path,
) -> None:
    """Pack a model so that `Text2Speech.from_pretrained(output)` opens it.

    Args:
        files: argument of `Text2Speech` -> weights.
        yaml_files: argument of `Text2Speech` -> YAML; paths in them that are packed too are rewritten
            when the zip is unpacked.
        extra: more files, such as the codec's own model and the table of results.
        output: the zip.

    Raises:
        InputError: a file that is not there.
    """
    for path in [*files.values(), *yaml_files.values(), *extra]:
        if not Path(path).is_file():
            raise InputError(path, "is to be packed but is not there", "Run the stage that makes it first")
    with atomic_path(output) as temporary:
        espnet_pack(files=files, yaml_files=yaml_files, option=extra, outpath=temporary)


def codec_files(codec_config: str | Path) -> list[Path]:
    """The model file that a codec.yaml names, if any."""
    path = Path(codec_config)
    if not path.is_file():
        raise InputError(path, "no such codec configuration", "Run stage 4 first")
    model = yaml.safe_load(path.read_text(encoding="utf-8")).get("model")
    return [path.parent / model] if model else []
