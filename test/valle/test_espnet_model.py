import pytest
import torch

from espnet2_valle.valle.ar import VALLEAR
from espnet2_valle.valle.embeddings import neighbourhoods
from espnet2_valle.valle.espnet_model import ESPnetVALLEModel
from espnet2_valle.valle.nar import VALLENAR


@pytest.mark.parametrize("kind", [VALLEAR, VALLENAR])
@pytest.mark.parametrize("bf16", [False, True])
def test_loss_is_finite_and_reaches_every_parameter(sizes, batch, kind, bf16):
    torch.manual_seed(0)
    model = ESPnetVALLEModel(kind(**sizes), bf16=bf16)
    loss, stats, weight = model(**batch)
    loss.backward()
    assert torch.isfinite(loss)
    assert 0 <= stats["acc"] <= stats["acc10"] <= 1
    assert weight > 0
    unused = [name for name, value in model.named_parameters() if value.grad is None]
    assert not unused  # an unused parameter would hang data-parallel training


@pytest.mark.parametrize("group_size", [1, 2])
def test_overfit_ar_repeats_its_training_codes(sizes, group_size):
    """Four utterances, learnt by heart: greedy decoding gives back every code, and stops in time."""
    from espnet2_valle.generate.ar_decoding import decode_ar
    from espnet2_valle.generate.options import SamplingOptions
    from espnet2_valle.generate.outcome import Outcome
    from espnet2_valle.generate.prefill import Utterance
    from espnet2_valle.generate.stopping import Limits

    torch.manual_seed(0)
    codes = torch.randint(0, 16, (4, 12, 4))
    batch = {
        "text": torch.randint(0, 11, (4, 6)),
        "text_lengths": torch.tensor([6, 5, 4, 6]),
        "codes": codes,
        "codes_lengths": torch.tensor([12, 10, 8, 12]),
    }
    valle = VALLEAR(**sizes, group_size=group_size)
    model = ESPnetVALLEModel(valle)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
    for _ in range(150):
        loss, stats, _ = model(**batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert stats["acc"] == 1
    valle.eval()
    for row in range(4):
        text = batch["text"][row, : batch["text_lengths"][row]]
        length = batch["codes_lengths"][row]
        prompt = codes[row, :2, 0]
        utterance = Utterance(text, prompt, Limits(0, 30), torch.Generator())
        result = decode_ar(valle, [utterance], SamplingOptions(temperature=0))[0]
        assert result.outcome is Outcome.OK
        assert torch.equal(result.codes, codes[row, 2:length, 0])


def test_overfit_nar_repeats_its_training_codes(sizes):
    torch.manual_seed(0)
    codes = torch.randint(0, 16, (4, 12, 4))
    text = torch.randint(0, 11, (4, 6))
    lengths = {"text_lengths": torch.full((4,), 6), "codes_lengths": torch.full((4,), 12)}
    valle = VALLENAR(**sizes, prompt_mode="prefix", max_prompt_frames=4)
    optimizer = torch.optim.AdamW(valle.parameters(), lr=0.005)
    # Without it the last steps are as large as the first, and now and then undo a code.
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=400)
    model = ESPnetVALLEModel(valle)
    for _ in range(800):
        loss, _, _ = model(text=text, codes=codes, **lengths)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        decay.step()
    valle.eval()
    assert torch.equal(torch.stack(valle.generate(text, codes[:, :4], codes[:, 4:, 0])), codes[:, 4:])


def test_stats_count_top_ten(sizes, batch):
    model = ESPnetVALLEModel(VALLEAR(**sizes)).eval()
    loss, stats, weight = model(**batch)
    logits, targets, _, _ = model.valle(**batch)
    ranks = (logits > logits.gather(1, targets[:, None])).sum(1)
    assert stats["acc"].item() == pytest.approx((ranks == 0).float().mean().item())
    assert stats["acc10"].item() == pytest.approx((ranks < 10).float().mean().item())
    assert weight.item() == len(targets)


def test_smoothed_targets_are_for_training_and_for_the_level_that_is_predicted(sizes, batch):
    torch.manual_seed(0)
    model = ESPnetVALLEModel(VALLENAR(**sizes))
    codebooks, classes = sizes["num_codebooks"], sizes["codebook_size"]
    codewords = [torch.randn(classes, 1 + codebook) for codebook in range(codebooks)]
    shares = neighbourhoods(codewords, 0.6)
    plain = model.eval()(**batch)[0]
    model.smooth_targets(shares)
    assert torch.equal(model(**batch)[0], plain)
    model.train()
    torch.manual_seed(1)
    smoothed = model(**batch)[0]
    torch.manual_seed(1)
    predicted = model.valle(**batch)
    assert set(predicted.codebooks.tolist()) <= set(range(1, codebooks))
    rows = zip(predicted.logits.log_softmax(1), predicted.targets, predicted.codebooks, strict=True)
    expected = [-(shares[codebook, target] * row).sum() for row, target, codebook in rows]
    torch.testing.assert_close(smoothed.squeeze(), torch.stack(expected).mean())
    assert "neighbourhoods" not in model.state_dict()


def test_a_target_shares_most_with_itself_and_with_what_is_near():
    points = torch.tensor([[0.0], [1.0], [2.0], [5.0]])
    shares = neighbourhoods([points], 0.6)[0]
    torch.testing.assert_close(shares.sum(1), torch.ones(4))
    torch.testing.assert_close(shares.diagonal(), torch.full((4,), 0.6), atol=1e-3, rtol=0)
    assert shares.argmax(1).tolist() == [0, 1, 2, 3]
    assert shares[0].tolist() == sorted(shares[0].tolist(), reverse=True)


def test_codes_that_stand_for_the_same_share_their_target():
    points = torch.tensor([[0.0], [0.0], [2.0], [5.0], [5.5]])
    shares = neighbourhoods([points], 0.8)[0]
    torch.testing.assert_close(shares.sum(1), torch.ones(5))
    torch.testing.assert_close(shares[0], torch.tensor([0.5, 0.5, 0.0, 0.0, 0.0]), atol=1e-4, rtol=0)
    torch.testing.assert_close(shares.diagonal()[2:], torch.full((3,), 0.8), atol=1e-3, rtol=0)
    assert shares[3, 4] > shares[3, 2] > shares[3, 0]
