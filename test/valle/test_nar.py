import pytest
import torch

from espnet2_valle.common.conf import CONF, read_config
from espnet2_valle.valle import nar
from espnet2_valle.valle.chunks import Chunks
from espnet2_valle.valle.embeddings import sinusoids
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.valle.transformer import AdaptiveLayerNorm
from espnet2_valle.valle.utterance_hash import content_numbers


def build(sizes, **options):
    torch.manual_seed(0)
    return VALLENAR(**sizes, **options).eval()


def inputs(batch, stage):
    return {
        "text": batch["text"],
        "text_lengths": batch["text_lengths"],
        "prompt": batch["codes"][:, :5],
        "prompt_lengths": torch.tensor([5, 3, 4]),
        "target": batch["codes"],
        "target_lengths": batch["codes_lengths"],
        "stage": torch.full((3,), stage),
    }


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_no_level_sees_itself_or_a_higher_one(sizes, batch, stage):
    model = build(sizes)
    given = inputs(batch, stage)
    logits = model.logits(**given)
    above = given["target"].clone()
    above[..., stage:] = (above[..., stage:] + 1) % 16
    torch.testing.assert_close(model.logits(**{**given, "target": above}), logits)
    below = given["target"].clone()
    below[..., stage - 1] = (below[..., stage - 1] + 1) % 16
    assert not torch.allclose(model.logits(**{**given, "target": below}), logits)


def test_prompt_counts_with_all_its_codebooks(sizes, batch):
    model = build(sizes)
    given = inputs(batch, 1)
    prompt = given["prompt"].clone()
    prompt[..., -1] = (prompt[..., -1] + 1) % 16
    assert not torch.allclose(model.logits(**{**given, "prompt": prompt}), model.logits(**given))


@pytest.mark.parametrize("stage", [1, 3])
def test_batch_equals_single_and_padding_changes_nothing(sizes, batch, stage):
    model = build(sizes)
    given = inputs(batch, stage)
    together = model.logits(**given)
    for row in range(3):
        one = {name: value[row : row + 1] for name, value in given.items()}
        for name in ("text", "prompt", "target"):
            one[name] = one[name][:, : one[f"{name}_lengths"][0]]
        alone = model.logits(**one)[0]
        torch.testing.assert_close(alone, together[row, : len(alone)], atol=1e-5, rtol=1e-4)


def test_adaptive_norm_starts_as_the_identity():
    x, stage = torch.randn(3, 5, 8), torch.tensor([0, 2, 1])
    norm = AdaptiveLayerNorm(8, num_stages=3)
    torch.testing.assert_close(norm(x, stage), torch.nn.functional.layer_norm(x, (8,)))
    torch.testing.assert_close(norm(x, 2), norm(x, stage))


def test_adaptive_norm_learns_each_stage_apart():
    x = torch.randn(2, 5, 8)
    norm = AdaptiveLayerNorm(8, num_stages=3)
    norm(x, torch.tensor([1, 1])).sum().backward()
    assert norm.shift.grad[1].abs().sum() > 0
    assert norm.shift.grad[[0, 2]].abs().sum() == 0


