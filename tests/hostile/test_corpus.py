"""No file of the corpus runs code, reads what it shouldn't, or gives anything but a model or a reason."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from methods.graph.load import load_graph
from tests.hostile import good
from tests.hostile.case import SECRET, Case, Traps
from tests.hostile.corpus import corpus, traps_in, write
from tests.hostile.worker import Verdict, judge


@dataclass(frozen=True)
class Judged:
    """The corpus, what came of each file, and the traps that none of them may have sprung."""

    cases: list[Case]
    verdicts: list[Verdict]
    traps: Traps

    def __iter__(self) -> Iterator[tuple[Case, Verdict]]:
        return zip(self.cases, self.verdicts, strict=True)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Every file read and checked, one after the other, in one process that is watched."""
    folder = tmp_path_factory.mktemp("hostile")
    traps = traps_in(folder / "traps")
    cases = corpus(traps)
    return Judged(cases, judge(write(cases, folder / "files"), folder), traps)


def test_there_are_many_and_they_are_small(judged: Judged) -> None:
    """At least 200 files with names of their own, of less than 60 MB together."""
    assert len({case.name for case in judged.cases}) == len(judged.cases) >= 200
    assert sum(len(case.data) for case in judged.cases) < 60e6


def test_they_are_the_same_every_time(judged: Judged) -> None:
    """Nothing about the files is left to chance."""
    assert corpus(judged.traps) == judged.cases


@pytest.mark.parametrize("suffix", ["fwm", "pt2", "onnx"])
def test_the_files_they_were_made_from_are_sound(suffix: str, tmp_path: Path) -> None:
    """What is refused is refused for what was done to it."""
    path = tmp_path / f"sound.{suffix}"
    path.write_bytes({"fwm": good.fwm(), "pt2": good.pt2(), "onnx": good.onnx_file()}[suffix])
    graph = load_graph(path)
    graph.check()
    assert graph.parameter_count > 0


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_the_payloads_are_real(tmp_path: Path) -> None:
    """A loader that unpickles springs the trap: the pickle by itself, and torch's own on the `.pt2` made of it."""
    traps = traps_in(tmp_path)
    pickle.loads(traps.pickled())  # noqa: S301 (that it runs is what is asserted)
    assert traps.canary.exists()
    traps.canary.unlink()
    archive = next(c.data for c in corpus(traps) if c.name == "executed-by-torch-sample-inputs.pt2")
    with pytest.raises(RuntimeError):  # after it has run
        torch.export.load(io.BytesIO(archive))
    assert traps.canary.exists()


def test_nothing_is_executed_or_read(judged: Judged) -> None:
    """No mark was left, no process or connection begun, nothing unpickled, and no secret came out."""
    assert not judged.traps.canary.exists()
    assert {case.name: verdict.deeds for case, verdict in judged if verdict.deeds} == {}
    assert judged.traps.secret.read_bytes() == SECRET


def test_every_file_has_a_verdict_with_a_reason(judged: Judged) -> None:
    """A model or a GraphError with words in it: never another exception, a crash or an endless wait."""
    odd = {c.name: v for c, v in judged if v.outcome not in ("loaded", "refused")}
    assert odd == {}
    assert [c.name for c, v in judged if v.outcome == "refused" and len(v.text) < 10] == []


def test_what_is_hostile_is_refused(judged: Judged) -> None:
    """Only files that are harmless, or by chance as good as before, are read."""
    assert [case.name for case, verdict in judged if case.refused and verdict.outcome == "loaded"] == []


def test_what_is_packed_and_sound_is_read(judged: Judged) -> None:
    """The packed weights that the corpus changes byte by byte, before they were changed."""
    sound = ("packed.fwm", "packed-zeros.fwm")
    assert {case.name: verdict.outcome for case, verdict in judged if case.name in sound} == dict.fromkeys(
        sound, "loaded"
    )
