"""profile: fills a device's table and calibrates it, on networks made for the purpose.

Networks of random width in every family, in whole numbers too where the device has them, are looked up (what the table
lacks is measured) and then timed as a whole. Both kinds of rows are kept as they come, so that a profile that was
interrupted goes on where it stopped, and a second one measures nothing. What was disturbed is measured again after all
others, when the neighbours of a rented machine may have gone. What a runtime can't run is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from hwmodels.base import HardwareModelError, Measurement, UnsupportedOp
from hwmodels.basis import Basis, usual_basis
from hwmodels.calibrating import Sample, fit
from hwmodels.calibration import Calibration
from hwmodels.device import Device
from hwmodels.disturbed import Disturbed
from hwmodels.lookup import LookupModel
from hwmodels.networks.catalogue import FAMILIES
from hwmodels.networks.int8 import int8
from hwmodels.parts import USUAL_MB
from hwmodels.profilers.runtime_node import RuntimeNode
from hwmodels.structure import structure, summary
from hwmodels.sums import parts_of, whole_s
from hwmodels.whole import network_key
from hwmodels.workload import Workload

NETWORKS = 192
"""Size of the calibration set, unless said otherwise."""

TOGETHER = 6
"""Networks that are timed interleaved."""

TURNS = 4
"""How often networks and nodes are timed, at most, where their measurement was disturbed."""

OnProgress = Callable[[str, int, int], None]
"""Phase, how much of it is done, and of how much."""


@dataclass(frozen=True)
class Case:
    """One network of the calibration set."""

    family: str
    precision: str
    program: bytes


@dataclass(frozen=True)
class Found:
    """One network that was measured as a whole, with the nodes that the runtime makes of it."""

    family: str
    nodes: Sequence[RuntimeNode]
    measured: Measurement

    def sample(self, model: LookupModel, basis: Basis) -> Sample:
        """What it teaches a calibration on that basis."""
        truth_s = whole_s(self.measured, self.nodes, basis)
        return Sample(self.family, parts_of(model.table, self.nodes, basis), truth_s)


def profile(
    model: LookupModel,
    device: Device,
    on_progress: OnProgress = lambda *_: None,
    networks: int | None = None,
    seed: int = 0,
    families: Sequence[str] | None = None,
) -> Calibration:
    """The calibration of the model's table, which it fills; the model estimates with it from now on.

    Raises HardwareModelError for a family that there isn't, BadCalibration for too few networks, MeasurementFailed.
    """
    cases = list(calibration_set(device, networks or NETWORKS, seed, families))
    groups = [cases[start : start + TOGETHER] for start in range(0, len(cases), TOGETHER)]
    model.table.disturbed = Disturbed(TURNS, later=True)
    try:
        found = _in_turns(model, device, groups, on_progress)
    finally:
        model.table.disturbed = Disturbed()
    model.calibration = calibrated(model, device, found)
    return model.calibration


def calibrated(model: LookupModel, device: Device, found: Sequence[Found]) -> Calibration:
    """The calibration on these networks, on the basis that most of them were measured on.

    Each thread reads its share of the weights, and finds them in nearest caches of its own. Raises BadCalibration.
    """
    near_mb = 1e-6 * model.profiler.near_bytes(device) * device.threads or USUAL_MB
    basis = replace(usual_basis([one.measured for one in found]), near_mb=near_mb)
    return replace(fit([one.sample(model, basis) for one in found]), basis=basis)


def _in_turns(
    model: LookupModel, device: Device, groups: Sequence[Sequence[Case]], on_progress: OnProgress
) -> list[Found]:
    """Every group measured, then once more those in which something was disturbed, until nothing is held back."""
    found: list[list[Found]] = [[] for _ in groups]
    left, phase = list(range(len(groups))), "measuring networks"
    while left:
        again, total, done = [], sum(len(groups[n]) for n in left), 0
        for n in left:
            on_progress(phase, done, total)
            found[n], settled = _found(model, device, groups[n])
            again += [] if settled else [n]
            done += len(groups[n])
        on_progress(phase, total, total)
        left, phase = again, "measuring again what was disturbed"
    return [one for group in found for one in group]


def calibration_set(
    device: Device, networks: int, seed: int = 0, families: Sequence[str] | None = None
) -> Iterator[Case]:
    """As many networks, families and precisions taking turns; the same ones for the same seed."""
    named = list(FAMILIES if families is None else families)
    unknown = [name for name in named if name not in FAMILIES]
    if unknown or not named:
        raise HardwareModelError(f"there is no family {unknown or 'to choose'}; the choice is {', '.join(FAMILIES)}")
    precisions = [name for name in ("fp32", "int8") if name in device.precisions]
    for number in range(networks):
        round_, place = divmod(number, len(named) * len(precisions))
        family, precision = named[place % len(named)], precisions[place // len(named)]
        program = FAMILIES[family](seed + round_)
        yield Case(family, precision, int8(program) if precision == "int8" else program)


def network_keys(cases: Sequence[Case], device: Device) -> list[str]:
    """Keys of the rows that hold the networks as a whole."""
    return [network_key(structure(case.program, device)) for case in cases]


def runnable(model: LookupModel, device: Device, cases: Sequence[Case]) -> list[tuple[Case, list[RuntimeNode]]]:
    """The networks that the device's runtime can run, looked up; others (LSTMs on LiteRT) are left out."""
    found = []
    for case in cases:
        with suppress(UnsupportedOp):
            found.append((case, model.look_up(Workload((), program=case.program), device)))
    return found


def _found(model: LookupModel, device: Device, chosen: Sequence[Case]) -> tuple[list[Found], bool]:
    """Networks with their nodes, measured where the table lacks them; and whether nothing of theirs is held back."""
    known = runnable(model, device, chosen)
    texts = [structure(case.program, device) for case, _ in known]
    keys = [network_key(text) for text in texts]
    new = [n for n, key in enumerate(keys) if key not in model.table.rows]
    programs = [known[n][0].program for n in new]
    for n, measured in zip(new, model.profiler.measure(programs, device)):
        model.table.offer(keys[n], summary(texts[n]), measured)
    found = [Found(case.family, nodes, model.table.row(key)) for (case, nodes), key in zip(known, keys)]
    used = {*keys, *(key for _, nodes in known for node in nodes for key in (node.key, node.swept().key))}
    return found, used.isdisjoint(model.table.disturbed.held)
