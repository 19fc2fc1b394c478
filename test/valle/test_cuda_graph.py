"""Steps in shapes that do not change are torch's; what a GPU records is run as it is here."""

import copy
import logging

import pytest
import torch

from espnet2_valle.generate.ar_decoding import decode_ar
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.prefill import Utterance
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.valle import cuda_graph
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.cuda_graph import GraphedStep
from espnet2_valle.valle.decode_steps import graphed_step
from espnet2_valle.valle.quantize import convert_linears

OPTIONS = SamplingOptions(top_p=0.9)


def model(dtype="float32", group_size=1):
    torch.manual_seed(3)
    made = VALLEAR(12, 4, 40, group_size, layers=2, width=64, heads=2, feed_forward=96).eval()
    convert_linears(made, dtype)
    return made


def said(made):
    """Three utterances of different lengths, which leave the batch one by one."""
    generator = torch.Generator().manual_seed(4)
    given = [
        Utterance(
            torch.randint(0, 11, (3 + 2 * place,), generator=generator),
            torch.randint(0, 40, (9 - place,), generator=generator),
            Limits(25 - 6 * place, 25 - 5 * place),
            torch.Generator().manual_seed(place),
        )
        for place in range(3)
    ]
    return [(one.codes.tolist(), one.log_probability) for one in decode_ar(made, given, OPTIONS)]


@pytest.fixture
def recordings(monkeypatch):
    """Counts them; spans are short, so that several are needed."""
    monkeypatch.setattr(cuda_graph, "SPAN", 8)
    made = []

    def record(compute):
        made.append(compute)
        compute()  # what a recording writes must not matter
        return compute

    return made, record


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 0.02), ("int8", 0.02)])
def test_steps_are_torchs(dtype, tolerance, recordings):
    made = model(dtype)
    codes = torch.randint(0, 40, (2, 20, 1), generator=torch.Generator().manual_seed(1))

    @torch.no_grad()
    def logits():
        cache = made.new_cache(2, 24)
        got = [made.prefill(torch.tensor([[1, 2, 3]] * 2), codes[:, :2], cache)]
        for place in range(2, 20):
            got.append(made.step(codes[:, place], torch.tensor([place, place]), cache))
        return torch.stack(got)

    expected = logits()
    made.transformer.decode_step = GraphedStep(made.transformer, recordings[1])
    assert (logits() - expected).norm() < tolerance * expected.norm()
    assert len(recordings[0]) == 3  # 6 to 23 positions, 8 in a span


@pytest.mark.parametrize("group_size", [1, 2])
def test_utterances_are_torchs(group_size, recordings):
    made = model(group_size=group_size)
    expected = said(made)
    made.transformer.decode_step = GraphedStep(made.transformer, recordings[1])
    got = said(made)
    assert [codes for codes, _ in got] == [codes for codes, _ in expected]
    assert [one for _, one in got] == pytest.approx([one for _, one in expected], rel=1e-5)
    spans, departures = 25 // group_size // 8, 2
    assert spans <= len(recordings[0]) <= spans + departures + 2  # and not one a step


def test_garbage_behind_what_is_filled_does_not_matter(recordings):
    made = model()
    made.transformer.decode_step = GraphedStep(made.transformer, recordings[1])
    with torch.no_grad():
        cache = made.new_cache(2, 6)
        cache.buffer.fill_(float("nan"))
        text = torch.tensor([[1, 2]]).expand(2, -1)
        made.prefill(text, torch.zeros(2, 1, 1, dtype=torch.long), cache)
        logits = made.step(torch.tensor([[3], [4]]), torch.tensor([1, 1]), cache)
        assert logits.isfinite().all()
        assert cache.length == 5
        made.step(torch.tensor([[3], [4]]), torch.tensor([2, 2]), cache)
        with pytest.raises(IndexError, match="holds 6 positions, 7"):
            made.step(torch.tensor([[3], [4]]), torch.tensor([3, 3]), cache)


def test_where_recording_fails_torch_goes_on_and_the_log_says_so_once(caplog):
    made = model()
    expected = said(made)

    def fails(compute):
        raise RuntimeError("operation not permitted when stream is capturing")

    made.transformer.decode_step = GraphedStep(made.transformer, fails)
    assert said(made) == expected
    assert said(made) == expected
    assert caplog.text.count("not permitted") == 1


def test_without_a_gpu_the_flag_is_only_a_warning(caplog):
    transformer = model().transformer
    assert graphed_step(transformer, False) is None
    with caplog.at_level(logging.WARNING):
        assert graphed_step(transformer, True) is None
    assert "--cuda_graphs: the model is not on a GPU" in caplog.text


def test_a_copy_has_other_weights(recordings):
    made = model()
    made.transformer.decode_step = GraphedStep(made.transformer, recordings[1])
    assert copy.deepcopy(made).transformer.decode_step is None
    assert made.double().transformer.decode_step is None
