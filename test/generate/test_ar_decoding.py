import pytest
import torch

from espnet2_valle.generate.ar_decoding import Utterance, decode_ar
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.sampling import SamplingOptions
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.valle.ar import VALLEAR

GREEDY = SamplingOptions(temperature=0)
TEXT, PROMPT = torch.tensor([3, 4, 5]), torch.tensor([1, 2, 3, 4, 5])


@pytest.fixture(params=[1, 2, 3])
def model(request):
    torch.manual_seed(request.param)
    return VALLEAR(12, 4, 16, request.param, layers=2, width=32, heads=4, feed_forward=64).eval()


def decode(model, limits, options=GREEDY, seed=0):
    utterance = Utterance(TEXT, PROMPT, limits, torch.Generator().manual_seed(seed), prompt_tokens=2)
    result = decode_ar(model, [utterance], options)[0]
    return result.codes, result.outcome


def prefer_end(model, bias):
    """Make the end code more (or less) likely than any other."""
    with torch.no_grad():
        norm = model.transformer.norm
        norm.shift[0] += bias * model.codes.weight[0, model.end] / model.codes.weight[0, model.end].norm()
        if model.group_size > 1:
            model.group_out.weight.copy_(torch.eye(32).repeat(model.group_size, 1))
            model.group_out.bias.zero_()


@pytest.mark.parametrize("own_rate_weight", [0.0, 0.5])
def test_greedy_decoding_follows_the_uncached_model(model, own_rate_weight):
    """The prompt's tokens over its groups are the speaking rate, of the new part too."""
    model.own_rate_weight = own_rate_weight
    prefer_end(model, -100)
    size = model.group_size
    codes, outcome = decode(model, Limits(0, 4 * size))
    assert outcome is Outcome.HIT_LENGTH_CAP
    prompt, _ = model.group(PROMPT[None], torch.tensor([5]))
    everything = torch.cat([prompt, codes.view(1, 4, size)], dim=1)
    groups = everything.shape[1]
    rates = model.position_rates(torch.tensor([2]), torch.tensor([prompt.shape[1]]))
    logits = model.logits(TEXT[None], torch.tensor([3]), everything, torch.tensor([groups]), rates)
    predicted = logits[0, prompt.shape[1] : groups, :, : model.end].argmax(-1)
    assert predicted.flatten().tolist() == codes.tolist()


def test_length_cap_is_kept_and_said(model):
    prefer_end(model, -100)
    codes, outcome = decode(model, Limits(0, 7))
    assert outcome is Outcome.HIT_LENGTH_CAP
    assert len(codes) == 7 // model.group_size * model.group_size


def test_an_immediate_end_is_no_speech(model):
    prefer_end(model, 100)
    codes, outcome = decode(model, Limits(0, 30))
    assert outcome is Outcome.NO_SPEECH
    assert len(codes) == 0


def test_the_end_waits_for_the_shortest_length(model):
    prefer_end(model, 100)
    codes, outcome = decode(model, Limits(6, 30))
    assert outcome is Outcome.OK
    assert 6 <= len(codes) < 6 + model.group_size
    assert (codes < model.end).all()


def test_the_seed_decides(model):
    options = SamplingOptions(temperature=3.0)
    runs = [decode(model, Limits(24, 24), options, seed)[0].tolist() for seed in (1, 1, 2)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
