"""Networks of well-known sizes with random weights: ResNet-50, ViT-B/16 and BERT-base."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


def _conv(into: int, out: int, kernel: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(into, out, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(out))


class _Bottleneck(nn.Module):
    def __init__(self, into: int, width: int, stride: int) -> None:
        super().__init__()
        self.narrow, self.middle = _conv(into, width, 1), _conv(width, width, 3, stride)
        self.widen, self.act = _conv(width, 4 * width, 1), nn.ReLU()
        self.skip = _conv(into, 4 * width, 1, stride) if stride > 1 or into != 4 * width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.widen(self.act(self.middle(self.act(self.narrow(x)))))
        return self.act(y + self.skip(x))  # type: ignore[no-any-return]


def resnet_50() -> nn.Module:
    """25.6 M parameters, 4.1 G multiply-accumulates at 224 x 224."""
    layers: list[nn.Module] = [_conv(3, 64, 7, 2), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    into = 64
    for width, count, stride in ((64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)):
        for place in range(count):
            layers.append(_Bottleneck(into, width, stride if place == 0 else 1))
            into = 4 * width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(into, 1000))


class _VisionTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 768, 16, 16)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 768)), nn.Parameter(torch.randn(1, 197, 768))
        self.layers = nn.ModuleList(_encoder_layer() for _ in range(12))
        self.norm, self.head = nn.LayerNorm(768), nn.Linear(768, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.places
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x)[:, 0])  # type: ignore[no-any-return]


def _encoder_layer() -> nn.Module:
    return nn.TransformerEncoderLayer(768, 12, 3072, dropout=0.0, activation="gelu", batch_first=True)


class _Bert(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(30522, 768), nn.Embedding(512, 768)
        self.norm, self.layers = nn.LayerNorm(768), nn.ModuleList(_encoder_layer() for _ in range(12))
        self.head = nn.Linear(768, 2)
        self.register_buffer("numbers", torch.arange(128)[None])

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.words(x) + self.places(self.numbers))
        for layer in self.layers:
            x = layer(x)
        return self.head(x[:, 0])  # type: ignore[no-any-return]


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Callable[[], Tensor]]] = {
    "ResNet-50": (resnet_50, lambda: torch.randn(1, 3, 224, 224)),
    "ViT-B/16": (_VisionTransformer, lambda: torch.randn(1, 3, 224, 224)),
    "BERT-base": (_Bert, lambda: torch.randint(0, 30522, (1, 128))),
}
"""Name -> how to make the network, and one input."""
