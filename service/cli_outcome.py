"""How the command line ends a search: the table untouched against compressed, limits, notes, and the exit code."""

from __future__ import annotations

from typing import Any

from search import summary
from service.cli_errors import FAILED, INFEASIBLE, CliError
from service.cli_show import hint, say, table


def show_outcome(outcome: dict[str, Any]) -> None:
    """Prints an outcome document for people."""
    say(summary.verdict(outcome))
    say("")
    if outcome.get("untouched"):
        lines = summary.headline(outcome)
        rows = [(x.name, x.before, x.after, x.change, x.source) for x in lines]
        table(
            "Untouched against compressed", ("", "untouched", "compressed", "change", "source"), rows, right=(1, 2, 3)
        )
    limits = summary.limit_lines(outcome)
    if limits:
        say("")
        words = {True: "kept", False: "broken", None: "–"}
        table("Limits", ("", "asked", "achieved", ""), [(n, a, b, words[k]) for n, a, b, k in limits], right=(2,))
    if outcome["outcome"] != "feasible" and outcome.get("least_achievable"):
        say("")
        table("Least achievable", ("", "value", "source"), summary.least_lines(outcome), right=(1,))
    for flag in outcome.get("flags") or []:
        hint(f"Note: {flag}")


def exit_code(search: dict[str, Any]) -> int:
    """0 feasible, 3 infeasible or undecided. Raises CliError (exit code 1) where the search didn't come to its end."""
    if search["state"] != "succeeded":
        reason = search.get("state_reason") or "no reason is known"
        raise CliError(f"search {search['id']} {search['state']}: {reason}", FAILED)
    return 0 if search.get("outcome") == "feasible" else INFEASIBLE
