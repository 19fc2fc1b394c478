"""A packed model in form alone: two small files of weights, a codec's model, and configs."""

import numpy as np
import torch
import yaml

from espnet2_valle.zoo.pack import pack


def write_run(folder):
    """Write the files of a run, with a codec whose model lies elsewhere."""
    for name in ("ar", "nar", "codec", "far"):
        (folder / name).mkdir(parents=True)
    for number, kind in enumerate(("ar", "nar"), 1):
        (folder / kind / "config.yaml").write_text(f"valle: {kind}\n")
        torch.save({"weight": torch.full((number, 4096), float(number))}, folder / kind / "1epoch.pth")
        (folder / kind / "model.pth").symlink_to("1epoch.pth")
    np.savez(folder / "far" / "codec.npz", codebooks=np.arange(9000))
    codec = {"type": "world", "model": str(folder / "far" / "codec.npz")}
    (folder / "codec" / "codec.yaml").write_text(yaml.safe_dump(codec))
    (folder / "RESULTS.md").write_text("# Results\n")
    return folder


def pack_run(run, output, card=""):
    """Pack it; see `write_run`."""
    pack(
        files={f"{kind}_model_file": run / kind / "model.pth" for kind in ("ar", "nar")},
        yaml_files={
            "ar_train_config": run / "ar" / "config.yaml",
            "nar_train_config": run / "nar" / "config.yaml",
            "codec_config": run / "codec" / "codec.yaml",
        },
        extra=[run / "RESULTS.md"],
        output=output,
        card=card,
    )
    return output


def pack_sample(folder, output, card=""):
    """Both."""
    return pack_run(write_run(folder), output, card)
