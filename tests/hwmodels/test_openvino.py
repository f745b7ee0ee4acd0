from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import onnx
import pytest

from hwmodels.attribution import attribute
from hwmodels.base import MeasurementFailed, UnsupportedOp
from hwmodels.device import Device
from hwmodels.devices.local_openvino import LOCAL_OPENVINO, LOCAL_OPENVINO_BF16
from hwmodels.lookup import open_lookup
from hwmodels.profilers.catalogue import open_profiler
from hwmodels.profilers.openvino import OpenVinoProfiler
from hwmodels.profilers.process import Child
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.settings import with_settings
from hwmodels.workload import Op, Workload
from tests.onnx_networks import conv_op, convolutional, endless, quantized, residual


@pytest.fixture(scope="module")
def profiler() -> Iterator[OpenVinoProfiler]:
    profiler = OpenVinoProfiler()
    yield profiler
    profiler.close()


def nodes_of(profiler: OpenVinoProfiler, program: bytes, device: Device = LOCAL_OPENVINO) -> list[RuntimeNode]:
    return profiler.nodes(program, device)


def test_nodes_cover_the_network(profiler: OpenVinoProfiler) -> None:
    """Each node is named after the last activation that it computes; what it does before that is inside it."""
    nodes = nodes_of(profiler, convolutional(16))
    assert [node.name for node in nodes] == ["relu1", "maxpool2", "globalaveragepool3", "gemm5"]
    assert "Conv(" in nodes[0].signature
    assert "Relu(" in nodes[0].signature
    assert "Flatten(" in nodes[-1].signature


def test_time_goes_to_our_own_layers(profiler: OpenVinoProfiler) -> None:
    """A convolution that computes its activation and addition too is the convolution among our operators."""
    names = [node.name for node in nodes_of(profiler, residual(16))]
    conv = conv_op("conv0", 16)
    ops = [conv, Op("relu1", "relu", conv.outputs, conv.outputs, reads=("conv0",), writes=("relu1",))]
    found = attribute(names, ops)
    assert names[0] == "relu1"
    assert found[0] is conv


def test_keys_forget_names_and_weights(profiler: OpenVinoProfiler) -> None:
    """Renamed activations and other weights make the same keys, call after call."""
    first, again = (nodes_of(profiler, convolutional()) for _ in range(2))
    renamed = nodes_of(profiler, convolutional(prefix="other_", seed=1))
    assert [n.key for n in first] == [n.key for n in again] == [n.key for n in renamed]
    assert [n.name for n in first] != [n.name for n in renamed]


@pytest.mark.parametrize("change", ["width", "batch", "threads", "precision"])
def test_keys_know_what_changes_the_time(profiler: OpenVinoProfiler, change: str) -> None:
    """Another width, batch, number of threads or precision is another key; a precision surely where the CPU has it."""
    other = {
        "width": LOCAL_OPENVINO,
        "batch": with_settings(LOCAL_OPENVINO, {"batch": 2}),
        "threads": with_settings(LOCAL_OPENVINO, {"threads": 2}),
        "precision": replace(LOCAL_OPENVINO, precision="bf16"),
    }[change]
    here = nodes_of(profiler, convolutional(8))[0]
    there = nodes_of(profiler, convolutional(40 if change == "width" else 8), other)[0]
    same = change == "precision" and "bf16" not in Path("/proc/cpuinfo").read_text()  # the same kernels may run then
    assert same or here.key != there.key


def test_a_network_looked_up_twice_costs_the_same(profiler: OpenVinoProfiler) -> None:
    """The second estimate measures nothing; the sum is within a third of the network itself."""
    rows: list[object] = []
    model = open_lookup(LOCAL_OPENVINO, profiler, on_measure=rows.append)
    program = Workload((), program=residual(64))
    first = model.estimate(program, LOCAL_OPENVINO)["latency_s"].value
    measured = len(rows)
    assert model.estimate(program, LOCAL_OPENVINO)["latency_s"].value == first
    assert len(rows) == measured == len(model.table.rows)
    (whole,) = profiler.glance([residual(64)], LOCAL_OPENVINO)
    assert first == pytest.approx(whole.latency_s, rel=0.35 + whole.disagreement)


