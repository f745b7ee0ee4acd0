"""The table of ONNX operators: what reads each one, and what to do instead of those that can't be read."""

from __future__ import annotations

import difflib

from methods.graph.onnx_in import (
    ops_activation,
    ops_join,
    ops_layers,
    ops_lookup,
    ops_math,
    ops_norm,
    ops_pool,
    ops_quantise,
    ops_recurrent,
    ops_reduce,
    ops_resize,
    ops_shape,
    ops_sizes,
)
from methods.graph.onnx_in.ops_math import Translator

OPERATORS: dict[str, Translator] = (
    dict.fromkeys(ops_math.UNARY, ops_math.unary)
    | dict.fromkeys(ops_math.COMPARISONS, ops_math.compare)
    | dict.fromkeys(ops_math.LOGIC, ops_math.logic)
    | dict.fromkeys(ops_reduce.PLAIN, ops_reduce.reduce)
    | dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum"), ops_reduce.of_parts)
    | dict.fromkeys(("LSTM", "GRU", "RNN"), ops_recurrent.recurrent)
    | dict.fromkeys(("Softmax", "LogSoftmax"), ops_activation.softmax)
    | dict.fromkeys(("ArgMax", "ArgMin"), ops_reduce.arg_extreme)
    | dict.fromkeys(("Resize", "Upsample"), ops_resize.resize)
    | dict.fromkeys(("RMSNormalization", "SimplifiedLayerNormalization"), ops_norm.rms_norm)
    | dict.fromkeys(("Cast", "CastLike"), ops_math.cast)
    | {
        "Add": ops_join.add,
        "Sub": ops_math.arithmetic("sub"),
        "Mul": ops_join.mul,
        "Div": ops_math.div,
        "Pow": ops_math.power,
        "Mod": ops_math.modulo,
        "Sum": ops_math.several(ops_math.total),
        "Mean": ops_math.mean,
        "Max": ops_math.several(ops_math.extreme("maximum")),
        "Min": ops_math.several(ops_math.extreme("minimum")),
        "Where": ops_math.where,
        "Clip": ops_math.clip,
        "CumSum": ops_math.cumulate,
        "Trilu": ops_math.triangle,
        "LeakyRelu": ops_activation.leaky_relu,
        "Elu": ops_activation.elu,
        "Selu": ops_activation.selu,
        "Celu": ops_activation.celu,
        "Gelu": ops_activation.gelu,
        "QuickGelu": ops_activation.quick_gelu,
        "Swish": ops_activation.swish,
        "HardSigmoid": ops_activation.hard_sigmoid,
        "Softsign": ops_activation.softsign,
        "ThresholdedRelu": ops_activation.thresholded_relu,
        "Shrink": ops_activation.shrink,
        "PRelu": ops_activation.prelu,
        "Dropout": ops_activation.dropout,
        "OneHot": ops_activation.one_hot,
        "Conv": ops_layers.conv,
        "ConvTranspose": ops_layers.conv_transpose,
        "Gemm": ops_layers.gemm,
        "MatMul": ops_layers.matmul,
        "Einsum": ops_layers.einsum,
        "Attention": ops_layers.attention,
        "BatchNormalization": ops_norm.batch_norm,
        "LayerNormalization": ops_norm.layer_norm,
        "InstanceNormalization": ops_norm.instance_norm,
        "GroupNormalization": ops_norm.group_norm,
        "LpNormalization": ops_norm.lp_normalize,
        "MeanVarianceNormalization": ops_norm.mean_variance,
        "MaxPool": ops_pool.max_pool,
        "AveragePool": ops_pool.average_pool,
        "LpPool": ops_pool.lp_pool,
        "GlobalAveragePool": ops_pool.global_average,
        "GlobalMaxPool": ops_pool.global_max,
        "GlobalLpPool": ops_pool.global_lp,
        "ReduceProd": ops_reduce.product,
        "Constant": ops_sizes.known,
        "ConstantOfShape": ops_sizes.filled,
        "Range": ops_sizes.counted,
        "Shape": ops_sizes.shape,
        "Size": ops_sizes.count,
        "Identity": ops_shape.passed,
        "Reshape": ops_shape.reshape,
        "Flatten": ops_shape.flatten,
        "Transpose": ops_shape.transpose,
        "Squeeze": ops_shape.squeeze,
        "Unsqueeze": ops_shape.unsqueeze,
        "Concat": ops_shape.concat,
        "Split": ops_shape.split,
        "Slice": ops_shape.cut,
        "Expand": ops_shape.expand,
        "Tile": ops_shape.tile,
        "DepthToSpace": ops_shape.depth_to_space,
        "SpaceToDepth": ops_shape.space_to_depth,
        "Gather": ops_lookup.gather,
        "GatherElements": ops_lookup.gather_elements,
        "GatherND": ops_lookup.gather_nd,
        "Pad": ops_lookup.pad,
        "QuantizeLinear": ops_quantise.quantize,
        "DequantizeLinear": ops_quantise.dequantize,
    }
)
"""ONNX operator -> the function that reads it."""

MICROSOFT = {"Gelu", "QuickGelu", "SimplifiedLayerNormalization", "QuantizeLinear", "DequantizeLinear"}
"""Operators of com.microsoft that mean what the plain ones do."""

_INTEGER = "export the quantised model with QuantizeLinear / DequantizeLinear pairs (QDQ format)"
_CONTROL = "export it without control flow: torch.where instead of a branch, a loop of fixed length unrolled"
_CHANCE = "export the model in evaluation mode (model.eval()), without random numbers"
_SHAPES = "its result's shape depends on values; use Where or GatherElements with fixed indices"

REMEDIES = (
    dict.fromkeys(("MatMulInteger", "ConvInteger", "QLinearConv", "QLinearMatMul", "DynamicQuantizeLinear"), _INTEGER)
    | dict.fromkeys(("If", "Loop", "Scan", "SequenceMap"), _CONTROL)
    | dict.fromkeys(("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"), _CHANCE)
    | dict.fromkeys(("Multinomial", "Bernoulli"), _CHANCE)
    | dict.fromkeys(("NonZero", "Compress", "Unique", "NonMaxSuppression"), _SHAPES)
    | dict.fromkeys(("ScatterND", "ScatterElements", "Scatter"), "write it with Where, Concat or Pad")
    | dict.fromkeys(("TopK", "RoiAlign", "MaxUnpool"), "cut the model before it: onnx.utils.extract_model")
)
"""ONNX operator -> what to do instead."""


def remedy(operator: str, domain: str = "") -> str:
    """The nearest alternative to an operator that can't be read."""
    if domain not in ("", "ai.onnx"):
        nearest = f"operators of the domain {domain[:60]!r} are not supported; export with plain ONNX operators only"
        return f"{nearest} ({_INTEGER})" if "Q" in operator[:1] else nearest
    if operator in REMEDIES:
        return REMEDIES[operator]
    close = difflib.get_close_matches(operator, OPERATORS, 1, 0.5)
    return f"it is not supported; the nearest operator that is: {close[0]}" if close else "it is not supported"
