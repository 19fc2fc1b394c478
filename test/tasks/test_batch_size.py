"""`--batch_bins auto`: as many positions as a card's memory holds."""

import pytest
import torch
import yaml
from training_samples import options

from espnet2_valle.common.errors import InputError
from espnet2_valle.tasks import batch_size
from espnet2_valle.tasks.batch_size import choose_batch_bins
from espnet2_valle.tasks.valle import VALLETask
from espnet2_valle.train.memory import MARGIN, Setting, memory_of

GIB = 2**30


@pytest.fixture
def training(archive):
    """Arguments of a training and its model, as they are when the optimiser is built."""

    def make(*more):
        command = [word for word in options(archive, "ar") if not word.startswith("--batch_bins")]
        args = VALLETask.get_parser().parse_args([*command, "--batch_bins=auto", *more])
        return args, VALLETask.build_model(args)

    return make


@pytest.fixture
def card(monkeypatch):
    """A card with so much memory."""

    def insert(free, reserved=0):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (free, 80 * GIB))
        monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: reserved)

    return insert


def test_a_batch_fills_the_card(training, card):
    args, model = training()
    args.ngpu = 1
    card(70 * GIB, GIB)
    said = memory_of(model, Setting(product=model.compute_dtype.itemsize))
    bins = choose_batch_bins(args, model)
    assert bins == said.positions(71 * GIB)
    taken = said.states + said.weights + bins * (said.activations + said.logits)
    assert taken == pytest.approx(MARGIN * 71 * GIB, rel=1e-3)
    card(30 * GIB)
    assert choose_batch_bins(args, model) < bins / 2


def test_all_ranks_take_what_the_fullest_card_holds(training, card, monkeypatch):
    args, model = training()
    args.ngpu = 2
    card(10 * GIB)
    alone = choose_batch_bins(args, model)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)

    def gather(found, own):
        found[:] = [own, own // 3]

    monkeypatch.setattr(torch.distributed, "all_gather_object", gather)
    assert choose_batch_bins(args, model) == pytest.approx(2 * alone / 3, rel=0.01)


def test_a_training_goes_on_with_what_it_began_with(training, card):
    args, model = training("--resume=true")
    args.ngpu = 1
    card(10 * GIB)
    folder = batch_size.Path(args.output_dir)
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump({"batch_bins": 1234}))
    assert choose_batch_bins(args, model) == 1234
    args.resume = False
    assert choose_batch_bins(args, model) != 1234


def test_without_a_card_or_room_on_it_a_number_is_asked_for(training, card):
    args, model = training()
    with pytest.raises(InputError, match="--batch_bins auto: there is no GPU .* Give a number"):
        VALLETask.build_optimizers(args, model)
    args.ngpu = 1
    card(1000)
    with pytest.raises(InputError, match="no room for this model"):
        choose_batch_bins(args, model)


def test_a_number_is_a_number(archive):
    args = VALLETask.get_parser().parse_args(options(archive, "ar"))
    assert args.batch_bins == 200
    with pytest.raises(SystemExit):
        VALLETask.get_parser().parse_args([*options(archive, "ar"), "--batch_bins=many"])
