"""The detector's encoder hears a sound as if it were alone, and sees both kinds in each batch."""

import numpy as np
import soundfile
import torch

from espnet2_valle.mark.detector import REAL, SYNTHETIC
from espnet2_valle.mark.detector_encoder import TDNNEncoder
from espnet2_valle.mark.sound_training import Labelled, write_shapes

BANDS = 6


def test_padding_changes_nothing():
    torch.manual_seed(0)
    encoder = TDNNEncoder(BANDS, width=8).eval()
    long, short = torch.randn(1, 20, BANDS), torch.randn(1, 13, BANDS)
    padded = torch.cat([short, 9 * torch.ones(1, 7, BANDS)], dim=1)
    together, lengths, _ = encoder(torch.cat([long, padded]), torch.tensor([20, 13]))
    alone, _, _ = encoder(short, torch.tensor([13]))
    assert together.shape == (2, 20, encoder.output_size())
    torch.testing.assert_close(together[1, :13], alone[0])
    assert lengths.tolist() == [20, 13]


def test_frames_and_their_changes_are_a_part_of_what_is_pooled():
    encoder = TDNNEncoder(BANDS, width=8).eval()
    frames = torch.randn(1, 5, BANDS)
    found, _, _ = encoder(frames, torch.tensor([5]))
    torch.testing.assert_close(found[..., :BANDS], frames)
    torch.testing.assert_close(found[:, 1:, BANDS : 2 * BANDS], frames[:, 1:] - frames[:, :-1])


def test_batches_hold_both_kinds(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), 16000)
    kinds = [REAL] * 200 + [SYNTHETIC] * 200
    sounds = [Labelled(f"{kind}-{n}", f"{tmp_path}/a.wav", kind) for n, kind in enumerate(kinds)]
    for name in ("one", "two"):
        write_shapes(tmp_path / name, sounds)
    assert (tmp_path / "one").read_text() == (tmp_path / "two").read_text()
    lines = (tmp_path / "one").read_text().splitlines()
    assert sorted(lines) == sorted(f"{sound.name} 100" for sound in sounds)
    for first in range(0, len(lines), 16):
        assert len({line[0] for line in lines[first : first + 16]}) == 2
