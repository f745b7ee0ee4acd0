"""`fitwright inspect --importance`: how well each importance foretells what removing units does to a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service.cli_show import err, hint, print_json, say, table

if TYPE_CHECKING:
    from methods.graph.ir import Graph

Document = dict[str, Any]


def rate_importances(graph: Graph, data: str, removals: int, as_json: bool) -> None:
    """Removes units with a bar on standard error, and prints the table or the document."""
    import torch

    from search.data import load_dataset
    from search.importances import compare_on

    torch.set_num_threads(1)  # as in a search, so that figures are the same everywhere
    dataset = load_dataset(data)
    with _bar() as report:
        found = compare_on(graph, dataset, removals, report)
    if as_json:
        print_json(found)
    else:
        show_importances(found, dataset.name)


def show_importances(found: Document, dataset: str) -> None:
    """Prints what `search.importances.compare` found, for people."""
    from search import importance_words as words

    say(words.headline(found)[:1].upper() + words.headline(found)[1:])
    say(f"Rank correlation of scores with what {words.removals_text(found)} of {dataset} did to the loss:")
    say("")
    table(
        "",
        ("importance", "Spearman", "Kendall", "within sites", "time"),
        [(line.name, line.spearman, line.kendall, line.within, line.time) for line in words.lines(found)],
        (1, 2, 3, 4),
    )
    for line in words.lines(found):
        if line.reason:
            hint(f"{line.name}: {line.reason}")


@contextmanager
def _bar() -> Iterator[Callable[[int, int], None]]:
    """A bar of removals in a terminal, and nothing elsewhere."""
    console = err()
    columns = (TextColumn("Removing units"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("removals", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
