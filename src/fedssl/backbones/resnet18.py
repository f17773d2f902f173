"""ResNet-18 with a linear 128-d head (fssuavl section 3.4; He et al. 2016).

Layer names and initial distributions are those of torchvision. Unlike torchvision's, the width is
a setting, so that a scaled-down study trains a narrower version of the same network.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Le, MultipleOf
from torch import Tensor, nn

from fedssl.backbones.encoder import Encoder
from fedssl.settings import Width


@dataclass(frozen=True)
class Settings:
    """Settings of ResNet-18; at width 64 with its head it has 11,242,176 parameters."""

    width: Annotated[int, Ge(8), Le(1024), MultipleOf(8)] = 64
    """Channels of the first stage. Stated by name: ResNet-18."""

    stem: Literal["7x7", "3x3"] = "7x7"
    """First layers: a 7x7 convolution with stride 2 and max-pooling (`7x7`), or a 3x3 convolution
    without pooling, whose maps have the size of the image (`3x3`). Decided: 7x7, as the authors'
    code for large images; `3x3` is its stem, and that of Orchestra's and FedEMA's code, for
    CIFAR-10."""

    embedding_dim: Width = 128
    """Width of the head's output. Stated."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, in_planes: int, planes: int, *, stride: int) -> None:
        """Create the layers; the shortcut is a 1x1 convolution if the shape changes."""
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_planes != planes:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_planes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
            )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (batch, planes, h / stride, w / stride) for (batch, in_planes, h, w)."""
        shortcut = inputs if self.downsample is None else self.downsample(inputs)
        hidden = self.relu(self.bn1(self.conv1(inputs)))
        outputs: Tensor = self.relu(self.bn2(self.conv2(hidden)) + shortcut)
        return outputs


class ResNet18(nn.Module):
    """The layers of ResNet-18 up to and including global average pooling."""

    def __init__(self, width: int, *, stem: Literal["7x7", "3x3"]) -> None:
        """Create four stages of two blocks; `width` is the number of channels of the first."""
        super().__init__()
        # With the 7x7 stem, 128-pixel inputs give a final map of 4x4, as 32-pixel inputs do with
        # the 3x3 stem. Three channels serve both modalities, because a spectrogram is repeated on
        # all three.
        side, stride = (7, 2) if stem == "7x7" else (3, 1)
        self.conv1 = nn.Conv2d(3, width, side, stride=stride, padding=side // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1) if stem == "7x7" else nn.Identity()
        self.layer1 = _stage(width, width, stride=1)
        self.layer2 = _stage(width, 2 * width, stride=2)
        self.layer3 = _stage(2 * width, 4 * width, stride=2)
        self.layer4 = _stage(4 * width, 8 * width, stride=2)
        for module in self.modules():
            # As in torchvision. torch's default for convolutions differs (uniform, fan in).
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the pooled features, (batch, 8 * width)."""
        hidden = self.maxpool(self.relu(self.bn1(self.conv1(inputs))))
        hidden = self.layer4(self.layer3(self.layer2(self.layer1(hidden))))
        features: Tensor = hidden.mean(dim=(2, 3))
        return features


def build(settings: Settings) -> Encoder:
    """Return a ResNet-18 encoder; with the paper's settings it has 11,242,176 parameters."""
    # paper: "12M" parameters (table 5); here: 11.2M, which the paper seems to have rounded up.
    # There is no projection MLP: in the authors' code this linear layer is the projection head.
    num_features = 8 * settings.width
    # In this order, in which they draw their first weights.
    backbone = ResNet18(settings.width, stem=settings.stem)
    head = nn.Linear(num_features, settings.embedding_dim)
    return Encoder(backbone, head, num_features=num_features)


def _stage(in_planes: int, planes: int, *, stride: int) -> nn.Sequential:
    return nn.Sequential(
        BasicBlock(in_planes, planes, stride=stride), BasicBlock(planes, planes, stride=1)
    )