def test_quantised_layers_run_in_whole_numbers(profiler: OpenVinoProfiler) -> None:
    """A QDQ layer's kernel is one for int8, inside the network and alone."""
    (told,) = profiler._ask("look", LOCAL_OPENVINO, [quantized(16)])[0]["programs"]
    kernels = {node["type"]: node["kernel"] for node in told["nodes"]}
    assert kernels["Convolution"].endswith("I8")
    conv = next(node for node in nodes_of(profiler, quantized(16)) if "Convolution" in node.op_type)
    (alone,) = profiler._ask("look", LOCAL_OPENVINO, [conv.model])[0]["programs"]
    assert kernels["Convolution"] in {node["kernel"] for node in alone["nodes"]}


def test_a_node_alone_is_the_node_of_the_network(profiler: OpenVinoProfiler) -> None:
    """Compiled alone, each node of a network of convolutions has the kernel that its signature names."""
    for node in nodes_of(profiler, residual(16)):
        (alone,) = profiler._ask("look", LOCAL_OPENVINO, [node.model])[0]["programs"]
        kind, _, kernel = node.op_type.removesuffix(" of few rows").partition(".")
        assert (kind, kernel) in {(n["type"], n["kernel"]) for n in alone["nodes"]}, node.signature


def test_its_own_precision_is_named(profiler: OpenVinoProfiler) -> None:
    """Told nothing, OpenVINO takes the precision that it likes on this CPU; the device's title says so."""
    hinted, own = (nodes_of(profiler, convolutional(), d)[0] for d in (LOCAL_OPENVINO, LOCAL_OPENVINO_BF16))
    assert hinted.signature.endswith(" f32")
    assert own.signature.rpartition(" ")[2] in ("f32", "bf16", "f16")
    assert "bfloat16" in LOCAL_OPENVINO_BF16.title
    assert "float32" in LOCAL_OPENVINO.title


def test_what_is_no_network_is_refused_with_the_reason(profiler: OpenVinoProfiler) -> None:
    """The runtime's own words are kept, and the process lives on."""
    nodes_of(profiler, convolutional())
    assert isinstance(profiler.channel, Child)
    pid = profiler.channel.pid
    with pytest.raises(MeasurementFailed, match=r"refused: .*read the model"):
        profiler.measure([b"not a network"], LOCAL_OPENVINO)
    assert profiler.channel.pid == pid


def test_an_operator_that_it_does_not_have_is_refused_by_name(profiler: OpenVinoProfiler) -> None:
    """The message says which operator OpenVINO doesn't know."""
    model = onnx.load_model_from_string(convolutional())
    model.graph.node[1].op_type = "Nonsense"
    with pytest.raises(MeasurementFailed, match="Nonsense"):
        profiler.nodes(model.SerializeToString(), LOCAL_OPENVINO)


def test_control_flow_is_refused_by_name(profiler: OpenVinoProfiler) -> None:
    """A loop's time depends on data, so it has no row; it isn't even run."""
    with pytest.raises(UnsupportedOp, match=r"Loop \(y\)"):
        nodes_of(profiler, endless())


def test_a_second_free_dimension_is_refused_by_name(profiler: OpenVinoProfiler) -> None:
    """Only the batch can be free: a latency belongs to one shape."""
    model = onnx.load_model_from_string(convolutional())
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "H"
    with pytest.raises(MeasurementFailed, match="input x has a free dimension at place 2"):
        profiler.nodes(model.SerializeToString(), LOCAL_OPENVINO)


def test_nothing_is_reported() -> None:
    """The measuring process can't load what OpenVINO's package reports through."""
    script = """
from hwmodels.profilers.runtimes import openvino
from openvino.tools.ovc import telemetry
print(type(telemetry).__module__)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "openvino.tools.ovc.telemetry_stub"


def test_the_device_opens_its_profiler() -> None:
    """Both devices are measured through OpenVINO and have int8 beside floats."""
    for device in (LOCAL_OPENVINO, LOCAL_OPENVINO_BF16):
        profiler = open_profiler(device)
        assert profiler.version.split(".")[0].isdecimal()
        assert device.precisions == ("fp32", "int8")
        profiler.close()
