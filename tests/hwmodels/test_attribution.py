from __future__ import annotations

from hwmodels.attribution import attribute
from hwmodels.workload import Op


def op(name: str, *reads: str, macs: int = 0) -> Op:
    return Op(name, "conv" if macs else "elementwise", (), (), macs=macs, reads=reads, writes=(name,))


CONV1, RELU1 = op("conv1", "x", macs=100), op("relu1", "conv1")
CONV2, ADD, RELU2 = op("conv2", "relu1", macs=50), op("add", "conv2", "relu1"), op("relu2", "add")
OPS = (CONV1, RELU1, CONV2, ADD, RELU2)


def test_a_fused_node_counts_for_its_convolution() -> None:
    """Convolution, addition and activation in one node are the convolution's, not the activation's."""
    assert attribute(["relu1", "relu2"], OPS) == [CONV1, CONV2]


def test_unfused_nodes_count_for_themselves() -> None:
    """Where the runtime fuses nothing each operator keeps its own node."""
    assert attribute([o.name for o in OPS], OPS) == list(OPS)


def test_a_layout_change_counts_for_what_it_serves() -> None:
    """A second node for an activation is a reorder of it; one for no activation of ours stands alone."""
    assert attribute(["relu1", "relu1", "token_7", "relu2"], OPS) == [CONV1, CONV1, None, CONV2]


def test_a_step_on_the_way_counts_for_what_it_leads_to() -> None:
    """Steps claim no operator in front: what follows still finds its convolution."""
    assert attribute(["add/product/3", "relu1", "relu2"], OPS) == [ADD, CONV1, CONV2]
