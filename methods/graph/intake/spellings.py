"""Operators that networks are written with but a Graph doesn't hold, and what becomes of each.

Other spellings turn into the listed operator, in-place operators into their plain twins, checks disappear; `EXPANDED`
are the ones that a model file may hold because torch's own decomposition replaces them while it is read.
"""

from __future__ import annotations

from typing import Any

import torch

from methods.graph.ops import PYTHON, TARGETS

_COMPARED = {"greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le", "not_equal": "ne"}
_ARCS = ("sin", "cos", "tan", "sinh", "cosh", "tanh")
_COPIES = "view expand permute t transpose.int unsqueeze squeeze.dim squeeze.dims select.int slice.Tensor detach alias"


def _full(name: str) -> str:
    return name if "." in name else name + ".default"


def _spellings() -> dict[str, str]:
    pairs = {f"{old}.{o}": f"{new}.{o}" for old, new in _COMPARED.items() for o in ("Tensor", "Scalar") if old != new}
    pairs |= {f"__{x}__.{o}": f"bitwise_{x}.{o}" for x in ("and", "or", "xor") for o in ("Tensor", "Scalar")}
    pairs |= {f"arc{x}.default": f"a{x}.default" for x in _ARCS}
    for old, new in (("multiply", "mul"), ("subtract", "sub"), ("divide", "div"), ("true_divide", "div")):
        pairs |= {f"{old}.{o}": f"{new}.{o}" for o in ("Tensor", "Scalar")}
    pairs |= {f"divide.{o}": f"div.{o}" for o in ("Tensor_mode", "Scalar_mode")}
    plain = "absolute:abs negative:neg clip:clamp clip.Tensor:clamp.Tensor concat:cat concatenate:cat fix:trunc"
    plain += " swapaxes:transpose.int swapdims:transpose.int moveaxis.int:movedim.int moveaxis.intlist:movedim.intlist"
    plain += " arctan2:atan2 special_expit:sigmoid special_erf:erf special_logit:logit special_round:round"
    plain += " max.other:maximum min.other:minimum split.sizes:split_with_sizes linalg_matmul:matmul"
    plain += " view:reshape detach_:detach"
    plain += " _unsafe_view:reshape _adaptive_avg_pool2d:adaptive_avg_pool2d _adaptive_avg_pool3d:adaptive_avg_pool3d"
    plain += " lift_fresh_copy:alias lift_fresh:alias lift:alias _safe_softmax:softmax.int"
    plain += " special_log_softmax:log_softmax.int special_softmax:softmax.int special_logsumexp:logsumexp"
    pairs |= {_full(a): _full(b) for a, _, b in (word.partition(":") for word in plain.split())}
    for name in _COPIES.split():
        packet, _, overload = name.partition(".")
        pairs[f"{packet}_copy.{overload or 'default'}"] = _full("reshape" if packet == "view" else name)
    return pairs


def _target(name: str) -> Any:
    packet, _, overload = _full(name).partition(".")
    return getattr(getattr(torch.ops.aten, packet, None), overload, None)


SPELLINGS: dict[Any, Any] = {
    target: TARGETS[f"aten.{new}"] for old, new in _spellings().items() if (target := _target(old)) is not None
}
"""Operator -> the listed one that takes the same arguments and gives the same result."""

COPIED = {
    torch.ops.aten.unsafe_split.Tensor: TARGETS["aten.split.Tensor"],
    torch.ops.aten.unsafe_chunk.default: TARGETS["aten.chunk.default"],
    torch.ops.aten.unsafe_split_with_sizes.default: TARGETS["aten.split_with_sizes.default"],
}
"""Spellings that hold only once nothing is written in place, since their results share no memory."""

_DROPPED = """
    _assert_tensor_metadata _assert_scalar _assert_async _assert_async.msg _functional_assert_async.msg
    sym_constrain_range sym_constrain_range_for_size
"""
_EXPANDED = """
    conv1d.padding conv2d.padding conv3d.padding convolution
    addmm addbmm baddbmm addmv addr mv dot vdot outer ger inner kron linalg_cross linalg_multi_dot bilinear
    cosine_similarity pairwise_distance cdist meshgrid meshgrid.indexing
    to.device to.dtype_layout to.other type_as _to_copy empty.memory_format new_empty empty_like
    fill.Scalar fill.Tensor copy zero view_as reshape_as mT mH adjoint numpy_T ravel
    hstack vstack dstack column_stack tensor_split.sections tensor_split.indices hsplit.int vsplit.int
    unsafe_split.Tensor unsafe_chunk unsafe_split_with_sizes broadcast_to broadcast_tensors fliplr flipud
    xlogy.Tensor take_along_dim norm.Scalar norm.ScalarOpt_dtype norm.ScalarOpt_dim_dtype frobenius_norm.dim
    linalg_norm std std.default var var.default var_mean std_mean var_mean.dim std_mean.dim max min
    mse_loss l1_loss smooth_l1_loss huber_loss kl_div binary_cross_entropy binary_cross_entropy_with_logits
    logaddexp2 diff _softmax _log_softmax native_layer_norm native_group_norm
    _native_batch_norm_legit_no_training _native_batch_norm_legit_functional
    _fused_rms_norm _weight_norm _weight_norm_interface embedding_bag.padding_idx embedding_bag
    lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell
    upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d
    upsample_trilinear3d upsample_bicubic2d max_unpool2d
    reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d
    float_power.Tensor_Scalar float_power.Tensor_Tensor isneginf isposinf isclose heaviside
    bernoulli.p rand rand_like quantile quantile.scalar cross_entropy_loss
"""


def _all(text: str) -> frozenset[str]:
    return frozenset(f"aten.{_full(name)}" for name in text.split())


DROPPED: frozenset[str] = _all(_DROPPED)
"""Checks, which compute nothing."""

EXPANDED: frozenset[str] = _all(_EXPANDED)
"""Operators outside the table that a model file may hold; each is replaced while the file is read."""


def plain_twin(target: Any) -> Any:
    """The functional twin of an in-place operator (`add_` -> `add`); None for what isn't in place or has none."""
    schema = getattr(target, "_schema", None)
    if schema is None or not schema.is_mutable or not is_in_place(target):
        return None
    packet = schema.name.removeprefix("aten::").removesuffix("_")
    overload = {"bernoulli.float": "p"}.get(f"{packet}.{target._overloadname}", target._overloadname)
    return getattr(getattr(torch.ops.aten, packet, None), overload, None)


def is_in_place(target: Any) -> bool:
    """Whether an operator writes into its first argument and returns it."""
    schema = getattr(target, "_schema", None)
    name = "" if schema is None else schema.name
    return name.startswith("aten::") and name.endswith("_") and not name.endswith("__")


def readable() -> dict[str, Any]:
    """Name in a `.pt2` file -> operator: the table, other spellings of it, in-place twins, and `EXPANDED`."""
    found: dict[str, Any] = dict(TARGETS)
    for target in SPELLINGS:
        found[str(target)] = target
    for name in EXPANDED:
        found[name] = _target(name.removeprefix("aten."))
    for name in [n for n in found if n not in PYTHON]:
        packet, _, overload = name.removeprefix("aten.").partition(".")
        twin = getattr(getattr(torch.ops.aten, packet + "_", None), overload, None)
        if twin is not None and is_in_place(twin):
            found[f"aten.{packet}_.{overload}"] = twin
    for name in ("fill_.Scalar", "fill_.Tensor", "zero_", "copy_", "bernoulli_.float", "detach_"):
        found[f"aten.{_full(name)}"] = _target(name)
    return found
