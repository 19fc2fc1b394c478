"""A running average of a model's weights."""

from typing import Any

import torch

from espnet2_valle.train.sharding import share

WARM_UP = 10  # the average of n updates forgets no faster than 1 / (n + WARM_UP)


class WeightAverage:
    """Exponential moving average of parameters, which can change places with them.

    Args:
        model: its parameters are averaged, starting from what they are now.
        decay: share of the average that an update keeps; less during the first updates, which would
            otherwise hardly leave the initial weights.
    """

    def __init__(self, model: torch.nn.Module, decay: float):
        self.parameters = list(model.parameters())
        self.average = [parameter.detach().clone() for parameter in self.parameters]
        self.decay = decay
        self.updates = 0
        self.swapped = False

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the parameters."""
        self.updates += 1
        decay = min(self.decay, self.updates / (self.updates + WARM_UP))
        torch._foreach_lerp_(self.average, [p.data for p in self.parameters], 1 - decay)

    @torch.no_grad()
    def swap(self, averaged: bool) -> None:
        """Let the model hold the average, or what is trained again; values move, tensors stay."""
        if self.swapped == averaged:
            return
        for parameter, average in zip(self.parameters, self.average):
            trained = parameter.detach().clone()
            parameter.copy_(average)
            average.copy_(trained)
        self.swapped = averaged

    def state_dict(self) -> dict[str, Any]:
        """State to save, while the model holds what is trained."""
        return {"average": self.average, "updates": self.updates}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a saved average."""
        for average, saved in zip(self.average, state["average"], strict=True):
            average.copy_(share(saved, average))
        self.updates = state["updates"]
