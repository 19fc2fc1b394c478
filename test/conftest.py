"""What tests of several rooms share."""

from typing import Any

import pytest
import yaml

from espnet2_valle.common.conf import CONF

STEPS = {
    "num_iters_per_epoch": 2,
    "max_epoch": 1,
    "num_workers": 0,
    "batch_bins": 200000,
    "use_tensorboard": False,
}
PREDICTORS = {f"{name}_predictor_chans": 8 for name in ("duration", "pitch", "energy")}
TINY: dict[str, Any] = {
    "tacotron2": {
        "tts_conf": {
            "embed_dim": 8,
            "eunits": 8,
            "econv_chans": 8,
            "adim": 8,
            "dunits": 16,
            "prenet_units": 8,
        }
        | {"postnet_layers": 1, "postnet_chans": 8},
    },
    "fastspeech2": {
        "tts_conf": {"adim": 8, "elayers": 1, "eunits": 8, "dlayers": 1, "dunits": 8}
        | {"postnet_layers": 1, "postnet_chans": 8, **PREDICTORS},
    },
    "vits": {
        "tts_conf": {
            "generator_params": {
                "hidden_channels": 8,
                "global_channels": 8,
                "segment_size": 8,
                "text_encoder_blocks": 1,
                "decoder_channels": 16,
                "posterior_encoder_layers": 1,
                "flow_flows": 1,
                "flow_layers": 1,
            },
            "discriminator_params": {
                "periods": [2],
                "discriminator_params": {"channels": 4, "max_downsample_channels": 8},
            },
        },
    },
}


def merged(config: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`config` with changes at any depth."""
    both = {key: merged(config[key], changes[key]) for key in config.keys() & changes.keys()
            if isinstance(config[key], dict) and isinstance(changes[key], dict)}  # fmt: skip
    return {**config, **changes, **both}


@pytest.fixture(scope="session")
def tiny_baselines(tmp_path_factory):
    """A folder like conf/baseline/mini, of systems that train in a second."""
    folder = tmp_path_factory.mktemp("baselines")
    for kind, changes in TINY.items():
        config = yaml.safe_load((CONF / "baseline" / "mini" / f"{kind}.yaml").read_text(encoding="utf-8"))
        path = folder / f"{kind}.yaml"
        path.write_text(yaml.safe_dump(merged(config, {**changes, **STEPS})), encoding="utf-8")
    return folder
