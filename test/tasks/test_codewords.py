"""Targets that are shared with codes of nearly the same sound: how far, and where that is refused."""

import logging
import re

import numpy as np
import pytest
import torch
from training_samples import options

from espnet2_valle.common.conf import find, read_config
from espnet2_valle.common.errors import InputError
from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.valle.embeddings import neighbourhoods

OF_ENCODEC = 128  # dimensions


class Codewords:
    """A codec of two codebooks."""

    def __init__(self, size, dim):
        rng = np.random.default_rng(0)
        self.points = [rng.standard_normal((size, dim)).astype(np.float32) for _ in range(4)]

    def codewords(self):
        return self.points


@pytest.fixture
def build(archive, monkeypatch):
    """A NAR model of a training with these options, of a codec whose codewords have `dim` dimensions."""

    def make(*more, valle="nar", dim=3):
        codec = Codewords(16, dim)
        monkeypatch.setattr("espnet2_valle.tasks.codewords.load_codec", lambda config: codec)
        args = VALLETask.get_parser().parse_args([*options(archive, valle), *more])
        return VALLETask.build_model(args), [torch.from_numpy(points) for points in codec.points]

    return make


@pytest.mark.parametrize("dim", [1, 3, OF_ENCODEC])
def test_the_right_code_keeps_what_is_asked_for_whatever_the_codec(build, caplog, dim):
    caplog.set_level(logging.INFO)
    model, _ = build("--codeword_smoothing_mass=0.8", dim=dim)
    kept = model.neighbourhoods.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(kept, torch.full_like(kept, 0.8), atol=1e-3, rtol=0)
    assert (
        "--codeword_smoothing_mass: targets keep 80.0%, 80.0%, 80.0%, 80.0% for the right code" in caplog.text
    )


def test_by_width_it_is_what_it_was_and_the_log_says_what_that_leaves(build, caplog):
    caplog.set_level(logging.INFO)
    model, codewords = build("--codeword_smoothing=1.0")
    assert torch.equal(model.neighbourhoods, neighbourhoods(codewords, 1.0))
    told = re.search("--codeword_smoothing: targets keep (.*) for the right code", caplog.text)[1]
    left = neighbourhoods(codewords, 1.0).diagonal(dim1=1, dim2=2).mean(1)
    assert told == ", ".join(f"{each:.1%}" for each in left.tolist())
    assert "--codeword_smoothing 1.0: others are most of the target" in caplog.text


def test_the_papers_sizes_share_no_targets():
    for size in ("base", "paper"):
        assert not [key for key in read_config(find(f"train_nar_{size}.yaml")) if key.startswith("codeword_")]


def test_a_width_that_leaves_next_to_nothing_is_refused(archive, monkeypatch):
    """One of EnCodec's 1024 codes in 128 dimensions would keep 0.2 %."""
    codec = Codewords(1024, OF_ENCODEC)
    monkeypatch.setattr("espnet2_valle.tasks.codewords.load_codec", lambda config: codec)
    command = [*options(archive, "nar"), "--codeword_smoothing=1.0"]
    (archive / "codec.yaml").write_text(
        (archive / "codec.yaml").read_text().replace("size: 16", "size: 1024")
    )
    with pytest.raises(InputError, match="would leave the right codes 0.*--codeword_smoothing_mass 0.8"):
        VALLETask.build_model(VALLETask.get_parser().parse_args(command))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--codeword_smoothing_mass=0.49"], "0.49 leaves the right code no majority"),
        (["--codeword_smoothing_mass=1.1"], "Give from 0.5 to 1"),
        (["--codeword_smoothing_mass=0.8", "--codeword_smoothing=1"], "Give one of them"),
        (["--codeword_smoothing=-1"], "is negative"),
    ],
)
def test_what_cannot_be_is_refused(build, given, message):
    with pytest.raises(InputError, match=message):
        build(*given)


def test_the_ar_model_which_predicts_the_end_too_has_none(build):
    with pytest.raises(InputError, match="--codeword_smoothing_mass: --valle ar also predicts the end"):
        build("--codeword_smoothing_mass=0.8", valle="ar")


def test_without_smoothing_the_codec_is_not_opened(build):
    assert build()[0].neighbourhoods is None
