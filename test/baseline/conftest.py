"""A corpus of six short sounds, as the stages of a recipe leave it."""

import numpy as np
import pytest

from espnet2_valle.common.audio import write_audio
from espnet2_valle.data.arks import ShardedArks
from espnet2_valle.data.datadir import write_scp

RATE = 24000
SETS = {"train": 4, "valid": 2}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Its folder: raw/, token/, spembs/."""
    root = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    (root / "token").mkdir()
    (root / "token" / "tokens.txt").write_text("<blank>\n<unk>\na\nb\nc\n<sos/eos>\n")
    for name, count in SETS.items():
        wavs, tokens, spembs = {}, {}, {}
        for number in range(count):
            key = f"{name}{number}"
            time = np.arange(int((0.5 + 0.1 * number) * RATE)) / RATE
            wav = 0.3 * np.sign(np.sin(2 * np.pi * (100 + 20 * number) * time))
            wavs[key] = root / "raw" / name / f"{key}.wav"
            write_audio(wavs[key], wav.astype(np.float32), RATE)
            tokens[key] = " ".join(map(str, rng.integers(2, 5, 4 + number)))
            spembs[key] = rng.standard_normal(6).astype(np.float32)
        write_scp(root / "raw" / name / "wav.scp", wavs)
        write_scp(root / "token" / name / "token_int", tokens)
        arks = ShardedArks(root / "spembs" / name, "spembs")
        arks.write(1, "", spembs)
        arks.finish(1)
    (root / "pairs").write_text("p1 valid0 valid1 -\np2 valid1 valid0 -\n")
    return root


@pytest.fixture
def options(corpus):
    """Options of baseline_stats and baseline_train that name the data."""
    folders = [f"--{name}_dir={corpus / name}" for name in ("raw", "token", "spembs")]
    return [*folders, f"--fs={RATE}"]
