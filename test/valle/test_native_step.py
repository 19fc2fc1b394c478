"""The native step computes what torch computes, whatever the sizes, and gives way where it cannot be had."""

import copy
import functools
import logging
import multiprocessing
import os

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from espnet2_valle.common import compiled
from espnet2_valle.common.compiled import CompileError
from espnet2_valle.common.errors import InputError
from espnet2_valle.generate.ar_decoding import ARDecoder, decode_ar
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.prefill import Utterance
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.valle import decode_steps
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.cache import KVCache
from espnet2_valle.valle.decode_steps import native_step
from espnet2_valle.valle.native import step as native
from espnet2_valle.valle.quantize import convert_linears
from espnet2_valle.valle.transformer import Transformer

needs_library = pytest.mark.skipif(
    decode_steps._library()[0] is None, reason=f"no native code here: {decode_steps._library()[1]}"
)
# Size of the difference from torch in float32, over the output's. bfloat16 keeps 8 bits, int8 7 and a sign.
TOLERANCE = {"float32": 1e-5, "bfloat16": 0.02, "int8": 0.05}
GREEDY = SamplingOptions(temperature=0)


# What to compile for -> what such a machine has: each has a way of its own through the products.
MACHINES = {
    "x86-64-v3": {"avx2", "fma"},
    "x86-64-v4": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512cd"},
    "cooperlake": {"avx512_vnni", "avx512_bf16"},
    "sapphirerapids": {"amx_tile", "amx_bf16", "amx_int8", "avx512_fp16"},
}


@functools.cache
def library_for(machine):
    flags = compiled._processor().split()
    if not MACHINES[machine] <= set(flags):
        pytest.skip(f"this processor is no {machine}")
    try:
        return compiled.load_library(native.SOURCES, machine)
    except CompileError as error:
        pytest.skip(f"this compiler knows no {machine}: {error}")


def transformer(width=32, heads=2, feed_forward=48, layers=2, seed=0):
    torch.manual_seed(seed)
    model = Transformer(layers, width, heads, feed_forward, dropout=0.1).eval()
    with torch.no_grad():
        for parameter in model.parameters():  # biases, scales and shifts that matter
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def native_copy(model, dtype="float32", machine=None):
    model = copy.deepcopy(model)
    convert_linears(model, dtype)
    if machine:
        model.decode_step = native.NativeStep(model, library_for(machine))
    else:
        model.decode_step = native_step(model, "always")
    return model


@torch.no_grad()
def run(model, lengths, steps, seed=1):
    """Prefill rows of these lengths, then take steps together; outputs (batch, steps, width)."""
    generator = torch.Generator().manual_seed(seed)
    parts = []
    for length in lengths:
        part = model.new_cache(1, length)
        model(torch.randn(1, length, model.width, generator=generator), causal=True, cache=part)
        parts.append(part)
    cache = KVCache.stack(parts, steps)
    fed = torch.randn(len(lengths), steps, model.width, generator=generator)
    return torch.cat([model(fed[:, t : t + 1], causal=True, cache=cache) for t in range(steps)], dim=1)


def difference(got, expected):
    return float((got - expected).norm() / expected.norm())


@needs_library
@settings(max_examples=12, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(16, 75),
    st.integers(1, 150),
    st.lists(st.integers(1, 40), min_size=1, max_size=9),
    st.sampled_from(list(TOLERANCE)),
    st.sampled_from([1, 2]),
)
def test_it_is_torchs_step(layers, heads, head_dim, feed_forward, lengths, dtype, threads):
    model = transformer(heads * head_dim, heads, feed_forward, layers)
    expected = run(model, lengths, steps=3)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        got = run(native_copy(model, dtype), lengths, steps=3)
    finally:
        torch.set_num_threads(before)
    assert difference(got, expected) < TOLERANCE[dtype]


@needs_library
@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("machine", list(MACHINES))
def test_each_kind_of_processor_computes_it(machine, dtype):
    """Sizes of which a part fits the matrix unit, in batches of one group of rows and of several."""
    model = transformer(width=64, heads=2, feed_forward=112)
    theirs = native_copy(model, dtype, machine)
    for rows in (1, 2, 8, 19):
        lengths = list(range(1, rows + 1))
        got, expected = run(theirs, lengths, steps=2), run(model, lengths, steps=2)
        assert difference(got, expected) < TOLERANCE[dtype]


