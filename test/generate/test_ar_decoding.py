from dataclasses import replace

import pytest
import torch

from espnet2_valle.generate import ar_decoding
from espnet2_valle.generate.ar_decoding import ARDecoder, decode_ar
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.outcome import Outcome
from espnet2_valle.generate.prefill import Utterance, at_once
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


def ragged(model, seeds):
    """Utterances of different texts, prompts and limits."""
    generator = torch.Generator().manual_seed(9)
    utterances = []
    for place, seed in enumerate(seeds):
        text = torch.randint(0, 11, (2 + 3 * place,), generator=generator)
        prompt = torch.randint(0, 16, (7 - place,), generator=generator)
        limits = Limits(2 * place, 18 - 4 * place, max_repeat_frames=30)
        given = torch.Generator().manual_seed(seed)
        utterances.append(Utterance(text, prompt, limits, given, prompt_tokens=1 + place))
    return utterances


@pytest.fixture(params=["cpu", "cuda"])
def read_as_on(request, monkeypatch):
    """Texts and prompts are read as on such a device."""
    monkeypatch.setattr(ar_decoding, "at_once", lambda rows, _: at_once(rows, torch.device(request.param)))


@pytest.mark.usefixtures("read_as_on")
@pytest.mark.parametrize("options", [GREEDY, SamplingOptions(top_p=0.9, repetition_window=5)])
def test_batch_equals_single(model, options):
    """In float64, where sums in another order decide nothing; rows end at different steps."""
    model.double()
    together = decode_ar(model, ragged(model, (1, 2, 3, 4)), options)
    alone = [decode_ar(model, [one], options)[0] for one in ragged(model, (1, 2, 3, 4))]
    for ours, theirs in zip(together, alone, strict=True):
        assert ours.codes.tolist() == theirs.codes.tolist()
        assert ours.outcome is theirs.outcome
        assert ours.log_probability == pytest.approx(theirs.log_probability, rel=1e-5)
    assert len({len(one.codes) for one in together}) > 1


def test_a_finished_row_leaves_the_batch(model):
    decoder = ARDecoder(model, ragged(model, (1, 2, 3)), GREEDY)
    sizes = []
    while not decoder.finished:
        sizes.append(decoder._cache.batch)
        new = decoder.step()
        assert len(new) == sizes[-1]
        assert all(len(codes) in (0, model.group_size) for codes in new.values())
    assert sizes == sorted(sizes, reverse=True)
    assert decoder._cache.batch == 0
    assert all(decoder.results.values())


@pytest.mark.usefixtures("read_as_on")
@pytest.mark.parametrize("options", [GREEDY, SamplingOptions(top_p=0.9, repetition_window=5)])
@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1), (3, 1, 4, 2)])
def test_what_enters_while_others_run_says_what_it_says_alone(model, options, order):
    """Others end, and one is dropped, meanwhile; in float64, as above."""
    model.double()
    decoder = ARDecoder(model, [], options)
    numbers = {}
    for turn, place in enumerate(order):
        numbers[place] = decoder.admit([ragged(model, (1, 2, 3, 4))[place - 1]])[0]
        gone = decoder.admit(ragged(model, (2,)))
        for _ in range(turn + 1):
            decoder.step()
        decoder.drop(gone)
    while not decoder.finished:
        decoder.step()
    alone = [decode_ar(model, [one], options)[0] for one in ragged(model, (1, 2, 3, 4))]
    assert set(decoder.results) == set(numbers.values())
    for place, theirs in enumerate(alone, 1):
        ours = decoder.results[numbers[place]]
        assert ours.codes.tolist() == theirs.codes.tolist()
        assert ours.outcome is theirs.outcome
        assert ours.log_probability == pytest.approx(theirs.log_probability, rel=1e-5)


def test_each_draws_in_its_own_way(model):
    model.double()
    ways = [GREEDY, SamplingOptions(top_p=0.9), SamplingOptions(temperature=2.0, repetition_window=5), None]

    def drawn():
        return [replace(one, sampling=way) for one, way in zip(ragged(model, (1, 2, 3, 4)), ways)]

    together = decode_ar(model, drawn(), SamplingOptions())
    alone = [decode_ar(model, [one], SamplingOptions())[0] for one in drawn()]
    assert [one.codes.tolist() for one in together] == [one.codes.tolist() for one in alone]
    plain = decode_ar(model, ragged(model, (1, 2, 3, 4)), SamplingOptions())
    assert together[0].codes.tolist() != plain[0].codes.tolist()
    assert together[3].codes.tolist() == plain[3].codes.tolist()


def test_candidates_that_share_a_prefix_are_read_once(model, monkeypatch):
    calls = []
    prefill = model.prefill
    monkeypatch.setattr(
        model, "prefill", lambda texts, *more: (calls.append(len(texts)), prefill(texts, *more))[1]
    )
    options, limits = SamplingOptions(temperature=2.0), Limits(6, 6)
    utterances = [Utterance(TEXT, PROMPT, limits, torch.Generator().manual_seed(n)) for n in range(3)]
    drawn = [one.codes.tolist() for one in decode_ar(model, utterances, options)]
    assert calls == [1]
    alone = [decode(model, limits, options, seed)[0].tolist() for seed in range(3)]
    assert drawn == alone
    assert drawn[0] != drawn[1]


def test_the_prompt_is_not_in_the_output(model):
    """The first code that comes out is the one predicted behind the prompt's last."""
    prefer_end(model, -100)
    size = model.group_size
    prompt = torch.arange(1, 1 + 4 * size)
    utterance = Utterance(TEXT, prompt, Limits(0, 3 * size), torch.Generator())
    result = decode_ar(model, [utterance], GREEDY)[0]
    groups, count = model.group(prompt[None], torch.tensor([len(prompt)]))
    rates = model.position_rates(torch.zeros_like(count), count)
    cache = model.new_cache(1, 40)
    first = model.prefill(TEXT[None], groups, cache, rates)[0, :, : model.end].argmax(-1)
    assert result.codes[:size].tolist() == first.tolist()
    assert len(result.codes) == 3 * size


def test_a_loop_is_stuck_and_ends_early(model):
    prefer_end(model, -100)
    with torch.no_grad():  # one code is always the likeliest
        model.transformer.norm.shift[0] += 200 * model.codes.weight[0, 7] / model.codes.weight[0, 7].norm()
    codes, outcome = decode(model, Limits(0, 60, max_repeat_frames=9))
    assert outcome is Outcome.STUCK
    assert 9 < len(codes) <= 9 + 1 + model.group_size
    assert decode(model, Limits(0, 60))[1] is Outcome.HIT_LENGTH_CAP


def test_log_probability_is_the_models(model):
    prefer_end(model, -100)
    size = model.group_size
    given = Utterance(TEXT, PROMPT, Limits(0, 2 * size), torch.Generator().manual_seed(1))
    result = decode_ar(model, [given], SamplingOptions(temperature=1.5, top_p=0.8))[0]
    prompt, _ = model.group(PROMPT[None], torch.tensor([5]))
    everything = torch.cat([prompt, result.codes.view(1, 2, size)], dim=1)
    count = everything.shape[1]
    logits = model.logits(TEXT[None], torch.tensor([3]), everything, torch.tensor([count]))[0, -3:-1]
    logits[:, 1:, model.end] = float("-inf")
    expected = logits.log_softmax(-1).gather(2, everything[0, -2:].unsqueeze(2)).mean()
    assert result.log_probability == pytest.approx(float(expected.detach()), rel=1e-4)
