"""Every network of the zoo by name, with its family, its architecture and one example of its inputs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from tests.zoo import (
    attention,
    branches,
    cnn,
    dense_outputs,
    generative,
    graphs,
    joined,
    language,
    llama,
    mobile,
    modern,
    recurrent,
    seven,
)

Example = Callable[[], tuple[Tensor, ...]]


@dataclass(frozen=True)
class Entry:
    """How to make a network, and its example inputs: one tensor per input, the first axis the batch (1)."""

    family: str
    architecture: str
    make: Callable[[], nn.Module]
    inputs: Example


def floats(*shapes: tuple[int, ...]) -> Example:
    """Normal inputs of these shapes, which lack the batch axis."""
    return lambda: tuple(torch.randn(1, *shape) for shape in shapes)


def tokens(values: int, length: int) -> Tensor:
    """Random tokens `[1, length]`, the largest of them among them."""
    result = torch.randint(0, values, (1, length))
    result[0, -1] = values - 1
    return result


def mask(length: int, kept: int) -> Tensor:
    """A mask `[1, length]` that keeps the first tokens."""
    return (torch.arange(length) < kept).long()[None]


IMAGE = floats((3, 16, 16))
SMALL = floats((1, 8, 8))

ZOO: dict[str, Entry] = {
    "plain": Entry("CNN", "hard-coded view", seven.Plain, floats((1, 12, 12))),
    "residual": Entry("CNN", "residual, gated", seven.Residual, SMALL),
    "depthwise": Entry("CNN", "inverted residual", seven.Depthwise, SMALL),
    "dense": Entry("CNN", "concatenation and split", seven.Dense, SMALL),
    "shuffle": Entry("CNN", "channel shuffle", seven.Shuffle, SMALL),
    "transformer": Entry("language", "nn.TransformerEncoderLayer", seven.Transformer, lambda: (tokens(50, 7),)),
    "recurrent": Entry("recurrent", "LSTM, both directions", seven.Recurrent, floats((5, 6))),
    "vgg": Entry("CNN", "VGG", cnn.Vgg, IMAGE),
    "resnet_basic": Entry("CNN", "ResNet, basic blocks", cnn.resnet_basic, IMAGE),
    "resnet_bottleneck": Entry("CNN", "ResNet, bottlenecks", cnn.resnet_bottleneck, IMAGE),
    "resnet_preact": Entry("CNN", "ResNet, pre-activation", cnn.Wide, IMAGE),
    "resnext": Entry("CNN", "ResNeXt", cnn.resnext, IMAGE),
    "regnet": Entry("CNN", "RegNet", cnn.regnet, IMAGE),
    "mobilenet_v1": Entry("mobile", "MobileNet v1", mobile.mobilenet_v1, IMAGE),
    "mobilenet_v2": Entry("mobile", "MobileNet v2", mobile.mobilenet_v2, IMAGE),
    "mobilenet_v3": Entry("mobile", "MobileNet v3", mobile.mobilenet_v3, IMAGE),
    "efficientnet": Entry("mobile", "EfficientNet", mobile.efficientnet, IMAGE),
    "shufflenet_v1": Entry("mobile", "ShuffleNet v1", mobile.shufflenet_v1, IMAGE),
    "shufflenet_v2": Entry("mobile", "ShuffleNet v2", mobile.shufflenet_v2, IMAGE),
    "vit_fused": Entry("attention", "ViT, fused qkv", attention.vit_fused, IMAGE),
    "vit_multihead": Entry("attention", "ViT, nn.MultiheadAttention", attention.vit_multihead, IMAGE),
    "swin": Entry("attention", "Swin", attention.Swin, IMAGE),
    "bert": Entry("language", "BERT", language.Bert, lambda: (tokens(40, 8), mask(8, 6), tokens(2, 8))),
    "distilbert": Entry("language", "DistilBERT", language.DistilBert, lambda: (tokens(40, 8), mask(8, 5))),
    "gpt": Entry("language", "GPT, tied embeddings", language.Gpt, lambda: (tokens(40, 8),)),
    "googlenet": Entry("CNN", "GoogLeNet", branches.GoogLeNet, IMAGE),
    "inception": Entry("CNN", "Inception v3", branches.Factored, IMAGE),
    "densenet": Entry("CNN", "DenseNet", branches.DenseNet, IMAGE),
    "squeezenet": Entry("CNN", "SqueezeNet", branches.squeezenet, IMAGE),
    "convnext": Entry("CNN", "ConvNeXt", modern.ConvNext, IMAGE),
    "mlp_mixer": Entry("attention", "MLP-Mixer", modern.Mixer, IMAGE),
    "llama": Entry("language", "LLaMA (rotary, RMSNorm, SwiGLU)", llama.Llama, lambda: (tokens(40, 8),)),
    "grouped_queries": Entry("language", "grouped-query attention", llama.GroupedQueries, lambda: (tokens(30, 6),)),
    "unet_transposed": Entry("dense", "U-Net, transposed", dense_outputs.unet_transposed, IMAGE),
    "unet_bilinear": Entry("dense", "U-Net, bilinear", dense_outputs.unet_bilinear, IMAGE),
    "pyramid": Entry("dense", "feature pyramid", dense_outputs.Pyramid, IMAGE),
    "segmenter": Entry("dense", "dilated segmenter", dense_outputs.Segmenter, IMAGE),
    "autoencoder": Entry("dense", "autoencoder", dense_outputs.Autoencoder, floats((1, 16, 16))),
    "super_resolution": Entry(
        "dense", "super-resolution, pixel shuffle", dense_outputs.SuperResolution, floats((3, 8, 8))
    ),
    "lstm": Entry("recurrent", "LSTM", recurrent.lstm, floats((6, 5))),
    "lstm_deep": Entry("recurrent", "LSTM, two layers, both directions", recurrent.lstm_deep, floats((6, 5))),
    "gru": Entry("recurrent", "GRU", recurrent.gru, floats((6, 5))),
    "gru_deep": Entry("recurrent", "GRU, two layers, both directions", recurrent.gru_deep, floats((6, 5))),
    "tagger": Entry("recurrent", "LSTM tagger, final state", recurrent.Tagger, lambda: (tokens(30, 6),)),
    "crnn": Entry("recurrent", "CRNN", recurrent.Crnn, floats((1, 8, 16))),
    "temporal": Entry("recurrent", "temporal CNN", recurrent.Temporal, floats((4, 16))),
    "temporal_normalised": Entry(
        "recurrent", "temporal CNN, weight norm", recurrent.temporal_normalised, floats((4, 16))
    ),
    "wavenet": Entry("recurrent", "WaveNet", recurrent.Gated, floats((2, 16))),
    "translator": Entry("language", "encoder-decoder", language.Translator, lambda: (tokens(30, 7), tokens(25, 6))),
    "hybrid": Entry("attention", "MobileViT", modern.Hybrid, IMAGE),
    "gates": Entry("CNN", "CBAM", modern.Gates, IMAGE),
    "video": Entry("CNN", "3-D convolutions", cnn.Video, floats((3, 4, 8, 8))),
    "generator": Entry("generative", "GAN generator", generative.Generator, floats((8,))),
    "critic": Entry("generative", "GAN critic", generative.Critic, IMAGE),
    "variational": Entry("generative", "variational autoencoder", generative.Variational, floats((1, 6, 6))),
    "group_norm": Entry("norms", "group normalisation", generative.GroupNorms, IMAGE),
    "instance_norm": Entry("norms", "instance normalisation", generative.Stylist, IMAGE),
    "graph_convolutions": Entry("graphs", "graph convolutions", graphs.GraphConvolutions, floats((7, 6), (7, 7))),
    "graph_attention": Entry("graphs", "graph attention", graphs.GraphAttention, floats((7, 6), (7, 7))),
    "mlp": Entry("form", "MLP", joined.mlp, floats((10,))),
    "siamese": Entry("form", "siamese", joined.Siamese, floats((1, 8, 8), (1, 8, 8))),
    "two_inputs": Entry("form", "several inputs", joined.TwoInputs, floats((3, 16, 16), (6,))),
    "two_outputs": Entry("form", "several outputs", joined.TwoOutputs, IMAGE),
    "named_outputs": Entry("form", "outputs in a dictionary", joined.NamedOutputs, floats((8,))),
    "used_twice": Entry("form", "modules used twice", joined.UsedTwice, IMAGE),
    "buffers": Entry("form", "buffers", joined.Buffered, IMAGE),
    "in_place": Entry("form", "in-place operators", joined.InPlace, IMAGE),
    "hard_views": Entry("form", "hard-coded views", joined.HardViews, IMAGE),
    "slopes": Entry("form", "PReLU and GLU", joined.Slopes, IMAGE),
}
"""Name -> network."""

SEVEN = ("plain", "residual", "depthwise", "dense", "shuffle", "transformer", "recurrent")
EXAMPLES = {name: (ZOO[name].make, lambda name=name: ZOO[name].inputs()[0]) for name in SEVEN}
"""The smallest ones, one for each way in which channels can be tied: name -> how to make it and its one input."""

EXPORTABLE = [name for name in EXAMPLES if name != "recurrent"]


def network(name: str, seed: int = 0) -> tuple[nn.Module, Any]:
    """A network with seeded weights, scales and statistics, and its example: a tensor, or a tuple of several."""
    torch.manual_seed(seed)
    model = ZOO[name].make()
    randomise_all(model)
    inputs = ZOO[name].inputs()
    return model, inputs if len(inputs) > 1 else inputs[0]


def randomise_all(model: nn.Module) -> None:
    """Gives constant parameters and the running statistics of normalisations values of their own."""
    with torch.no_grad():
        for parameter in model.parameters():
            randomise(parameter)
        for buffer_name, buffer in model.named_buffers():
            if buffer_name.endswith("running_mean"):
                buffer.normal_(std=0.3)
            elif buffer_name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0)


def randomise(parameter: Tensor) -> None:
    """Gives every entry of a parameter that starts as one constant a value of its own: scales, biases, gates."""
    first = parameter.flatten()[0]
    if bool((parameter == first).all()):
        noise = torch.empty_like(parameter)
        parameter.copy_(noise.normal_(std=0.3) if first == 0 else first * noise.uniform_(0.5, 1.5))