@needs_library
@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_it_is_really_used(dtype, monkeypatch):
    model = native_copy(transformer(), dtype)
    for block in model.blocks:
        monkeypatch.setattr(block, "forward", lambda *given: pytest.fail("torch did the step"))
    cache = model.new_cache(2, 3)
    assert cache.dtype == native.KINDS[type(model.blocks[0].expand)]
    with torch.no_grad():
        model(torch.zeros(2, 1, 32), causal=True, cache=cache)
    assert cache.length == 1


@needs_library
@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("machine", list(MACHINES))
@pytest.mark.parametrize(("width", "feed_forward"), [(80, 70), (64, 112)])
def test_a_row_is_the_same_alone_and_in_a_batch(width, feed_forward, machine, dtype):
    """But for the last bits, and whatever the threads: a single row may be summed in four parts."""
    model = native_copy(transformer(width, 2, feed_forward), dtype, machine)
    lengths = [3, 17, 8, 1, 30]
    generator = torch.Generator().manual_seed(2)
    fed = torch.randn(5, 1, width, generator=generator)
    past = [torch.randn(1, length, width, generator=generator) for length in lengths]

    @torch.no_grad()
    def outputs(rows):
        parts = [model.new_cache(1, lengths[row]) for row in rows]
        for row, part in zip(rows, parts):
            model(past[row], causal=True, cache=part)
        return model(fed[rows], causal=True, cache=KVCache.stack(parts, 1))

    together = outputs([0, 1, 2, 3, 4])
    for row in range(5):
        torch.testing.assert_close(together[row], outputs([row])[0], rtol=0, atol=1e-5)


@needs_library
@pytest.mark.parametrize("dtype", ["bfloat16", "int8"])
def test_what_it_stores_torch_reads(dtype):
    """Steps by turns: entries of the cache mean the same to both."""
    model = native_copy(transformer(), dtype)
    step = model.decode_step
    expected = run(model, [5, 9], steps=4)
    turns = iter([True, True, True, False, True, False])  # two prefills, four steps
    model.decode_step = step

    class Turns:
        dtype = step.dtype

        def serves(self, x, cache):
            return next(turns) and step.serves(x, cache)

        def __call__(self, x, cache):
            return step(x, cache)

    model.decode_step = Turns()
    assert difference(run(model, [5, 9], steps=4), expected) < TOLERANCE[dtype]


@needs_library
def test_a_full_cache_is_refused():
    model = native_copy(transformer())
    cache = model.new_cache(1, 1)
    with torch.no_grad():
        model(torch.zeros(1, 1, 32), causal=True, cache=cache)
        with pytest.raises(IndexError, match="holds 1 positions, 2"):
            model(torch.zeros(1, 1, 32), causal=True, cache=cache)


def ar(group_size=1, **sizes):
    torch.manual_seed(3)
    return VALLEAR(
        12, 4, 40, group_size, **{"layers": 2, "width": 64, "heads": 2, "feed_forward": 96} | sizes
    ).eval()


def utterances(count, frames=30):
    generator = torch.Generator().manual_seed(4)
    return [
        Utterance(
            torch.randint(0, 11, (3 + 2 * place,), generator=generator),
            torch.randint(0, 40, (9 - place,), generator=generator),
            Limits(frames - 6 * place, frames - 5 * place),
            torch.Generator().manual_seed(place),
        )
        for place in range(count)
    ]


def said(model, given):
    return [result.codes.tolist() for result in decode_ar(model, given, GREEDY)]


@needs_library
@pytest.mark.parametrize("group_size", [1, 2])
def test_greedy_codes_are_torchs(group_size):
    """Rows of a batch leave it at different steps, and the likeliest codes are the same ones."""
    model = ar(group_size)
    expected = said(model, utterances(4))
    model.transformer.decode_step = native_step(model.transformer, "always")
    assert said(model, utterances(4)) == expected
    assert [said(model, [one])[0] for one in utterances(4)] == expected


