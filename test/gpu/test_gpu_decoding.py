"""Decoding on a GPU: cached, as CUDA graphs, in batches, in bfloat16, by the GPU's name."""

import functools

import pytest
import torch

from espnet2_valle.common.errors import InputError
from espnet2_valle.common.machine import bfloat16
from espnet2_valle.generate.ar_decoding import ARDecoder, decode_ar
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.prefill import Utterance
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.valle import decode_steps
from espnet2_valle.valle.cuda_graph import GraphedStep
from espnet2_valle.valle.decode_steps import prepare_ar, prepare_nar

pytestmark = pytest.mark.gpu
GREEDY = SamplingOptions(temperature=0)
FRAMES = 300  # more than a span of a graph
TOLERANCES = {"float32": 1e-3, "bfloat16": 0.03}


@pytest.fixture(params=["float32", "bfloat16"])
def dtype(request, device):
    if request.param == "bfloat16" and bfloat16(device).value != "bfloat16":
        pytest.skip(bfloat16(device).why)
    return request.param


@pytest.fixture
def graphs(device, monkeypatch):
    """Whether graphs are to be recorded; in a rehearsal a recording is the computation itself."""
    if device.type != "cuda":
        monkeypatch.setattr(
            decode_steps,
            "graphed_step",
            lambda transformer, wanted: (
                GraphedStep(transformer, lambda compute, _: compute) if wanted else None
            ),
        )


def said(model, text, codes, device):
    """Logits of each step of a batch, read code by code."""
    with torch.no_grad():
        cache = model.new_cache(len(text), text.shape[1] + 1 + codes.shape[1])
        got = [model.prefill(text.to(device), codes[:, :9, None].to(device), cache)]
        for place in range(9, codes.shape[1]):
            position = torch.full((len(text),), place, device=device)
            got.append(model.step(codes[:, place, None].to(device), position, cache))
    return torch.stack(got, 1).float().cpu()


def asked(seed=2, rows=3):
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randint(0, 19, (rows, 12), generator=generator),
        torch.randint(0, 64, (rows, FRAMES), generator=generator),
    )


@pytest.mark.parametrize("cuda_graphs", [False, True], ids=["eager", "graphs"])
def test_steps_with_a_cache_are_the_cpus(build, device, dtype, cuda_graphs, graphs, caplog):
    text, codes = asked()
    expected = said(build("ar").eval(), text, codes, torch.device("cpu"))
    model = build("ar").eval().to(device)
    prepare_ar(model, dtype, "never", cuda_graphs)
    assert (model.transformer.decode_step is not None) == cuda_graphs
    got = said(model, text, codes, device)
    assert (got - expected).norm() < TOLERANCES[dtype] * expected.norm()
    assert "not recorded" not in caplog.text
    if device.type == "cuda":
        assert model.new_cache(1, 4).dtype == getattr(torch, dtype)


def utterances(device, count=3):
    generator = torch.Generator().manual_seed(3)
    return [
        Utterance(
            torch.randint(0, 19, (5 + place,), generator=generator).to(device),
            torch.randint(0, 64, (9 + 7 * place,), generator=generator).to(device),
            Limits(60 + 40 * place, 60 + 40 * place),
            torch.Generator(device).manual_seed(place),
        )
        for place in range(count)
    ]


def results(decoded):
    return [one.codes.tolist() for one in decoded]


@pytest.mark.parametrize("cuda_graphs", [False, True], ids=["eager", "graphs"])
def test_a_batch_says_what_each_says_alone(build, device, cuda_graphs, graphs):
    model = build("ar").eval().to(device)
    prepare_ar(model, "float32", "never", cuda_graphs)
    alone = [results(decode_ar(model, [one], GREEDY))[0] for one in utterances(device)]
    assert results(decode_ar(model, utterances(device), GREEDY)) == alone
    expected = build("ar").eval()
    assert results(decode_ar(expected, utterances("cpu"), GREEDY)) == alone


def test_streams_in_turn_are_each_alone(build, device, graphs, caplog):
    model = build("ar").eval().to(device)
    prepare_ar(model, "float32", "never", cuda_graphs=True)
    alone = [results(decode_ar(model, [one], GREEDY))[0] for one in utterances(device)]
    decoders = [ARDecoder(model, [one], GREEDY) for one in utterances(device)]
    while not all(decoder.finished for decoder in decoders):
        for decoder in decoders:
            if not decoder.finished:
                decoder.step()
    assert [results(decoder.results.values())[0] for decoder in decoders] == alone
    assert "not recorded" not in caplog.text


def test_a_nar_model_fills_in_the_cpus_codes(build, device, dtype):
    text, codes = asked()
    generator = torch.Generator().manual_seed(5)
    prompt = torch.randint(0, 64, (3, 40, 4), generator=generator)
    expected = torch.stack(build("nar").eval().generate(text, prompt, codes))
    model = build("nar").eval().to(device)
    prepare_nar(model, dtype)
    got = torch.stack(model.generate(text.to(device), prompt.to(device), codes.to(device))).cpu()
    agreement = (got == expected).float().mean().item()
    assert agreement > {"float32": 0.995, "bfloat16": 0.8}[dtype]  # the largest of near logits may be another


def test_chunks_are_the_whole(build, device):
    text, codes = asked(rows=1)
    prompt = torch.randint(0, 64, (40, 4), generator=torch.Generator().manual_seed(5)).to(device)
    model = build("nar", chunk_frames=25).eval().to(device)
    context = model.prefill(text[0].to(device), prompt)
    pieces = [model.extend(piece, context) for piece in codes[0].to(device).split(25)]
    other = model.to("cpu")
    again = other.prefill(text[0], prompt.cpu())
    expected = [other.extend(piece, again) for piece in codes[0].split(25)]
    assert (torch.cat(pieces).cpu() == torch.cat(expected)).float().mean().item() > 0.99


def test_int8_is_for_a_cpu(build, device):
    model = build("ar").eval().to(device)
    if device.type == "cpu":
        prepare_ar(model, "int8", "never")
        return
    with pytest.raises(InputError, match="--dtype int8: the model is on cuda.*bfloat16"):
        prepare_ar(model, "int8", "never")


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_gpu_by_its_name(build, device, place, graphs):
    """Whichever is torch's current one."""
    named = device
    if device.type == "cuda":
        named = torch.device("cuda", 0 if place == "first" else torch.cuda.device_count() - 1)
    model = build("ar").eval().to(named)
    prepare_ar(model, "float32", "never", cuda_graphs=True)
    expected = build("ar").eval()
    assert results(decode_ar(model, utterances(named), GREEDY)) == results(
        decode_ar(expected, utterances("cpu"), GREEDY)
    )
    assert not model.transformer.decode_step._failed


def test_draws_are_the_same_alone_and_in_a_batch(build, device):
    model = build("ar").eval().to(device)
    draw = functools.partial(decode_ar, model, options=SamplingOptions(top_p=0.9))
    alone = [results(draw([one]))[0] for one in utterances(device)]
    assert results(draw(utterances(device))) == alone
