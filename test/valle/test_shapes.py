"""Training pads batches to shared shapes; that must change neither loss nor gradients."""

import pytest
import torch

from espnet2_valle.valle import abs_valle
from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.nar import VALLENAR
from espnet2_valle.valle.rows import round_up


@pytest.mark.parametrize(("length", "step", "rounded"), [(0, 16, 0), (1, 16, 16), (16, 16, 16), (17, 1, 17)])
def test_round_up(length, step, rounded):
    assert round_up(length, step) == rounded


@pytest.mark.parametrize("kind", ["ar", "nar-prefix", "nar-random"])
def test_shared_shapes_change_neither_loss_nor_gradient(sizes, batch, monkeypatch, kind):
    def train(step):
        monkeypatch.setattr(abs_valle, "SHAPE_STEP", step)
        torch.manual_seed(0)
        if kind == "ar":
            model = VALLEAR(**sizes, group_size=2)
        else:
            model = VALLENAR(**sizes, prompt_mode=kind.split("-")[1], max_prompt_frames=4)
        assert model.shape_step == step
        logits, targets, _, _ = model(**batch)
        torch.nn.functional.cross_entropy(logits, targets).backward()
        return logits.detach(), targets, model.codes.weight.grad

    for exact, padded in zip(train(1), train(16)):
        torch.testing.assert_close(padded, exact)
