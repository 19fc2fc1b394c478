"""Batches are as one by one, all follows from a seed, and an overfit model says what it learnt."""

import numpy as np
import pytest
import torch
from ns2_samples import DIM, SIZES, VOCAB, batch_of, collated, wanted

from espnet2_valle.ns2.espnet_model import ESPnetNS2Model
from espnet2_valle.ns2.generation import SolverOptions, Wanted, generate
from espnet2_valle.ns2.model import NaturalSpeech2

OPTIONS = SolverOptions(steps=3, solver="ddim")


@pytest.mark.parametrize("options", [OPTIONS, SolverOptions(3, "euler", 1.5, guidance=1.8)])
def test_a_batch_is_as_one_by_one(tiny, options):
    texts = [wanted(4), wanted(9, seed=5), wanted(6, seed=7)]
    together = generate(tiny, texts, options)
    for one, alone in zip(together, (generate(tiny, [text], options)[0] for text in texts), strict=True):
        np.testing.assert_array_equal(one.durations, alone.durations)
        np.testing.assert_allclose(one.latent, alone.latent, atol=2e-4)
        assert len(one.latent) == one.durations.sum() == len(one.log_f0)


def test_a_seed_decides(tiny):
    first, again, other = (generate(tiny, [wanted(5, seed=n)], OPTIONS)[0] for n in (1, 1, 2))
    np.testing.assert_array_equal(first.latent, again.latent)
    assert np.abs(first.latent - other.latent).max() > 1e-3


def test_temperature_and_guidance_change_what_comes_out(tiny):
    plain = generate(tiny, [wanted(5)], OPTIONS)[0].latent
    for changed in (SolverOptions(3, "ddim", 4.0), SolverOptions(3, "ddim", guidance=2.0)):
        assert np.abs(generate(tiny, [wanted(5)], changed)[0].latent - plain).max() > 1e-5


def test_half_the_speed_is_twice_as_long(tiny):
    plain, slow = (generate(tiny, [wanted(20, speed=s)], OPTIONS)[0] for s in (1.0, 0.5))
    assert abs(len(slow.latent) - 2 * len(plain.latent)) <= 2


def test_an_octave_is_twice_the_pitch(tiny):
    plain, high = (generate(tiny, [wanted(8, pitch=p)], OPTIONS)[0] for p in (0.0, 12.0))
    np.testing.assert_allclose(high.log_f0 - plain.log_f0, np.log(2.0))


def test_given_durations_and_contour_are_taken(tiny):
    durations = np.array([2, 5, 3, 0])
    found = generate(tiny, [wanted(4, durations=durations, contour=np.full(50, 123.0))], OPTIONS)[0]
    np.testing.assert_array_equal(found.durations, durations)
    np.testing.assert_allclose(np.exp(found.log_f0), 123.0)


def test_no_frame_is_no_latent(tiny):
    tiny.duration_predictor.out.bias.data.fill_(-50.0)
    silent = wanted(4)
    silent = Wanted(**{**vars(silent), "least": np.zeros(4, int)})
    assert generate(tiny, [silent], OPTIONS)[0].latent.shape == (0, DIM)


def test_an_overfit_model_says_what_it_learnt():
    """Latents, durations and pitch of one utterance come back from noise."""
    torch.manual_seed(0)
    model = NaturalSpeech2(VOCAB, DIM, **SIZES)
    (row,) = batch_of([(5, 24, 6)])
    row["latent"] = row["latent"].cumsum(0) * 0.3  # which a few layers can learn in a few steps
    model.latent_mean.copy_(row["latent"].mean(0))
    model.latent_std.copy_(row["latent"].std(0))
    model.pitch_mean.fill_(5.0)
    training = ESPnetNS2Model(model, most_score=1.0).train()
    rows = [row] * 6
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=250)
    for _ in range(250):
        loss, *_ = training(**collated(rows))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    ones = np.ones(5)
    text = Wanted(row["text"].numpy(), np.zeros(5, int), row["prompt"].numpy(), 3, ones, 0 * ones, ones)
    for options in (SolverOptions(20, "ddim"), SolverOptions(50, "euler")):
        (said,) = generate(model.eval(), [text], options)
        np.testing.assert_array_equal(said.durations, row["durations"].numpy())
        np.testing.assert_allclose(said.log_f0, row["pitch"].numpy(), atol=0.1)
        error = np.square(said.latent - row["latent"].numpy()).mean() / row["latent"].var().item()
        assert error < 0.05
