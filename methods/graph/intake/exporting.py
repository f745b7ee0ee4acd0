"""torch.export with the batch axis left open, and words for when it fails or fixes the batch size."""

from __future__ import annotations

import io
import re
import traceback
import warnings
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import torch
from torch import SymInt, Tensor, nn

from methods.graph.intake.fakes import quiet
from methods.graph.intake.names import CaptureError
from methods.graph.ir import first_line

OURS = str(Path(__file__).parent)
ADVICE = "Write reshapes with -1 or x.shape[0] for the batch axis."


def export_program(model: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
    """The ExportedProgram of `model` (whose forward takes `*inputs`) as its training mode is now.

    Raises CaptureError where tracing fails, with the user's line.
    """
    failures: list[Exception] = []
    for strict in (False, True):
        try:
            return _export(model, inputs, strict)
        except CaptureError:
            raise
        except Exception as error:
            failures.append(error)
    raise CaptureError(_untraceable(model, inputs, failures[0]))


def _export(model: nn.Module, inputs: tuple[Tensor, ...], strict: bool) -> Any:
    shapes = (tuple({0: torch.export.Dim.AUTO} for _ in inputs),)
    with warnings.catch_warnings(), quiet(), redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        return torch.export.export(model, inputs, dynamic_shapes=shapes, strict=strict)


def fixed_batch(program: Any) -> str | None:
    """Where tracing took the batch size for a constant, in torch's words ("" if it doesn't say); None where it didn't.

    The graph may be right all the same: some operators compare sizes that they then don't use.
    """
    names = set(program.graph_signature.user_inputs)
    values = [n.meta["val"] for n in program.graph.nodes if n.op == "placeholder" and n.name in names]
    tensors = [v for v in values if isinstance(v, Tensor)]
    if all(isinstance(v.shape[0], SymInt) and v.shape[0].node.maybe_as_int() is None for v in tensors):
        return None
    found = {str(p) for v in tensors for p in v.fake_mode.shape_env.replacements_slocs.values()}  # type: ignore[attr-defined]
    return min(found, key=lambda p: p.startswith("("), default="")


def fixed_words(model: nn.Module, inputs: tuple[Tensor, ...], where: str) -> str:
    """What to tell about a model whose batch size is fixed, with the line that does it if torch knows."""
    return f"the model's batch size is fixed{_place(model, inputs, where)}. {ADVICE}"


def _place(model: nn.Module, inputs: tuple[Tensor, ...], where: str) -> str:
    """The user's line that fixed the batch size; strict tracing knows it more often."""
    if "#" not in where:
        try:
            where = fixed_batch(_export(model, inputs, strict=True)) or where
        except Exception as error:
            where = where or first_line(error)
    code, _, rest = where.partition("  # ")
    location = re.match(r"\S+:\d+", rest.strip())
    if location:
        return f" by `{code.strip()[:100]}` ({location[0].rpartition('/')[2]})"
    own = re.match(r"\((\S+\.py:\d+) in (\w+)\)", where)
    return f" by {own[2]} ({own[1].rpartition('/')[2]})" if own else ""


def _untraceable(model: nn.Module, inputs: tuple[Tensor, ...], error: Exception) -> str:
    try:
        with torch.no_grad():
            model(*(x.clone() for x in inputs))
    except CaptureError as own:
        return str(own)
    except Exception as own:
        return (
            f"the model does not run on the example at batch size {inputs[0].shape[0]}: {first_line(own)}{_line(own)}. "
            f"The example needs the inputs of forward in order; if only the batch size is wrong: {ADVICE}"
        )
    guarded = "GuardOnDataDependent" in type(error).__name__
    why = "it decides by a computed value" if guarded else first_line(error)
    return (
        f"torch.export could not trace the model: {why}{_line(error)}. Models whose control flow depends on values "
        "can't be captured; make the branch a tensor operation (torch.where) or capture the part without it"
    )


def _line(error: Exception) -> str:
    """The last line outside torch that led to an error."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/torch/" not in f.filename]
    frames = [f for f in frames if not f.filename.startswith(("<", OURS))]
    if not frames:
        return ""
    return f" (line {frames[-1].lineno} of {frames[-1].filename.rpartition('/')[2]}: `{(frames[-1].line or '')[:100]}`)"
