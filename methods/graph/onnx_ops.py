"""The table of ONNX translations: ATen operator -> the function that writes it."""

from __future__ import annotations

from methods.graph import onnx_layers as layers
from methods.graph import onnx_values as values
from methods.graph.onnx_values import Translator

TRANSLATORS: dict[str, Translator] = (
    dict.fromkeys(("conv1d", "conv2d", "conv3d"), layers.conv)
    | dict.fromkeys(("conv_transpose1d", "conv_transpose2d"), layers.conv_transpose)
    | dict.fromkeys(("matmul", "bmm", "mm"), values.matmul)
    | dict.fromkeys(("max_pool1d", "max_pool2d", "avg_pool1d", "avg_pool2d"), layers.pool)
    | dict.fromkeys(("adaptive_avg_pool1d", "adaptive_avg_pool2d"), layers.adaptive_pool)
    | dict.fromkeys(("dropout", "clone", "contiguous", "alias", "detach", "to"), values.passed)
    | dict.fromkeys(("view", "reshape", "flatten", "unsqueeze", "squeeze", "unflatten"), values.reshape)
    | dict.fromkeys(("permute", "transpose", "t"), values.transpose)
    | dict.fromkeys(("split", "split_with_sizes", "chunk"), values.split)
    | dict.fromkeys(("constant_pad_nd", "pad"), values.pad)
    | dict.fromkeys(("zeros", "full"), values.full)
    | {
        "linear": layers.linear,
        "scaled_dot_product_attention": layers.attention,
        "batch_norm": layers.batch_norm,
        "layer_norm": layers.layer_norm,
        "group_norm": layers.group_norm,
        "instance_norm": layers.instance_norm,
        "upsample_nearest2d": values.upsample,
        "relu": values.plain("Relu"),
        "sigmoid": values.plain("Sigmoid"),
        "tanh": values.plain("Tanh"),
        "exp": values.plain("Exp"),
        "log": values.plain("Log"),
        "sqrt": values.plain("Sqrt"),
        "neg": values.plain("Neg"),
        "abs": values.plain("Abs"),
        "erf": values.plain("Erf"),
        "hardswish": values.plain("HardSwish"),
        "hardsigmoid": values.plain("HardSigmoid", alpha=1 / 6, beta=0.5),
        "softplus": values.plain("Softplus"),
        "elu": values.plain("Elu"),
        "leaky_relu": lambda e, n: e.emit(
            "LeakyRelu", [e.value(n.args[0])], name=n.name, alpha=float(layers.arg(n, 1, "negative_slope", 0.01))
        ),
        "relu6": values.clip(0.0, 6.0),
        "hardtanh": values.clip(-1.0, 1.0),
        "clamp": values.clip(None, None),
        "silu": values.silu,
        "gelu": values.gelu,
        "rsqrt": values.rsqrt,
        "pow": values.binary("Pow"),
        "add": values.binary("Add"),
        "sub": values.binary("Sub"),
        "mul": values.binary("Mul"),
        "div": values.binary("Div"),
        "maximum": values.binary("Max"),
        "minimum": values.binary("Min"),
        "expand": values.expand,
        "cat": values.concat,
        "stack": values.stack,
        "unbind": values.unbind,
        "slice": values.cut,
        "select": values.select,
        "repeat": values.repeat,
        "mean": values.reduce("ReduceMean"),
        "sum": values.reduce("ReduceSum"),
        "amax": values.reduce("ReduceMax"),
        "softmax": values.softmax("Softmax"),
        "log_softmax": values.softmax("LogSoftmax"),
        "embedding": values.gather,
        "index_select": values.index_select,
        "fake_quantize_per_tensor_affine": layers.quantize,
        "getitem": lambda e, n: e.names[n.args[0]][n.args[1]],
    }
)
"""ATen operator name -> the function that writes it."""
