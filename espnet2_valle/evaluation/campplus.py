"""CAM++ (Wang et al., 2023, arXiv 2303.00332): a speaker encoder whose layers mask what their context denies.

Modules have the names that they have in 3D-Speaker's published checkpoints, whose weights they take.
"""

from collections import OrderedDict
from pathlib import Path
from typing import cast

import torch
from torch import nn
from torch.nn import functional

from espnet2_valle.common.errors import InputError

MEL_BINS = 80
FRONT_CHANNELS = 32
FRONT_STRIDE = 8  # of the front end, in frequency
FIRST_CHANNELS, FIRST_KERNEL, FIRST_STRIDE = 128, 5, 2  # the stride is in time
GROWTH = 32  # channels that a layer adds
BOTTLENECK = 4 * GROWTH
KERNEL = 3
BLOCKS = ((12, 1), (24, 2), (16, 2))  # layers of each, and their dilation
SEGMENT_FRAMES = 100  # of the context's pooling
CONTEXT_REDUCTION = 2
EMBEDDING_WEIGHT = "xvector.dense.linear.weight"
SOURCE = (
    "Give campplus_cn_en_common.pt of ModelScope's iic/speech_campplus_sv_zh_en_16k-common_advanced, or "
    "another CAM++ of 3D-Speaker at 16 kHz"
)


