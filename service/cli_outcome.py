"""How the command line ends a search: the table untouched against compressed, limits, notes, and the exit code."""

from __future__ import annotations

from typing import Any

from search import summary
from search.alone_words import alone_lines
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
        rows = [(name, asked, achieved, source, words[kept]) for name, asked, achieved, source, kept in limits]
        table("Limits", ("", "asked", "achieved", "source", ""), rows, right=(2,))
    if outcome["outcome"] != "feasible" and outcome.get("least_achievable"):
        say("")
        table("Least achievable", ("", "value", "source"), summary.least_lines(outcome), right=(1,))
    _show_alone(outcome)
    for line in [*summary.trust_lines(outcome), *summary.round_lines(outcome)]:
        hint(line)
    for flag in outcome.get("flags") or []:
        hint(f"Note: {flag}")


def _show_alone(outcome: dict[str, Any]) -> None:
    """What each method would bring by itself: why the recipe looks as it does."""
    lines = [(x.method, x.choice, x.latency, x.energy, x.size, x.used) for x in alone_lines(outcome)]
    if lines:
        say("")
        heads = ("", "choice", "latency", "energy", "size", "in the recipe")
        table(f"Each method alone on {outcome.get('device', 'this device')}", heads, lines, right=(2, 3, 4))


def exit_code(search: dict[str, Any]) -> int:
    """0 feasible, 3 infeasible or undecided. Raises CliError (exit code 1) where the search didn't come to its end."""
    if search["state"] != "succeeded":
        reason = search.get("state_reason") or "no reason is known"
        raise CliError(f"search {search['id']} {search['state']}: {reason}", FAILED)
    return 0 if search.get("outcome") == "feasible" else INFEASIBLE
