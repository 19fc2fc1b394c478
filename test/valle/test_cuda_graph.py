"""Steps in shapes that do not change are torch's; what a GPU records is run as it is here."""

import contextlib
import copy
import gc
import logging
import threading

import pytest
import torch

from espnet2_valle.generate.ar_decoding import ARDecoder, decode_ar
from espnet2_valle.generate.options import SamplingOptions
from espnet2_valle.generate.prefill import Utterance
from espnet2_valle.generate.stopping import Limits
from espnet2_valle.valle import cuda_graph
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.cuda_graph import GraphedStep, capture
from espnet2_valle.valle.decode_steps import graphed_step
from espnet2_valle.valle.quantize import convert_linears
from espnet2_valle.valle.transformer import Transformer

OPTIONS = SamplingOptions(top_p=0.9)


def model(dtype="float32", group_size=1):
    torch.manual_seed(3)
    made = VALLEAR(12, 4, 40, group_size, layers=2, width=64, heads=2, feed_forward=96).eval()
    convert_linears(made, dtype)
    return made


def utterances(count=3):
    """Of different lengths, so that they leave a batch one by one."""
    generator = torch.Generator().manual_seed(4)
    return [
        Utterance(
            torch.randint(0, 11, (3 + 2 * place,), generator=generator),
            torch.randint(0, 40, (9 - place,), generator=generator),
            Limits(25 - 6 * place, 25 - 5 * place),
            torch.Generator().manual_seed(place),
        )
        for place in range(count)
    ]


def results(decoded):
    return [(one.codes.tolist(), one.log_probability) for one in decoded]


def said(made):
    return results(decode_ar(made, utterances(), OPTIONS))


def in_turn(decoders):
    """Steps of several streams by turns."""
    while not all(decoder.finished for decoder in decoders):
        for decoder in decoders:
            if not decoder.finished:
                decoder.step()
    return [results(list(decoder.results.values()))[0] for decoder in decoders]


def close(got, expected):
    assert [codes for codes, _ in got] == [codes for codes, _ in expected]
    assert [one for _, one in got] == pytest.approx([one for _, one in expected], rel=1e-5)


@pytest.fixture
def recordings(monkeypatch):
    """Counts them; spans are short, so that several are needed."""
    monkeypatch.setattr(cuda_graph, "SPAN", 8)
    monkeypatch.setattr(cuda_graph, "CAPACITY", 48)
    made = []

    def record(compute, device):
        made.append(device)
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
    assert recordings[0] == [torch.device("cpu")] * 3  # 6 to 23 positions, 8 in a span


@pytest.mark.parametrize("group_size", [1, 2])
def test_utterances_are_torchs_and_a_second_batch_records_nothing(group_size, recordings):
    made = model(group_size=group_size)
    expected = said(made)
    made.transformer.decode_step = GraphedStep(made.transformer, recordings[1])
    close(said(made), expected)
    first = len(recordings[0])
    spans, sizes = 48 // 8, 3  # 4, 2 and 1 rows
    assert first <= spans + sizes
    close(said(made), expected)
    assert len(recordings[0]) == first


def test_streams_in_turn_are_each_alone_and_later_ones_record_nothing(recordings):
    made = model()
    alone = [results(decode_ar(made, [one], OPTIONS))[0] for one in utterances()]
    made.transformer.decode_step = GraphedStep(made.transformer, recordings[1])
    close(in_turn([ARDecoder(made, [one], OPTIONS) for one in utterances()]), alone)
    first = len(recordings[0])
    assert first <= 3 * 48 // 8
    for _ in range(2):
        close(in_turn([ARDecoder(made, [one], OPTIONS) for one in utterances()]), alone)
    assert len(recordings[0]) == first


def test_threads_do_not_meet(recordings):
    made = model()
    alone = [results(decode_ar(made, [one], OPTIONS))[0] for one in utterances()]
    made.transformer.decode_step = GraphedStep(made.transformer, recordings[1])
    got = {}

    def run(place):
        got[place] = results(decode_ar(made, [utterances()[place]], OPTIONS))[0]

    threads = [threading.Thread(target=run, args=(place,)) for place in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    close([got[place] for place in range(3)], alone)


def test_a_longer_request_takes_the_place_of_free_buffers(recordings):
    made = model()
    step = made.transformer.decode_step = GraphedStep(made.transformer, recordings[1])
    sizes = []
    for length in (20, 60, 30):
        with torch.no_grad():
            cache = made.new_cache(1, length)
            made.prefill(torch.tensor([[1, 2]]), torch.zeros(1, 1, 1, dtype=torch.long), cache)
            made.step(torch.tensor([[3]]), torch.tensor([1]), cache)
            del cache
        gc.collect()
        sizes.append([lane.buffer.shape[4] for lane in step._lanes])
    assert sizes == [[48], [96], [96]]


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

    def fails(compute, device):
        raise RuntimeError("operation not permitted when stream is capturing")

    made.transformer.decode_step = GraphedStep(made.transformer, fails)
    close(said(made), expected)
    close(said(made), expected)
    assert caplog.text.count("not permitted") == 1


def test_a_replay_that_does_nothing_is_noticed(caplog):
    """As of an empty graph: what was computed while it was recorded lies there for ever."""
    made = model()
    expected = said(made)

    def stale(compute, device):
        result = compute()
        return lambda: result

    made.transformer.decode_step = GraphedStep(made.transformer, stale)
    close(said(made), expected)
    assert caplog.text.count("a replay differs from torch's step") == 1


def test_what_is_recorded_is_of_the_tensors_device(monkeypatch):
    """Whichever GPU is torch's current one."""
    current, asked = [0], []

    @contextlib.contextmanager
    def device(given):
        before, current[0] = current[0], given.index
        yield
        current[0] = before

    class Stream:
        def __init__(self, given=None):
            self.index = current[0] if given is None else given.index

        def wait_stream(self, other):
            asked.append(("wait", self.index, other.index))

    @contextlib.contextmanager
    def on(stream):
        before, current[0] = current[0], stream.index
        yield
        current[0] = before

    @contextlib.contextmanager
    def graph(made, pool=None, stream=None, capture_error_mode="global"):
        with on(stream):
            made.recorded = current[0]
            yield

    class CUDAGraph:
        def replay(self):
            asked.append(("replay", current[0], self.recorded))

    fakes = {"device": device, "Stream": Stream, "stream": on, "graph": graph, "CUDAGraph": CUDAGraph}
    for name, fake in {**fakes, "current_stream": Stream}.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    computed = []
    replay = capture(lambda: computed.append(current[0]) or torch.zeros(1), torch.device("cuda:1"))
    replay()
    assert computed == [1, 1]
    assert asked == [("wait", 1, 1), ("wait", 1, 1), ("replay", 1, 1)]
    assert current == [0]


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


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_cache_on_an_accelerator_has_the_type_of_the_weights(dtype):
    transformer = Transformer(1, 64, 2, 96, 0.0)
    convert_linears(transformer, dtype)
    assert transformer.new_cache(1, 4).dtype == torch.float32
    assert transformer.to("meta").new_cache(1, 4).dtype == getattr(torch, dtype)