class CAMPPlus(nn.Module):
    """Network from features to the embedding of a speaker.

    Args:
        dimensions: of an embedding.
    """

    def __init__(self, dimensions: int = 192):
        super().__init__()
        self.head = FrontEnd()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["tdnn"] = FirstLayer(FRONT_CHANNELS * MEL_BINS // FRONT_STRIDE, FIRST_CHANNELS)
        channels = FIRST_CHANNELS
        for number, (count, dilation) in enumerate(BLOCKS, 1):
            layers[f"block{number}"] = DenseBlock(channels, count, dilation)
            channels += count * GROWTH
            layers[f"transit{number}"] = Transition(channels, channels // 2)
            channels //= 2
        layers["out_nonlinear"] = normed_relu(channels)
        layers["stats"] = StatisticsPooling()
        layers["dense"] = Embedding(2 * channels, dimensions)
        self.xvector = nn.Sequential(layers)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Embed recordings of one length.

        Args:
            features: (B, T, MEL_BINS) log mel energies, each bin with a mean of 0 over the recording.

        Returns:
            (B, dimensions), not normalised.
        """
        return cast(torch.Tensor, self.xvector(self.head(features.transpose(1, 2))))


class FrontEnd(nn.Module):
    """Two-dimensional convolutions that make shifts in frequency matter less (the paper's FCM)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, FRONT_CHANNELS, KERNEL, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(FRONT_CHANNELS)
        self.layer1 = nn.Sequential(ResidualBlock(2), ResidualBlock(1))
        self.layer2 = nn.Sequential(ResidualBlock(2), ResidualBlock(1))
        self.conv2 = nn.Conv2d(FRONT_CHANNELS, FRONT_CHANNELS, KERNEL, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(FRONT_CHANNELS)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map (B, MEL_BINS, T) to (B, FRONT_CHANNELS * MEL_BINS / FRONT_STRIDE, T)."""
        maps = functional.relu(self.bn1(self.conv1(features.unsqueeze(1))))
        maps = functional.relu(self.bn2(self.conv2(self.layer2(self.layer1(maps)))))
        return maps.flatten(1, 2)


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut.

    Args:
        stride: in frequency.
    """

    def __init__(self, stride: int):
        super().__init__()
        channels = FRONT_CHANNELS
        self.conv1 = nn.Conv2d(channels, channels, KERNEL, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, KERNEL, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1:
            narrowed = nn.Conv2d(channels, channels, 1, stride=(stride, 1), bias=False)
            self.shortcut = nn.Sequential(narrowed, nn.BatchNorm2d(channels))

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Map (B, FRONT_CHANNELS, F, T) to (B, FRONT_CHANNELS, F / stride, T)."""
        inner = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(maps)))))
        return functional.relu(inner + self.shortcut(maps))


def normed_relu(channels: int) -> nn.Sequential:
    """Batch normalisation and ReLU."""
    return nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(channels), relu=nn.ReLU()))


class FirstLayer(nn.Module):
    """Convolution over time that halves the frame rate."""

    def __init__(self, channels: int, out_channels: int):
        super().__init__()
        self.linear = nn.Conv1d(
            channels, out_channels, FIRST_KERNEL, stride=FIRST_STRIDE, padding=FIRST_KERNEL // 2, bias=False
        )
        self.nonlinear = normed_relu(out_channels)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Map (B, channels, T) to (B, out_channels, T / FIRST_STRIDE)."""
        return cast(torch.Tensor, self.nonlinear(self.linear(frames)))


class DenseBlock(nn.ModuleDict):
    """Densely connected layers: each adds GROWTH channels to those that it is given.

    Args:
        channels: of the input.
        count: layers.
        dilation: of their convolutions.
    """

    def __init__(self, channels: int, count: int, dilation: int):
        super().__init__({f"tdnnd{n + 1}": DenseLayer(channels + n * GROWTH, dilation) for n in range(count)})

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Map (B, channels, T) to (B, channels + count * GROWTH, T)."""
        for layer in self.values():
            frames = torch.cat([frames, layer(frames)], dim=1)
        return frames


class DenseLayer(nn.Module):
    """Bottleneck and masked convolution.

    Args:
        channels: of the input.
        dilation: of the convolution.
    """

    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.nonlinear1 = normed_relu(channels)
        self.linear1 = nn.Conv1d(channels, BOTTLENECK, 1, bias=False)
        self.nonlinear2 = normed_relu(BOTTLENECK)
        self.cam_layer = MaskedConvolution(dilation)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Map (B, channels, T) to (B, GROWTH, T)."""
        return cast(torch.Tensor, self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(frames)))))


class MaskedConvolution(nn.Module):
    """Convolution over time times a mask that is made of the means over recording and segment (eq. 1 to 5).

    Args:
        dilation: of the convolution.
    """

    def __init__(self, dilation: int):
        super().__init__()
        self.linear_local = nn.Conv1d(
            BOTTLENECK, GROWTH, KERNEL, padding=KERNEL // 2 * dilation, dilation=dilation, bias=False
        )
        self.linear1 = nn.Conv1d(BOTTLENECK, BOTTLENECK // CONTEXT_REDUCTION, 1)
        self.linear2 = nn.Conv1d(BOTTLENECK // CONTEXT_REDUCTION, GROWTH, 1)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Map (B, BOTTLENECK, T) to (B, GROWTH, T)."""
        context = frames.mean(dim=-1, keepdim=True) + segment_means(frames)
        mask = torch.sigmoid(self.linear2(functional.relu(self.linear1(context))))
        return cast(torch.Tensor, self.linear_local(frames) * mask)


def segment_means(frames: torch.Tensor) -> torch.Tensor:
    """The mean of each frame's segment, for every frame: (..., T) to (..., T)."""
    length = frames.shape[-1]
    means = functional.avg_pool1d(frames, SEGMENT_FRAMES, SEGMENT_FRAMES, ceil_mode=True)
    return means.repeat_interleave(SEGMENT_FRAMES, dim=-1)[..., :length]


class Transition(nn.Module):
    """Layer between blocks, which halves the channels."""

    def __init__(self, channels: int, out_channels: int):
        super().__init__()
        self.nonlinear = normed_relu(channels)
        self.linear = nn.Conv1d(channels, out_channels, 1, bias=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Map (B, channels, T) to (B, out_channels, T)."""
        return cast(torch.Tensor, self.linear(self.nonlinear(frames)))


class StatisticsPooling(nn.Module):
    """Mean and standard deviation over time."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Map (B, channels, T) to (B, 2 * channels)."""
        return torch.cat([frames.mean(dim=-1), frames.std(dim=-1)], dim=-1)


class Embedding(nn.Module):
    """Linear layer to the embedding."""

    def __init__(self, channels: int, dimensions: int):
        super().__init__()
        self.linear = nn.Conv1d(channels, dimensions, 1, bias=False)
        self.nonlinear = nn.Sequential(OrderedDict(batchnorm=nn.BatchNorm1d(dimensions, affine=False)))

    def forward(self, statistics: torch.Tensor) -> torch.Tensor:
        """Map (B, channels) to (B, dimensions)."""
        return cast(torch.Tensor, self.nonlinear(self.linear(statistics.unsqueeze(-1)).squeeze(-1)))


def load_campplus(path: str | Path) -> CAMPPlus:
    """Open a published checkpoint.

    Args:
        path: file of weights; the embedding's dimensions are read off them.

    Raises:
        InputError: no such file, or not the weights of this network.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(path, "no such file of CAM++'s weights", SOURCE)
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
        model = CAMPPlus(len(weights[EMBEDDING_WEIGHT]))
        model.load_state_dict(weights)
    except Exception as error:  # torch raises many kinds for a bad file
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise InputError(path, f"not the weights of CAM++ ({reason})", SOURCE) from error
    return model.eval()
