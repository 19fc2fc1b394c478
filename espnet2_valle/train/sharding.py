"""Models that no single device holds: weights, gradients and optimiser states in shards, one a rank (FSDP).

Each block of the Transformer is gathered while it is used. Checkpoints hold whole tensors, so that they are
those of a training without shards: averaging and decoding read them, and either kind of training goes on
from the other's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from espnet2.train.abs_espnet_model import AbsESPnetModel
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from espnet2_valle.valle.espnet_model import ESPnetVALLEModel


def shard(model: ESPnetVALLEModel, device: str) -> None:
    """Keep one rank's shard of each weight, on `device` ("cpu" or "cuda"); every rank has to call this.

    The whole model, the same one on all ranks, has to be in host memory until then.
    """
    mesh = init_device_mesh(device, (torch.distributed.get_world_size(),))
    # As under autocast: products in bfloat16; sums over ranks and the residual path in float32.
    dtype = model.compute_dtype if model.compute_dtype != torch.float32 else None
    policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False)
    # The root is resharded like the blocks: whoever changes weights between steps changes those in use.
    for module in (*model.valle.transformer.blocks, model):
        fully_shard(module, mesh=mesh, reshard_after_forward=True, mp_policy=policy)
        module.set_force_sum_reduction_for_comms(device == "cpu")  # gloo does not average
    model.register_load_state_dict_pre_hook(_share_state)


def _share_state(model: torch.nn.Module, state: dict[str, Any], *_: Any) -> None:
    """Let `load_state_dict` take whole tensors."""
    for name, own in model.state_dict().items():
        if name in state:
            state[name] = share(state[name], own)


def share(whole: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """This rank's share of a whole tensor, cut like `like`; the tensor itself where nothing is to be cut."""
    if not isinstance(like, DTensor) or isinstance(whole, DTensor) or whole.shape != like.shape:
        return whole  # a step count of the optimiser is no part of a weight either
    return distribute_tensor(whole.to(like.device), like.device_mesh, like.placements)


def share_optimizer_state(state: dict[str, Any], optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """A whole optimiser state as `optimizer.load_state_dict` takes it."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    shares = {
        number: {name: share(value, parameters[number]) for name, value in entry.items()}
        for number, entry in state["state"].items()
    }
    return {**state, "state": shares}


def gather(state: Any, keep: bool) -> Any:
    """`state`, of dicts and lists, with whole tensors on the CPU for shards; all ranks have to call it.

    Args:
        state: as of `state_dict`.
        keep: False on ranks that only take part: their result has None instead.
    """
    if isinstance(state, DTensor):
        whole = state.full_tensor()
        return whole.cpu() if keep else None
    if isinstance(state, dict):
        return {name: gather(value, keep) for name, value in state.items()}
    if isinstance(state, list):
        return [gather(value, keep) for value in state]
    return state


@contextmanager
def exchanging(model: torch.nn.Module, wanted: bool) -> Iterator[None]:
    """Within, backward passes exchange gradients between ranks, or keep them for one that does."""
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(wanted)
    elif isinstance(model, torch.nn.parallel.DistributedDataParallel) and not wanted:
        with model.no_sync():
            yield
        return
    yield


class ShardedModel(AbsESPnetModel):
    """A sharded model as ESPnet's trainer sees it.

    ESPnet saves on one rank alone, which cannot gather shards; so all gather behind each validation, and it
    is given what was gathered then. It wraps models for data-parallel training, which shards must not be:
    the model is kept out of reach, and one idle parameter stands for it.

    Args:
        model: sharded.
        optimizer: of its parameters.
        keep: whether this rank is the one that saves.
    """

    def __init__(self, model: ESPnetVALLEModel, optimizer: torch.optim.Optimizer, keep: bool):
        super().__init__()
        self.idle = torch.nn.Parameter(torch.zeros((), device=next(model.parameters()).device))
        self.hidden = (model,)  # a tuple's modules are no submodules
        self.optimizer = optimizer
        self.keep = keep
        self.gathered: dict[str, Any] = {}

    @property
    def model(self) -> ESPnetVALLEModel:
        return self.hidden[0]

    def forward(self, **batch: Any) -> Any:
        """See `ESPnetVALLEModel.forward`."""
        return self.model(**batch)

    def collect_feats(self, **batch: Any) -> dict[str, torch.Tensor]:
        """See `ESPnetVALLEModel.collect_feats`."""
        return self.model.collect_feats(**batch)

    def train(self, mode: bool = True) -> "ShardedModel":
        """Switch the model too."""
        self.model.train(mode)
        return super().train(mode)

    def gather(self) -> None:
        """Make the present weights those of `state_dict`; all ranks have to call this."""
        self.gathered = gather(self.model.state_dict(), self.keep)

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """The weights of the last `gather`."""
        return self.gathered

    def load_state_dict(self, state_dict: Any, *args: Any, **kwargs: Any) -> Any:
        """Take up whole weights."""
        return self.model.load_state_dict(state_dict, *args, **kwargs)


class IdleOptimizer(torch.optim.SGD):
    """A sharded model's optimiser as ESPnet's trainer sees it, saved in `step.pth` alone."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Leave what it has as it is."""