@pytest.mark.parametrize("mode", ["random", "prefix"])
def test_targets_are_one_level_of_the_target_part(sizes, batch, monkeypatch, mode):
    model = build(sizes, prompt_mode=mode, max_prompt_frames=4)
    monkeypatch.setattr(nar, "content_numbers", lambda *_: torch.tensor([0, 7, 5]))
    logits, targets, codebooks, _ = model(**batch)
    stages = codebooks.unique_consecutive().tolist()
    assert stages == [1, 2, 3]
    expected = []
    for row, length in enumerate(batch["codes_lengths"].tolist()):
        stage = stages[row]
        prompt = int(min(length // 2, 4) * 0.75) if mode == "prefix" else 0
        expected += batch["codes"][row, prompt:length, stage].tolist()
    assert targets.tolist() == expected
    assert logits.shape == (len(expected), 16)


def test_training_draws_every_stage(sizes):
    model = build(sizes).train()
    torch.manual_seed(0)
    assert set(model._draw_stages(torch.full((200,), 9)).tolist()) == {1, 2, 3}


@pytest.mark.parametrize("codebooks", [4, 8])
def test_validation_meets_every_stage_in_batches_of_any_size(sizes, codebooks):
    model = build({**sizes, "num_codebooks": codebooks})
    torch.manual_seed(0)
    met = [
        int(model._draw_stages(length, content_numbers(codes, length)))
        for codes, length in zip(
            torch.randint(0, 1024, (700, 1, 30, codebooks)), torch.randint(10, 31, (700, 1))
        )
    ]
    counts = torch.tensor(met).bincount()[1:]
    assert len(counts) == codebooks - 1
    assert counts.min() > 0.7 * counts.float().mean()


@pytest.mark.parametrize("options", [{}, {"prompt_mode": "prefix", "chunk_frames": 3}])
def test_an_utterance_has_one_validation_loss_whatever_its_batch(sizes, batch, options):
    model = ESPnetVALLEModel(build(sizes, **options)).eval()

    def loss(rows):
        value, _, weight = model(**{name: batch[name][rows] for name in batch})
        return value.item(), weight.item()

    alone = [loss([row]) for row in range(3)]
    assert [loss([row]) for row in range(3)] == alone
    for rows in ([2, 0], [1, 2], [0, 1, 2], [2, 1, 0]):
        total = sum(alone[row][0] * alone[row][1] for row in rows) / sum(alone[row][1] for row in rows)
        assert loss(rows)[0] == pytest.approx(total, abs=1e-5)


def test_padding_does_not_change_the_number_of_an_utterance(batch):
    codes, lengths = batch["codes"], batch["codes_lengths"]
    numbers = content_numbers(codes, lengths)
    assert len(set(numbers.tolist())) == 3
    padded = torch.cat([codes, codes + 3], dim=1)
    assert torch.equal(content_numbers(padded, lengths), numbers)
    assert torch.equal(content_numbers(codes.to(torch.int16), lengths), numbers)
    changed = codes.clone()
    changed[0, 0, 3] += 1
    assert content_numbers(changed, lengths)[0] != numbers[0]


def test_random_prompts_stay_inside_the_utterance(sizes):
    model = build(sizes, max_prompt_frames=6).train()
    lengths = torch.arange(2, 60)
    for _ in range(20):
        start, length = model._draw_prompts(lengths)
        assert (start >= 0).all()
        assert (start + length <= lengths).all()
        assert (length <= 6).all()


@pytest.mark.parametrize("restarted", [False, True])
def test_positions_of_the_target_go_on_behind_the_prompt_or_begin_anew(sizes, batch, restarted):
    model = build(sizes, restart_positions=restarted)
    given, seen = inputs(batch, 1), []
    model.transformer.register_forward_pre_hook(
        lambda module, args, kwargs: seen.append(args[0]), with_kwargs=True
    )
    model.logits(**given)
    embedded = model.codes.sum(given["target"], given["stage"])
    for row in range(3):
        text, prompt, length = (int(given[f"{name}_lengths"][row]) for name in ("text", "prompt", "target"))
        start = text + 1 + prompt
        first = 0 if restarted else prompt
        torch.testing.assert_close(
            seen[0][row, start : start + length] - embedded[row, :length],
            sinusoids(torch.arange(first, first + length), 32),
            atol=1e-5,
            rtol=0,
        )


@pytest.mark.parametrize("restarted", [False, True])
def test_generate_fills_codebooks_greedily(sizes, batch, restarted):
    model = build(sizes, restart_positions=restarted)
    text, prompt = batch["text"][:1], batch["codes"][:1, :5]
    first = batch["codes"][:1, 5:, 0]
    codes = torch.stack(model.generate(text, prompt, first))
    assert torch.equal(codes[..., 0], first)
    sizes_of = [torch.tensor([part.shape[1]]) for part in (text, prompt, codes)]
    for stage in (1, 2, 3):
        logits = model.logits(
            text, sizes_of[0], prompt, sizes_of[1], codes, sizes_of[2], torch.tensor([stage])
        )
        assert torch.equal(logits.argmax(-1), codes[..., stage])


@pytest.mark.parametrize("chunks", [None, Chunks(2, 3)])
def test_rows_of_unlike_lengths_are_generated_as_each_alone(sizes, chunks):
    """In float64, where sums in another order decide nothing."""
    model = build(sizes).double()
    lengths = [(3, 4, 9), (7, 2, 5), (1, 6, 1), (4, 1, 12)]
    texts, prompts, firsts = (
        [torch.randint(0, 11, (row[0],)) for row in lengths],
        [torch.randint(0, 16, (row[1], 4)) for row in lengths],
        [torch.randint(0, 16, (row[2],)) for row in lengths],
    )
    together = model.generate(texts, prompts, firsts, chunks)
    for place, codes in enumerate(together):
        alone = [rows[place : place + 1] for rows in (texts, prompts, firsts)]
        assert torch.equal(codes, model.generate(*alone, chunks)[0])
        assert torch.equal(codes[:, 0], firsts[place])
    assert len({len(codes) for codes in together}) == 4


def test_bad_options(sizes):
    with pytest.raises(ValueError, match="prompt_mode"):
        VALLENAR(**sizes, prompt_mode="sufix")
    with pytest.raises(ValueError, match="two codebooks"):
        VALLENAR(**{**sizes, "num_codebooks": 1})


def test_the_code_nearest_to_the_mean_of_the_codewords(sizes):
    torch.manual_seed(0)
    model = VALLENAR(**sizes).eval()
    words = [torch.arange(16.0)[:, None].numpy()] * sizes["num_codebooks"]
    logits = torch.full((1, 1, 16), -99.0)
    logits[0, 0, [2, 5, 9]] = torch.tensor([0.4, 0.3, 0.3]).log()
    assert model._choose(logits, 1).item() == 2
    model.take_means(words)
    assert model._choose(logits, 1).item() == 5  # 0.8 + 1.5 + 2.7
    logits[0, 0, 9] = -99.0
    assert model._choose(logits, 1).item() == 3  # (0.8 + 1.5) / 0.7


LAYOUT = ("prompt_mode", "max_prompt_frames", "restart_positions")
SHIPPED = sorted([*CONF.glob("train_nar_*.yaml"), *CONF.glob("tuning/train_nar_*.yaml")])


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_is_shipped_is_decoded_in_the_layout_of_its_training(sizes, batch, monkeypatch, path):
    """Text, prompt and target in one order and at the same positions, whatever the prompt is cut from."""
    monkeypatch.setattr(nar, "content_numbers", lambda *_: torch.tensor([0]))  # of the first stage
    options = read_config(path)["valle_conf"]
    model, asked, read = build(sizes, **{key: options[key] for key in LAYOUT if key in options}), [], []
    logits = model.logits
    monkeypatch.setattr(model, "logits", lambda *given: asked.append(given) or logits(*given))
    model.transformer.register_forward_pre_hook(lambda _, given: read.append(given[0].clone()))
    length = int(batch["codes_lengths"][0])
    model(batch["text"][:1], batch["text_lengths"][:1], batch["codes"][:1, :length], torch.tensor([length]))
    ((text, _, prompt, prompt_length, target, target_length, *_),) = asked
    prompt, target = prompt[:, : int(prompt_length)], target[:, : int(target_length)]
    whole = prompt.shape[1] + target.shape[1] == length
    assert whole == (options["prompt_mode"] == "prefix")
    model.generate(text, prompt, target[..., 0])
    torch.testing.assert_close(read[1], read[0][:, : read[1].shape[1]])
