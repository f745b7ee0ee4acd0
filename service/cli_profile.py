"""`fitwright profile`: measures the table of a device in this process."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.cli_catalogue import known_device
from service.cli_errors import FAILED, CliError
from service.cli_here import here
from service.cli_show import AsJson, facts, hint, print_json, say

if TYPE_CHECKING:
    from service.workspace import Workspace


def profile(
    device: Annotated[str, typer.Option(help="See fitwright devices; settings may stand in it.")] = "local-onnxruntime",
    networks: Annotated[int | None, typer.Option(min=3, max=1000, help="Size of the calibration set.")] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Measure all of it again, as a new generation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Measure a device's table: operators of a set of networks, and the networks themselves, which calibrate it.

    A table that is calibrated already is checked for drift: a few of its networks are timed again. Interrupted (Ctrl-C,
    a crash, kill -9), the same command goes on where it was. Let the machine be quiet meanwhile.

    Examples:

        fitwright profile

        fitwright profile --device local-onnxruntime@batch=8,threads=2 --networks 48

        fitwright profile --device local-onnxruntime --refresh --json
    """
    request = {"device": known_device(device).id, "networks": networks, "refresh": refresh}
    with here() as workspace:
        job = _finished(workspace, request)
    if job["state"] != "succeeded":
        raise CliError(f"profile job {job['id']} {job['state']}: {job['state_reason'] or 'it was cancelled'}", FAILED)
    if as_json:
        print_json(job)
    else:
        _show(job["result"])


def _finished(workspace: Workspace, request: dict[str, Any]) -> dict[str, Any]:
    """Carries the job out, or goes on with the one that was interrupted."""
    from db import profile_jobs
    from service.device_views import job_document
    from service.profiling import create_job, run_until_finished

    with workspace.database.write() as session:
        earlier = profile_jobs.unfinished(session, request["device"])
        again = earlier is not None and earlier.request == request
        job_id = earlier.id if earlier is not None and again else create_job(session, request)
    hint(f"{'Going on with' if again else 'Profile job'} {job_id} in {workspace.settings.home}")
    stopping = threading.Event()
    try:
        from service.cli_progress import SearchProgress

        with SearchProgress() as bar:
            run_until_finished(workspace, job_id, stopping, lambda told: bar.on_event("progress", told))
    except KeyboardInterrupt:
        hint(f"What was measured is kept; the same command goes on with {job_id}.")
        raise
    with workspace.database.read() as session:
        return job_document(profile_jobs.get(session, job_id))


def _show(result: dict[str, Any]) -> None:
    from service.device_words import calibration_facts, drift_facts
    from service.words import duration

    say(f"Table {result['table']}")
    pairs = calibration_facts(result["calibration"]) if "calibration" in result else drift_facts(result["drift"])
    facts([("rows", result["rows"]), *((name.lower(), text) for name, text in pairs)])
    hint(f"It took {duration(result['seconds'])}. Next: fitwright devices show {result['table'].partition(' | ')[0]}")
