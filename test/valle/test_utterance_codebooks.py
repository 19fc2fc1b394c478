"""A NAR model whose codec codes the utterance as a whole in some codebooks."""

import pytest
import torch

from espnet2_valle.valle.chunks import Chunks
from espnet2_valle.valle.nar import VALLENAR

OWN = 2


@pytest.fixture
def model(sizes):
    torch.manual_seed(0)
    return VALLENAR(**sizes, utterance_codebooks=OWN).eval()


def rows(batch):
    texts = [text[:length] for text, length in zip(batch["text"], batch["text_lengths"], strict=True)]
    return (
        texts,
        [batch["codes"][0, :5], batch["codes"][1, :3], batch["codes"][2, :4]],
        list(batch["codes"][..., 0]),
    )


def test_synthesis_takes_them_from_the_prompt(model, batch):
    texts, prompts, firsts = rows(batch)
    for codes, prompt, first in zip(model.generate(texts, prompts, firsts), prompts, firsts, strict=True):
        assert torch.equal(codes[:, 0], first)
        assert torch.equal(codes[:, 1 : 1 + OWN], prompt[0, 1 : 1 + OWN].expand(len(first), -1))


def test_what_follows_depends_on_them(model, batch):
    texts, prompts, firsts = rows(batch)
    other = prompts[0].clone()
    other[0, 1] = (other[0, 1] + 1) % 16  # in the first frame alone, which decides for the target
    targets = [model.generate(texts[:1], [prompt], firsts[:1])[0] for prompt in (prompts[0], other)]
    assert (targets[0][:, 1] != targets[1][:, 1]).all()
    stage = torch.tensor([1 + OWN])
    given = (texts[0][None], torch.tensor([7]), prompts[0][None], torch.tensor([5]))
    logits = [model.logits(*given, target[None], torch.tensor([13]), stage) for target in targets]
    assert not torch.allclose(*logits)


def test_what_is_generated_is_what_training_predicts(model, batch):
    texts, prompts, firsts = rows(batch)
    target = model.generate(texts[:1], prompts[:1], firsts[:1])[0]
    for stage in range(1 + OWN, 4):
        given = (texts[0][None], torch.tensor([7]), prompts[0][None], torch.tensor([5]))
        logits = model.logits(*given, target[None], torch.tensor([13]), torch.tensor([stage]))
        assert torch.equal(logits[0].argmax(-1), target[:, stage])


def test_chunk_by_chunk_equals_one_pass(model, batch):
    texts, prompts, firsts = rows(batch)
    chunks = Chunks(4, 4)
    whole = model.generate(texts[:1], prompts[:1], firsts[:1], chunks)[0]
    context = model.prefill(texts[0], prompts[0])
    parts = [model.extend(firsts[0][start:end], context) for start, end in chunks.bounds(len(firsts[0]))]
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("training", [True, False])
def test_they_are_never_what_is_to_be_predicted(model, training):
    model.train(training)
    torch.manual_seed(0)
    codes = torch.randint(0, 16, (60, 12, 4))
    given = (torch.randint(0, 11, (60, 3)), torch.full((60,), 3), codes, torch.full((60,), 12))
    assert set(model(*given).codebooks.tolist()) == {3}
    assert set(
        VALLENAR(12, 4, 16, layers=1, width=32, heads=4, feed_forward=64)(*given).codebooks.tolist()
    ) == {1, 2, 3}


def test_a_codec_that_leaves_nothing_to_predict(sizes):
    with pytest.raises(ValueError, match="two codebooks beside"):
        VALLENAR(**sizes, utterance_codebooks=3)
