"""`fitwright methods`, `importances`, `recoveries`, `strategies`: what there is to choose from; devices by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.cli_errors import CliError
from service.cli_here import here, is_served
from service.cli_show import AsJson, print_json, say, table

if TYPE_CHECKING:
    from hwmodels.base import CostModel
    from hwmodels.device import Device


def methods(as_json: AsJson = False) -> None:
    """List the ways to make a model smaller: methods in the order of a recipe, and published systems made of them.

    Each of these names may stand in a recipe; see fitwright apply.

    Examples:

        fitwright methods

        fitwright methods --json
    """
    from service.plugins import method_documents

    found = method_documents()
    if as_json:
        print_json(found)
        return
    rows = [(d["name"], d["stage"], _yes(d["faster"]), d["summary"]) for d in found if d["kind"] == "method"]
    table("Methods", ("name", "stage", "runs otherwise", "what it does"), rows)
    say("")
    rows = [
        (d["name"], d["family"], _axes(d["axes"]), f"{d['paper']}, arXiv {d['arxiv']}") for d in found if "axes" in d
    ]
    table("Published systems", ("name", "family", "made of", "paper"), rows)


def importances(as_json: AsJson = False) -> None:
    """List the ways to tell which units and weights matter.

    Example:

        fitwright importances
    """
    from service.plugins import importance_documents

    _listed(importance_documents(), as_json)


def recoveries(as_json: AsJson = False) -> None:
    """List the ways to win accuracy back, and the schedules by which networks get to their forms.

    Example:

        fitwright recoveries
    """
    from service.plugins import recovery_documents

    _listed(recovery_documents(), as_json)


def strategies(as_json: AsJson = False) -> None:
    """List the ways to decide what to try next.

    Example:

        fitwright strategies
    """
    from service.plugins import strategy_documents

    _listed(strategy_documents(), as_json)


def _axes(axes: dict[str, list[str]]) -> str:
    return "; ".join(f"{axis} {', '.join(names)}" for axis, names in axes.items())


def _yes(value: bool) -> str:
    return "yes" if value else "no, stored otherwise"


def known_device(name: str) -> Device:
    """A device by the name given with --device, the catalogue's or an own one of this folder; refused in one line."""
    from hwmodels.catalogue import UnknownDevice, device
    from hwmodels.settings import BadSetting

    try:
        return device(name)
    except BadSetting as error:
        raise CliError(f"--device {error}") from error
    except UnknownDevice as error:
        if not is_served():
            raise CliError(f"--device {error}") from error
    from service.hardware import find_device

    try:
        with here() as workspace, workspace.database.read() as session:
            return find_device(session, name)
    except (BadSetting, UnknownDevice) as error:
        raise CliError(f"--device {error}") from error


def cost_model(device: Device) -> CostModel | None:
    """Its cost model with the table of this folder, which keeps what is measured; None where there is none to keep."""
    if not device.profiler or not is_served():
        return None
    from service.hardware import choose, open_for

    with here() as workspace:
        return open_for(workspace, device, choose(workspace, device)).cost_model


def _listed(found: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    several = len({d.get("kind") for d in found}) > 1
    columns = ("name", "kind", "what it does") if several else ("name", "what it does")
    table("", columns, [(d["name"], d["kind"], d["summary"]) if several else (d["name"], d["summary"]) for d in found])
