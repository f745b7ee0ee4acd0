"""Datasheets as documents: a Device that a user writes as one typed table, in TOML or JSON.

Three kinds: `analytical` has rates and energies; `measured` names a runtime (`profiler`) that an agent times, and what
isn't said of it comes from the catalogue's device for that runtime; `imported` has a table of measurements alone, and
lists its `precisions`. Every fault is named by its field, all of them at once.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, replace
from typing import Any

from hwmodels.catalogue import DEVICES
from hwmodels.datasheet_fields import FIELDS, FORMS, ID, KEY, KINDS, NUMBERS, TABLES, BadDatasheet, Checks
from hwmodels.datasheet_parts import structured
from hwmodels.device import Device
from hwmodels.energy import FP16_MAC_J, FP32_MAC_J, integer_mac_j
from hwmodels.profilers.catalogue import PROFILERS

IMPORTED = "imported"
"""Kind, cost model, and the runtime's name where a document gives none."""

NO_RATE = 1e9
"""Stands for the rates of a device whose latencies are all in its table: it lists the precisions, nothing more."""

_ENERGIES = {"fp32": FP32_MAC_J, "fp16": FP16_MAC_J} | {f"int{b}": integer_mac_j(b, b) for b in (2, 4, 8, 16)}


def read_datasheet(text: str, name: str) -> Device:
    """The device in the text of a file; `name` ends in `.toml` or `.json`.

    Raises BadDatasheet, also where the catalogue has a device of that id.
    """
    try:
        document = tomllib.loads(text) if name.endswith(".toml") else json.loads(text)
    except (ValueError, RecursionError) as error:
        kind = "TOML" if name.endswith(".toml") else "JSON"
        raise BadDatasheet({"": f"{name} is no {kind}: {error}"}) from error
    device = device_from_json(document)
    if device.id in DEVICES:
        raise BadDatasheet({"id": f"the catalogue has a device {device.id} already; take another id"})
    return device


def device_from_json(document: Any) -> Device:
    """The device that a document describes. Raises BadDatasheet, whose `fields` name every fault."""
    if not isinstance(document, Mapping):
        raise BadDatasheet({"": f"a datasheet is a table of names and values, not {document!r:.60}"})
    checks = Checks()
    checks.unknown("", document, FIELDS)
    kind = checks.text("kind", document.get("kind", "analytical"), KINDS)
    base = _base(checks, document, kind)
    found = _plain(checks, document) | structured(checks, document)
    if kind == "analytical":
        _same_arithmetic(checks, found)
    if checks.faults:
        raise BadDatasheet(checks.faults)
    return replace(base, **found)


def device_to_json(device: Device) -> dict[str, Any]:
    """The document of a device, without what is as usual; `device_from_json` gives the same device back."""
    document = {name: value for name, value in asdict(device).items() if not _is_usual(device, name)}
    document |= {name: dict(value) for name, value in document.items() if isinstance(value, Mapping)}
    if "storage_bits" in document:
        document["storage_bits"] = {str(wide): narrow for wide, narrow in document["storage_bits"].items()}
    document["memories"] = [_without(asdict(memory), "holds", "everything") for memory in device.memories]
    return {name: list(value) if isinstance(value, tuple) else value for name, value in document.items()}


def _is_usual(device: Device, name: str) -> bool:
    field = next(f for f in fields(Device) if f.name == name)
    usual = field.default_factory() if field.default_factory is not MISSING else field.default
    return usual is not MISSING and getattr(device, name) == usual


def _without(document: dict[str, Any], name: str, usual: str) -> dict[str, Any]:
    return {n: value for n, value in document.items() if (n, value) != (name, usual)}


