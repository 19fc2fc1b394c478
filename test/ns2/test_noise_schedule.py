"""The noise of the diffusion and the ways back."""

import pytest
import torch

from espnet2_valle.ns2.schedule import FIRST, SOLVERS, NoiseSchedule

SCHEDULE = NoiseSchedule()


def test_the_ends_are_the_latent_and_noise():
    ends = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(SCHEDULE.alpha(ends)[0], torch.tensor(1.0))
    torch.testing.assert_close(SCHEDULE.variance(ends)[0], torch.tensor(0.0))
    assert SCHEDULE.alpha(ends)[1] < 0.01
    assert SCHEDULE.variance(ends)[1] > 0.999
    clean = torch.randn(2, 3, 4)
    torch.testing.assert_close(SCHEDULE.add_noise(clean, torch.zeros(2), torch.randn(2, 3, 4)), clean)


def test_nothing_is_lost_or_gained_on_the_way():
    times = torch.linspace(0, 1, 11)
    torch.testing.assert_close(SCHEDULE.alpha(times) ** 2 + SCHEDULE.variance(times), torch.ones(11))
    steps = torch.linspace(0, 1, 1001)
    slope = -torch.diff(SCHEDULE.alpha(steps).log()) * 1000 * 2
    torch.testing.assert_close(slope, SCHEDULE.beta((steps[1:] + steps[:-1]) / 2), rtol=1e-2, atol=1e-2)


def test_the_scores_weight_is_the_ratio_of_signal_to_noise_up_to_a_bound():
    times = torch.tensor([1e-4, 0.5])
    weights = SCHEDULE.score_weight(times, 5.0)
    assert weights[0] == 5.0
    expected = SCHEDULE.alpha(times[1]) ** 2 / SCHEDULE.variance(times[1])
    torch.testing.assert_close(weights[1], expected)


@pytest.mark.parametrize(
    ("solver", "steps", "error"), [("ddim", 1, 1e-4), ("ddim", 7, 1e-4), ("euler", 400, 0.02)]
)
def test_a_perfect_prediction_leads_to_the_latent(solver, steps, error):
    """What is left is the noise that the schedule has at the time where solvers end."""
    clean = torch.randn(2, 30, 4, dtype=torch.float64)
    noise = torch.randn_like(clean)
    latent = SCHEDULE.alpha(torch.tensor(1.0)) * clean + SCHEDULE.variance(torch.tensor(1.0)).sqrt() * noise
    times = SCHEDULE.times(steps)
    for now, then in zip(times[:-1], times[1:]):
        latent = SCHEDULE.step(solver, latent, clean, now, then)
    first = torch.tensor(FIRST, dtype=torch.float64)
    left = SCHEDULE.variance(first).sqrt()
    assert times[-1] == first
    expected = SCHEDULE.alpha(first) * clean + left * noise
    assert (latent - expected).abs().max() < error


def test_solvers_that_there_are():
    one = torch.zeros(1, 1, 1)
    with pytest.raises(ValueError, match="there is no solver 'heun'"):
        SCHEDULE.step("heun", one, one, torch.tensor(1.0), torch.tensor(0.5))
    assert SOLVERS == ("ddim", "euler")
