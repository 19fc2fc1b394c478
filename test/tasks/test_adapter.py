"""Fine-tuning with low-rank adapters: what moves, what stays, and what a trained model computes."""

import importlib.util

import pytest
import torch
from espnet2.layers.create_adapter import create_adapter
from training_samples import CONF, SPLITS, TINY, curve, options, same, weights

from espnet2_valle.common.errors import InputError
from espnet2_valle.tasks import adapter
from espnet2_valle.tasks.valle import VALLETask

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("loralib") is None, reason="loralib is not installed"
)
STEPS = [
    "--num_iters_per_epoch=10",
    "--max_epoch=3",
    "--batch_bins=200",
    "--num_workers=0",
    "--peak_tflops=1",
]


@pytest.fixture
def base(archive):
    """Weights of a model that was trained before."""
    VALLETask.main(cmd=options(archive, "ar", f"--output_dir={archive}/base"))
    return archive / "base" / "1epoch.pth"


def finetune(archive, base, *more):
    data = [f"--{split}_data_path_and_name_and_type={archive}/index,index,valle_index" for split in SPLITS]
    shape = [f"--valle_conf={item}" for item in [*TINY, "group_size=2"]]
    mini = ["position_rate=0.46", "own_rate_weight=0.75", "dropout=0.0"]  # of conf/train_ar_mini.yaml
    VALLETask.main(
        cmd=[
            *(f"--config={CONF}/finetune_lora.yaml", f"--init_param={base}", "--valle=ar"),
            *(f"--token_list={archive}/tokens.txt", f"--codec_config={archive}/codec.yaml"),
            *(f"--output_dir={archive}/tuned", *STEPS, *data, *shape, *[f"--valle_conf={x}" for x in mini]),
            *more,
        ]
    )
    return archive / "tuned"


def test_adapters_learn_and_the_base_stays_as_it_is(archive, base):
    tuned = finetune(archive, base, "--ema_decay=0.5")
    assert curve(tuned)[-2] < curve(tuned)[2]  # loss of validation
    before, after = weights(base), weights(tuned / "3epoch.pth")
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    added = after.keys() - before.keys()
    assert len(added) == 2 * 4  # of one layer
    assert all(after[name].any() for name in added)


def test_a_folded_model_computes_what_the_adapters_add(archive, base):
    tuned = finetune(archive, base)
    plain, args = VALLETask.build_model_from_file(model_file=tuned / "3epoch.pth")
    assert plain.state_dict().keys() == weights(base).keys()
    assert not same(plain.state_dict(), weights(base))
    adapted = VALLETask.build_model(args)
    create_adapter(adapted, args.adapter, args.adapter_conf)
    adapter.keep_apart(adapted)
    adapted.load_state_dict(weights(tuned / "3epoch.pth"))
    adapted.eval()
    generator = torch.Generator().manual_seed(0)
    batch = {
        "text": torch.randint(2, 4, (2, 5), generator=generator),
        "text_lengths": torch.tensor([5, 3]),
        "codes": torch.randint(0, 16, (2, 8, 4), generator=generator),
        "codes_lengths": torch.tensor([8, 6]),
    }
    with torch.no_grad():
        folded, unfolded = (model.valle(**batch)[0] for model in (plain, adapted))
    torch.testing.assert_close(folded, unfolded, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        model, _ = VALLETask.build_model_from_file(model_file=base)
        assert not torch.allclose(folded, model.valle(**batch)[0], atol=1e-3)


def test_a_killed_finetuning_goes_on_as_if_it_had_not_been(archive, base):
    whole = weights(finetune(archive, base) / "3epoch.pth")
    for path in (archive / "tuned").iterdir():
        path.rename(archive / path.name) if path.is_dir() else path.unlink()
    finetune(archive, base, "--max_epoch=2")
    again = weights(finetune(archive, base, "--resume=true") / "3epoch.pth")
    assert same(again, whole, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--adapter=houlsby", "does not fit these models"),
        ("--save_strategy=adapter_only", "leaves out the weights"),
    ],
)
def test_adapters_that_cannot_be_used_are_named(archive, base, option, message):
    with pytest.raises(InputError, match=message):
        finetune(archive, base, option)


def test_a_missing_loralib_is_named(archive, base, monkeypatch):
    monkeypatch.setattr(adapter, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="espnet2_valle\\[finetune\\]"):
        finetune(archive, base)