def _base(checks: Checks, document: Mapping[str, Any], kind: str) -> Device:
    """What holds where the document says nothing."""
    id = checks.text("id", document.get("id"))
    if id and ID.fullmatch(id) is None:
        checks.wrong("id", f"is {id!r:.90}; it is lower-case letters, digits, dots and dashes, 80 at most")
    title = f"{id} ({kind})"
    if kind == "measured":
        return _measured(checks, document, id, title)
    if kind == IMPORTED:
        base = replace(DEVICES["local-onnxruntime"], id=id, title=title, kind=kind, cost_model=IMPORTED, sources=())
        names = _precisions(checks, document) or ["fp32", "int8"]
        rates, energies = dict.fromkeys(names, NO_RATE), {name: _ENERGIES.get(name, FP32_MAC_J) for name in names}
        return replace(base, profiler=IMPORTED, macs_per_s=rates, mac_energy_j=energies)
    if kind and document.get("cost_model", "roofline") != "roofline":
        checks.wrong("cost_model", f"is {document['cost_model']!r:.60}; an analytical device's is roofline")
    if "profiler" in document:
        checks.wrong("profiler", "belongs to a measured device; leave it out, or say kind = measured")
    if "precisions" in document:
        checks.wrong("precisions", "follow from macs_per_s; leave it out")
    for name in ("macs_per_s", "mac_energy_j", "memories"):
        if kind and not document.get(name):
            checks.wrong(name, "is missing; an analytical device needs it")
    return Device(id, title, "analytical", "roofline", {}, {}, ())


def _measured(checks: Checks, document: Mapping[str, Any], id: str, title: str) -> Device:
    """The catalogue's device for the runtime, under another name."""
    profiler = checks.text("profiler", document.get("profiler"), PROFILERS)
    same = [d for d in DEVICES.values() if d.profiler == profiler]
    near = [d for d in same if d.precision == document.get("precision", "")]
    usual = (near or same or [DEVICES["local-onnxruntime"]])[0]
    model = document.get("cost_model", usual.cost_model)
    if model != usual.cost_model:
        checks.wrong("cost_model", f"is {model!r:.60}; that of {profiler} is {usual.cost_model}")
    base = replace(usual, id=id, title=title, kind="measured", sources=())
    names = _precisions(checks, document)
    lacking = [name for name in names if name not in base.macs_per_s]
    if lacking:
        checks.wrong("precisions", f"{profiler} computes in {', '.join(base.macs_per_s)}, not {', '.join(lacking)}")
    elif names:
        base = replace(base, macs_per_s={n: base.macs_per_s[n] for n in names})
    return base


def _precisions(checks: Checks, document: Mapping[str, Any]) -> list[str]:
    names = [str(name) for name in checks.items("precisions", document.get("precisions", []))]
    for name in names:
        if KEY.fullmatch(name) is None:
            checks.wrong("precisions", f"{name!r:.60} is no kind of arithmetic; there are fp32, fp16, int8, ...")
    return names


def _plain(checks: Checks, document: Mapping[str, Any]) -> dict[str, Any]:
    """Texts, numbers and tables of numbers."""
    found: dict[str, Any] = {}
    for name in ("id", "title", "cost_model", "profiler", "precision"):
        if name in document:
            found[name] = checks.text(name, document[name])
    if "form" in document:
        found["form"] = checks.text("form", document["form"], FORMS)
    for name, within in NUMBERS.items():
        if name in document:
            found[name] = checks.number(name, document[name], within)
    for name, (within, keys) in TABLES.items():
        if name in document:
            found[name] = checks.table(name, document[name], within, keys)
    return found


def _same_arithmetic(checks: Checks, found: Mapping[str, Any]) -> None:
    """Each kind of arithmetic has a rate and an energy."""
    rates, energies = found.get("macs_per_s", {}), found.get("mac_energy_j", {})
    for name in energies:
        if name not in rates:
            checks.wrong(f"macs_per_s.{name}", f"is missing, and mac_energy_j has {name}; give both or neither")
    for name in rates:
        if name not in energies:
            checks.wrong(f"mac_energy_j.{name}", f"is missing, and macs_per_s has {name}; give both or neither")