@needs_library
@pytest.mark.parametrize("dtype", list(TOLERANCE))
def test_cached_steps_follow_the_uncached_model(dtype):
    model = ar()
    convert_linears(model, dtype)
    text, codes = torch.tensor([[1, 2, 3]]), torch.randint(0, 40, (1, 12, 1))
    with torch.no_grad():
        expected = model.logits(text, torch.tensor([3]), codes, torch.tensor([12]))[0, 4:, 0]
        model.transformer.decode_step = native_step(model.transformer, "always")
        cache = model.new_cache(1, 16)
        logits = [model.prefill(text, codes[:, :4], cache)]
        for position in range(4, 12):
            logits.append(model.step(codes[:, position], torch.tensor([position]), cache))
    assert difference(torch.cat(logits)[:, 0], expected) < TOLERANCE[dtype]


@needs_library
def test_moved_or_converted_weights_are_not_those_that_it_knows():
    model = ar()
    model.transformer.decode_step = native_step(model.transformer, "always")
    assert copy.deepcopy(model).transformer.decode_step is None
    assert model.double().transformer.decode_step is None


@needs_library
def test_new_weights_in_their_place_are_seen():
    """Loading a state, say, after the step was made."""
    model, other = transformer(), transformer(seed=5)
    model.decode_step = native_step(model, "always")
    model.load_state_dict(other.state_dict())
    torch.testing.assert_close(run(model, [4], 2), run(other, [4], 2), rtol=1e-4, atol=1e-4)


@needs_library
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_it_works_in_a_forked_process():
    model = native_copy(transformer())
    expected = run(model, [4, 2], 2)
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)

    def child():
        torch.set_num_threads(1)  # OpenMP's other threads stay behind in the parent
        send.send(run(model, [4, 2], 2).tolist())

    process = context.Process(target=child)
    process.start()
    assert receive.poll(60), "the child hangs"
    torch.testing.assert_close(torch.tensor(receive.recv()), expected)
    process.join()


@pytest.fixture
def no_compiler(monkeypatch):
    def fail(folder):
        raise CompileError("c++: not found")

    monkeypatch.setattr(compiled, "load_library", fail)
    decode_steps._library.cache_clear()
    yield
    decode_steps._library.cache_clear()


def test_without_a_compiler_torch_does_it_and_the_log_says_so_once(no_compiler, caplog):
    model = ar()
    with caplog.at_level(logging.WARNING):
        assert native_step(model.transformer) is None
        assert native_step(model.transformer) is None
    assert [record.getMessage() for record in caplog.records].count(caplog.records[0].getMessage()) == 1
    assert "c++: not found" in caplog.text
    assert len(said(model, utterances(1))[0]) > 0


def test_where_it_is_demanded_the_reason_is_an_error(no_compiler):
    with pytest.raises(InputError, match=r"--native always: c\+\+: not found"):
        native_step(ar().transformer, "always")


def test_an_unknown_mode_is_named():
    with pytest.raises(InputError, match="--native: sometimes"):
        native_step(ar().transformer, "sometimes")


def test_never_is_never():
    assert native_step(ar().transformer, "never") is None


def test_decoders_of_several_models_do_not_meet(monkeypatch):
    """Steps of two batches by turns give what each gives alone."""
    models = [ar(), ar(width=32, feed_forward=40)]
    for model in models:
        model.transformer.decode_step = native_step(model.transformer)
    alone = [said(model, utterances(2)) for model in models]
    decoders = [ARDecoder(model, utterances(2), GREEDY) for model in models]
    while not all(decoder.finished for decoder in decoders):
        for decoder in decoders:
            if not decoder.finished:
                decoder.step()
    assert [[result.codes.tolist() for result in decoder.results.values()] for decoder in decoders] == alone


def test_nothing_is_compiled_for_a_model_that_is_not_on_a_cpu(monkeypatch):
    monkeypatch.setattr(decode_steps, "_library", lambda: pytest.fail("was compiled"))
    transformer = Transformer(1, 16, 2, 32, 0.0).to("meta")
    assert native_step(transformer, "auto") is None
    with pytest.raises(InputError, match="not on a CPU"):
        native_step(transformer, "always")
