"""`.fwm` files whose graph asks for what no graph may have: code, endless values, numbers that are none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from methods.storage.plain import Plain
from tests.hostile import good
from tests.hostile.case import Case, Traps
from tests.hostile.good import DOCUMENT, NODES, call, fwm, inserted

HUGE = 1 << 40
TARGETS = (
    *("os.system", "builtins.eval", "builtins.exec", "torch.hub.load", "torch.load", "subprocess.run", "eval", "open"),
    *("aten.from_file.default", "aten.set_.source_Tensor", "aten.resize_.default", "aten.as_strided.default"),
    *("aten.empty.memory_format", "aten.__class__.__init__", "aten.relu_.default", "aten.linear.__globals__"),
    *("prim.device.default", "operator.methodcaller", "operator.attrgetter", "operator.call", "torchvision.nms", ""),
)
NAMES = ("x;import os", "__import__('os')", "a b", "1a", "def", "x\nimport os", "ä", "a" * 300, "", "x.y", "%x", "\0")
ATTRIBUTES = ("__class__.__init__", "fc", "../fc", "fc.weight.data", "forward", "_modules", "fc.weight\n", "")
BOMBS: dict[str, list[list[Any]]] = {
    "zeros": [call("aten.zeros.default", [HUGE])],
    "zeros-overflow": [call("aten.zeros.default", [HUGE, HUGE])],
    "zeros-most": [call("aten.zeros.default", [(1 << 63) - 1])],
    "zeros-negative": [call("aten.zeros.default", [-5])],
    "ones": [call("aten.ones.default", [1 << 20, 1 << 20])],
    "full": [call("aten.full.default", [1 << 34], 1.0)],
    "arange": [call("aten.arange.default", HUGE)],
    "arange-steps": [call("aten.arange.start_step", 0, 1e18, 1e-9)],
    "eye": [call("aten.eye.default", 1 << 31)],
    "linspace": [call("aten.linspace.default", 0, 1, HUGE)],
    "expand": [call("aten.unsqueeze.default", "%x", 2, name="e"), call("aten.expand.default", "%e", [-1, -1, HUGE])],
    "repeat": [call("aten.repeat.default", "%x", [1, HUGE])],
    "repeat-interleave": [call("aten.repeat_interleave.self_int", "%x", HUGE, 1)],
    "tile": [call("aten.tile.default", "%x", [1, 1 << 33])],
    "pad": [call("aten.constant_pad_nd.default", "%x", [HUGE, HUGE])],
    "pad-negative": [call("aten.constant_pad_nd.default", "%x", [-99, -99])],
    "doubling": [call("aten.cat.default", [f"%c{i - 1}" if i else "%x"] * 2, 1, name=f"c{i}") for i in range(60)],
    "outer-products": [
        call("aten.unsqueeze.default", "%x", 2, name="c"),
        call("aten.unsqueeze.default", "%x", 1, name="r"),
        call("aten.repeat.default", "%c", [1, 1 << 16, 1], name="cc"),
        call("aten.repeat.default", "%r", [1, 1, 1 << 16], name="rr"),
        call("aten.matmul.default", "%cc", "%rr"),
    ],
    "upsample": [
        call("aten.reshape.default", "%x", [-1, 1, 2, 2], name="image"),
        call("aten.upsample_nearest2d.vec", "%image", [1 << 20, 1 << 20], None),
    ],
    "convolution-pad": [
        call("aten.unsqueeze.default", "%x", 1, name="row"),
        call("aten.unsqueeze.default", "%w", 1, name="k"),
        call("aten.conv1d.default", "%row", "%k", None, [1], [1 << 40]),
    ],
    "pieces": [
        call("aten.zeros.default", [1 << 28], dtype="#bool", name="z"),
        call("aten.unbind.int", "%z", 0, name="list"),
        call("operator.getitem", "%list", 0),
    ],
    "split": [
        call("aten.zeros.default", [1 << 28], dtype="#bool", name="z"),
        call("aten.split.Tensor", "%z", 1, 0, name="list"),
        call("operator.getitem", "%list", 0),
    ],
    "size-output": [call("aten.sym_size.int", "%x", 0)],
    "squares": [
        call("aten.sym_size.int", "%x", 1, name="n0"),
        *(call("operator.mul", f"%n{i}", f"%n{i}", name=f"n{i + 1}") for i in range(60)),
    ],
    "text-times": [call("operator.mul", "'boom", HUGE)],
    "list-times": [call("operator.mul", [1, 2], HUGE)],
    "lists-doubled": [
        call("operator.add", [1, 2], [3], name="l0"),
        *(call("operator.add", f"%l{i}", f"%l{i}", name=f"l{i + 1}") for i in range(50)),
    ],
    "text-format": [call("operator.mod", "'%1000000000d", 1)],
    "divided-by-zero": [call("operator.floordiv", 1, 0)],
    "reshape": [call("aten.reshape.default", "%x", [HUGE, HUGE])],
    "reshape-overflow": [call("aten.reshape.default", "%x", [1 << 62, 4, -1])],
    "one-hot": [call("aten.one_hot.default", "%x", HUGE)],
    "embedding-outside": [
        call("aten.arange.default", 99999999, name="i"),
        call("aten.embedding.default", "%w", "%i"),
    ],
    "lstm": [call("aten.lstm.input", "%x", ["%x", "%x"], ["%w", "%w", "%b", "%b"], True, 1, 0.0, False, False, True)],
    "gru": [call("aten.gru.input", "%x", "%x", ["%w"] * 400, True, 100, 0.0, False, False, True)],
    "unfold": [call("aten.unfold.default", "%x", 1, 1, 0)],
    "out-of-range": [call("aten.select.int", "%x", 1, 1 << 50)],
    "wrong-kinds": [call("aten.linear.default", "%x", 3, "'text")],
    "keywords": [call("aten.relu.default", "%x", forward="'x", self="%x")],
}


def cases(traps: Traps) -> Iterator[Case]:
    """One thing wrong in each."""
    for i, target in enumerate(TARGETS):
        yield Case(f"target-{i}.fwm", inserted(call(target, f"'touch {traps.canary}"[:40])))
    for i, name in enumerate(NAMES):
        yield Case(f"node-name-{i}.fwm", inserted(call("aten.relu.default", "%head", name=name), output=name))
    for i, name in enumerate(ATTRIBUTES):
        yield Case(f"attribute-{i}.fwm", inserted(["bad", "get_attr", name, [], {}], output="bad"))
        tensors = DOCUMENT["tensors"] | {name: 1}
        weights = good.blob(*good.RECORDS, Plain(np.ones(3)))
        yield Case(f"tensor-name-{i}.fwm", fwm({"tensors": tensors}, weights=weights))
    for what, rows in BOMBS.items():
        yield Case(f"{what}.fwm", inserted(*rows, output=rows[-1][0]))
    yield from _structures()
    yield from _arguments()
    yield from _documents(traps)


def _structures() -> Iterator[Case]:
    loop = [call("aten.relu.default", "%two", name="one"), call("aten.relu.default", "%one", name="two")]
    rows: dict[str, Any] = {
        "cycle": [*NODES[:-1], *loop, NODES[-1]],
        "itself": [*NODES[:-1], call("aten.relu.default", "%bad"), NODES[-1]],
        "same-name": [*NODES[:-1], NODES[3], NODES[-1]],
        "no-output": NODES[:-1],
        "two-outputs": [*NODES, NODES[-1]],
        "empty-output": [*NODES[:-1], ["output", "output", "output", [[]], {}]],
        "number-output": [*NODES[:-1], ["output", "output", "output", [[1]], {}]],
        "later-input": [*NODES[:-1], ["z", "placeholder", "z", [], {}], NODES[-1]],
        "module": [*NODES[:-1], ["bad", "call_module", "forward", [], {}], NODES[-1]],
        "method": [*NODES[:-1], ["bad", "call_method", "__reduce__", ["%x"], {}], NODES[-1]],
        "short-row": [*NODES[:-1], ["bad", "call_function"], NODES[-1]],
        "second-input": [["z", "placeholder", "z", [], {}], *NODES],
        "nothing": [],
        "number": 7,
        "table": {"a": 1},
        "many": [*NODES[:-1], *(call("aten.relu.default", "%x", name=f"r{i}") for i in range(20_001)), NODES[-1]],
    }
    for what, nodes in rows.items():
        yield Case(f"nodes-{what}.fwm", fwm({"nodes": nodes}))


def _arguments() -> Iterator[Case]:
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    odd: dict[str, Any] = {"deep": deep, "huge": 10**40, "long": [1] * 20_000, "table": {"a": 1}, "sign": "!x"}
    odd |= {"text": "'" + "x" * 100, "type": "#quint4x2", "float": "~1e9", "later": "%output", "none": "%"}
    for what, value in odd.items():
        yield Case(f"argument-{what}.fwm", inserted(call("aten.zeros.default", value)))
    for what, text in {"nan": "NaN", "infinity": "-Infinity", "beyond": "1e999", "digits": "9" * 5000}.items():
        document = json.dumps(DOCUMENT | {"nodes": [*NODES[:-1], call("aten.full.default", [3], "NUMBER"), NODES[-1]]})
        yield Case(f"number-{what}.fwm", fwm(text=document.replace('"NUMBER"', text).encode()))


def _documents(traps: Traps) -> Iterator[Case]:
    texts = {
        "empty": b"",
        "list": b"[]",
        "not-text": b"\xff\xfe\xfa",
        "utf16": json.dumps(DOCUMENT).encode("utf-16") + b"\xd8",
        "deep": b"[" * 100_000,
        "deep-tables": b'{"a":' * 100_000,
        "twice": b'{"format":1,' + json.dumps(DOCUMENT).encode()[1:],
        "code": traps.code.encode(),
        "yaml": b"!!python/object/apply:os.system ['touch " + str(traps.canary).encode() + b"']",
        "surrogate": json.dumps(DOCUMENT | {"outputs": ["\ud800"]}).encode(),
    }
    for what, text in texts.items():
        yield Case(f"text-{what}.fwm", fwm(text=text))
    shapes = ([10**9] * 2, [1 << 24] * 8, [-1], [0], [4.5], [1] * 99, ["4"], [1 << 80], "4", [True])
    for i, shape in enumerate(shapes):
        yield Case(f"shape-{i}.fwm", fwm({"inputs": [["x", shape, "float32", 0]]}), refused=shape != [True])
    inputs: Any = (["x", [4], "object", 0], ["x", [4], "int64", 1 << 90], ["import os", [4], "float32", 0], ["y"], 7)
    for i, row in enumerate(inputs):
        yield Case(f"input-{i}.fwm", fwm({"inputs": [row]}))
    yield Case("inputs-many.fwm", fwm({"inputs": [["x", [4], "float32", 0]] * 5000}))
    for what in DOCUMENT:
        yield Case(
            f"without-{what}.fwm", fwm(text=json.dumps({k: v for k, v in DOCUMENT.items() if k != what}).encode())
        )
        yield Case(f"odd-{what}.fwm", fwm({what: {"a": [None]}}))
