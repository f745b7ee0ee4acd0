"""profile: fills a device's table and calibrates it, on networks made for the purpose.

Networks of random width in every family, in whole numbers too where the device has them, are looked up (what the table
lacks is measured) and then timed as a whole. Both kinds of rows are kept as they come, so that a profile that was
interrupted goes on where it stopped, and a second one measures nothing. What a runtime can't run is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from hwmodels.base import HardwareModelError, Measurement, UnsupportedOp
from hwmodels.calibrating import Sample, fit
from hwmodels.calibration import Calibration
from hwmodels.device import Device
from hwmodels.lookup import LookupModel
from hwmodels.networks.catalogue import FAMILIES
from hwmodels.networks.int8 import int8
from hwmodels.structure import structure, summary
from hwmodels.whole import network_key
from hwmodels.workload import Workload

NETWORKS = 96
"""Size of the calibration set, unless said otherwise."""

TOGETHER = 6
"""Networks that are timed interleaved."""

NOISY, TRIES = 0.02, 2
"""Networks whose measurement disagrees with itself by more than this are timed again, up to so many times in all."""

OnProgress = Callable[[str, int, int], None]
"""Phase, how much of it is done, and of how much."""


@dataclass(frozen=True)
class Case:
    """One network of the calibration set."""

    family: str
    precision: str
    program: bytes


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
    samples: list[Sample] = []
    for start in range(0, len(cases), TOGETHER):
        on_progress("measuring networks", start, len(cases))
        samples += _samples(model, device, cases[start : start + TOGETHER])
    on_progress("measuring networks", len(cases), len(cases))
    model.calibration = fit(samples)
    return model.calibration


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


def runnable(model: LookupModel, device: Device, cases: Sequence[Case]) -> list[tuple[Case, dict[str, float]]]:
    """The networks that the device's runtime can run, with their parts; others (LSTMs on LiteRT) are left out."""
    found = []
    for case in cases:
        with suppress(UnsupportedOp):
            found.append((case, model.parts(Workload((), program=case.program), device)))
    return found


def _samples(model: LookupModel, device: Device, chosen: Sequence[Case]) -> list[Sample]:
    known = runnable(model, device, chosen)
    cases, parts = [case for case, _ in known], [part for _, part in known]
    texts = [structure(case.program, device) for case in cases]
    keys = [network_key(text) for text in texts]
    new = [n for n, key in enumerate(keys) if key not in model.table.rows]
    for n, found in zip(new, _timed(model, device, [cases[n].program for n in new])):
        model.table.add(keys[n], summary(texts[n]), found)
    truth = (model.table.rows[key].latency_s for key in keys)
    return [Sample(case.family, part, seconds) for case, part, seconds in zip(cases, parts, truth)]


def _timed(model: LookupModel, device: Device, programs: list[bytes]) -> list[Measurement]:
    """Whole networks, those that were disturbed again: of each the measurement that agrees best with itself."""
    found = model.profiler.measure(programs, device)
    for _ in range(TRIES - 1):
        noisy = [n for n, measurement in enumerate(found) if measurement.disagreement > NOISY]
        for n, again in zip(noisy, model.profiler.measure([programs[n] for n in noisy], device)):
            found[n] = min(found[n], again, key=lambda m: m.disagreement)
    return found
