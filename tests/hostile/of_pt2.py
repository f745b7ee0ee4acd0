"""`.pt2` archives with everything in them that torch.export.load would execute, and JSON that leads astray."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile import good
from tests.hostile.case import Case, Traps
from tests.hostile.zips import rewritten

MODEL, CONFIG, HUGE = "models/model.json", "model_weights_config.json", 1 << 40
TARGETS = (
    *("os.system", "builtins.eval", "torch.hub.load", "torch.load", "posix.system", "torch.ops.aten.from_file.default"),
    *("torch.ops.aten.as_strided.default", "torch.ops.aten.__class__.mro", "torch.ops.prim.device.default"),
    *("_operator.methodcaller", "_operator.attrgetter", "torch.ops.higher_order.cond", "torch.ops.mine.run.default"),
    *("torch.ops.aten.linear.default; import os", "torch.ops.torchvision.nms.default", ""),
)
Change = Callable[[Any], None]


def cases(traps: Traps) -> Iterator[Case]:
    """What the safe reader never opens may load; the rest is refused."""
    source, bomb = good.pt2(), traps.pickled()
    unopened = {
        "sample-inputs": rewritten(source, {"sample_inputs/model.pt": bomb}),
        "legacy-weights": rewritten(source, {}, {"ROOT/data/weights/model.pt": bomb}),
        "opaque": rewritten(source, {}, {"ROOT/data/constants/opaque_obj_0": bomb}),
        "custom": rewritten(source, {}, {"ROOT/data/constants/custom_obj_0": bomb}),
        "guards": model(lambda d: d.update(guards_code=[traps.code, f"{traps.code}\n"])),
        "ranges": model(lambda d: d.update(range_constraints={traps.code: {"min_val": 0, "max_val": 9}})),
        "symbol": model(lambda d: _symbol(d).update(expr_str=traps.code)),
        "trace": model(lambda d: d["graph_module"].update(metadata={"stack_trace": traps.code})),
        "spec": model(lambda d: _set_spec(d, traps.code)),
        "verifiers": model(lambda d: d.update(verifiers=[traps.code, "os.system"])),
        "torch-version": model(lambda d: d.update(torch_version=traps.code)),
    }
    for what, data in unopened.items():
        yield Case(f"executed-by-torch-{what}.pt2", data, refused=False)
    yield Case("pickled-weights.pt2", rewritten(_configured("use_pickle", True), {"weight_0": bomb}))
    yield Case("pickled-model.pt2", rewritten(source, {MODEL: bomb}))
    yield Case("compiled.pt2", rewritten(source, {}, {"ROOT/data/aotinductor/model/x.so": b"\x7fELF"}))
    yield Case("two-models.pt2", rewritten(source, {}, {"ROOT/more/models/model.json": b"{}"}))
    for i, target in enumerate(TARGETS):
        yield Case(f"target-{i}.pt2", model(lambda d, t=target: _linear(d).update(target=t)))  # type: ignore[misc]
    yield from _members(source)
    yield from _graphs(traps)
    yield from _tensors()


def _members(source: bytes) -> Iterator[Case]:
    for member in (MODEL, CONFIG, "model_constants_config.json", "byteorder"):
        for what, data in {"gone": None, "empty": b"", "deep": b"[" * 100_000, "nan": b"NaN", "list": b"[]"}.items():
            yield Case(f"{member.split('/')[-1]}-{what}.pt2", rewritten(source, {member: data}))
    yield Case("big-endian.pt2", rewritten(source, {"byteorder": b"big"}))
    yield Case("without-weight.pt2", rewritten(source, {"weight_0": None}))
    yield Case("short-weight.pt2", rewritten(source, {"weight_0": b"1234"}))
    yield Case("twice-the-key.pt2", rewritten(source, {MODEL: b'{"graph_module":{},' + _member(MODEL)[1:]}))


def _graphs(traps: Traps) -> Iterator[Case]:
    changes: dict[str, Change] = {
        "name-is-code": lambda d: _linear(d)["outputs"][0]["as_tensor"].update(name=traps.code),
        "reads-nothing": lambda d: _linear(d)["inputs"][0]["arg"]["as_tensor"].update(name="nowhere"),
        "reads-itself": lambda d: _linear(d)["inputs"][0]["arg"]["as_tensor"].update(
            name=_linear(d)["outputs"][0]["as_tensor"]["name"]
        ),
        "renamed-in-a-circle": _circle,
        "again": lambda d: _nodes(d).append(_nodes(d)[0]),
        "many": lambda d: _nodes(d).extend([{"target": "", "inputs": [], "outputs": []}] * 20_001),
        "fixed-batch": lambda d: _input(d)["sizes"].__setitem__(0, {"as_int": 2}),
        "negative": lambda d: _input(d)["sizes"].__setitem__(1, {"as_int": -4}),
        "overflow": lambda d: _input(d)["sizes"].__setitem__(1, {"as_int": 1 << 62}),
        "huge": lambda d: _input(d)["sizes"].__setitem__(1, {"as_int": 1 << 40}),
        "odd-size": lambda d: _input(d)["sizes"].__setitem__(1, {"as_int": [traps.code]}),
        "more-symbols": lambda d: _input(d)["sizes"].__setitem__(1, {"as_expr": {"expr_str": traps.code}}),
        "odd-type": lambda d: _input(d).update(dtype=99),
        "no-outputs": lambda d: d["graph_module"]["signature"].update(output_specs=[]),
        "subgraph": lambda d: _linear(d)["inputs"][0].update(arg={"as_graph": {"name": "true", "graph": {}}}),
        "custom-object": lambda d: _linear(d)["inputs"][0].update(arg={"as_custom_obj": {"name": "x"}}),
        "operator": lambda d: _linear(d)["inputs"][0].update(arg={"as_operator": "os.system"}),
        "text": lambda d: _linear(d)["inputs"][0].update(arg={"as_string": traps.code}),
        "digits": lambda d: _linear(d)["inputs"][0].update(arg={"as_int": 10**400}),
        "infinite": lambda d: _linear(d)["inputs"][0].update(arg={"as_float": "1e999"}),
        "nothing": lambda d: _linear(d)["inputs"][0].update(arg={}),
        "inputs-of-another-kind": lambda d: d["graph_module"]["signature"].update(
            input_specs=[{"custom_obj": {"a": 1}}]
        ),
        "mutation": lambda d: d["graph_module"]["signature"].update(input_specs=[7]),
    }
    for what, change in changes.items():
        yield Case(f"graph-{what}.pt2", model(change))


def _tensors() -> Iterator[Case]:
    def meta(key: str, value: Any) -> bytes:
        return _configured("tensor_meta", None, lambda entry: entry["tensor_meta"].update({key: value}))

    sizes = {"overflow": 1 << 62, "negative": -1, "huge": 1 << 40, "code": "6; import os"}
    for what, size in sizes.items():
        yield Case(f"tensor-{what}.pt2", meta("sizes", [{"as_int": size}, {"as_int": 4}]))
    yield Case("tensor-type.pt2", meta("dtype", 99))
    yield Case("tensor-offset.pt2", meta("storage_offset", {"as_int": 1 << 40}))
    yield Case("tensor-strides.pt2", meta("strides", [{"as_int": 1 << 40}, {"as_int": -1}]))
    whole = {"sizes": [{"as_int": HUGE}] * 2, "strides": [{"as_int": 0}] * 2}
    yield Case("tensor-expanded.pt2", _configured("", None, lambda entry: entry["tensor_meta"].update(whole)))
    for i, path in enumerate(("../weights/weight_0", "/etc/passwd", "weight_0\0", "", 7)):
        yield Case(f"tensor-path-{i}.pt2", _configured("path_name", path))


def model(change: Change) -> bytes:
    """The sound archive with its model changed."""
    document = json.loads(_member(MODEL))
    change(document)
    return rewritten(good.pt2(), {MODEL: json.dumps(document).encode()})


def _configured(key: str, value: Any, change: Change | None = None) -> bytes:
    document = json.loads(_member(CONFIG))
    first = next(iter(document["config"].values()))
    if change is None:
        first[key] = value
    else:
        change(first)
    return rewritten(good.pt2(), {CONFIG: json.dumps(document).encode()})


def _member(name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(good.pt2())) as archive:
        return archive.read(next(n for n in archive.namelist() if n.endswith(name)))


def _nodes(document: Any) -> list[Any]:
    nodes: list[Any] = document["graph_module"]["graph"]["nodes"]
    return nodes


def _linear(document: Any) -> Any:
    return next(n for n in _nodes(document) if n["target"] == "torch.ops.aten.linear.default")


def _input(document: Any) -> Any:
    values = document["graph_module"]["graph"]["tensor_values"]
    return values[next(s["user_input"]["arg"]["as_tensor"]["name"] for s in _specs(document) if "user_input" in s)]


def _specs(document: Any) -> Any:
    return document["graph_module"]["signature"]["input_specs"]


def _symbol(document: Any) -> Any:
    return _input(document)["sizes"][0]["as_expr"]


def _set_spec(document: Any, code: str) -> None:
    for call in document["graph_module"]["module_call_graph"]:
        if call.get("signature"):
            call["signature"].update(in_spec=code, out_spec=code)


def _circle(document: Any) -> None:
    """Two in-place operators, each of which gives its result the name of the other's."""
    first = _linear(document)["inputs"][0]["arg"]["as_tensor"]["name"]
    pairs = (first, "a"), ("a", "b"), ("b", "a"), ("a", first)
    for source, result in pairs:
        read = {"name": "self", "arg": {"as_tensor": {"name": source}}, "kind": 1}
        made = [{"as_tensor": {"name": result}}]
        _nodes(document).insert(0, {"target": "torch.ops.aten.relu_.default", "inputs": [read], "outputs": made})
