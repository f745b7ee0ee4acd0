"""What is done once per search: the untouched model's costs, absolute limits, variables, the least achievable, and
the sensitivity of every site to every choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hwmodels.arithmetic import saves
from methods.base import Method
from methods.graph.coupling.verify import TOLERANCE, checked
from search.alone import alone
from search.candidates import Effort, compress, cost_of
from search.context import Context
from search.evaluate import KNOWN
from search.guide import build_guide
from search.limits import parse_limits, resolve
from search.preflight import below, described, first_look, least_achievable, least_of, upper_ends
from search.problem import Limit, Problem, Recipe, Step, Variable
from search.recipes import expanded
from search.rounds import held

Document = dict[str, Any]
Progress = Callable[[str, int, int], None]

PROBES_PER_SITE = 3
"""Values measured per site and method; the rest is interpolated."""
BROKEN_LOSS = 1e3
"""Loss given to a choice that can't be evaluated, far above any real one."""


def prepare(
    context: Context,
    sensitivities: Sequence[Mapping[str, Any]],
    on_sensitivity: Callable[[Document], None],
    on_progress: Progress,
) -> Document:
    """The prepared document; `infeasible` is not empty where a limit is below what the strongest recipe reaches."""
    on_progress("measuring the untouched model", 0, 1)
    known = {"calibration": calibration_of(context)}
    if context.request.get("recipe"):
        return _given(context) | known
    variables, left_alone = variables_of(context)
    more: Document = {
        "variables": [[v.method, v.site, list(v.values)] for v in variables],
        "left_alone": left_alone,
        "evaluations": int(context.request.get("evaluations", 40)),
        "seed": context.seed,
        "strategy": context.request.get("strategy", "plan"),
        **known,
    }
    refusal = first_look(context, variables)
    if refusal is not None:
        return refusal | more
    costs = cost_of(context, context.graph).to_json()
    upper = upper_ends(costs)
    limits = resolve(parse_limits(context.request["limits"]), upper)
    least = least_achievable(context, variables, costs)
    prepared = described(context, costs, limits, least, below(limits, least)) | more
    if prepared["infeasible"]:
        return prepared
    losses = measure_sensitivities(context, variables, sensitivities, on_sensitivity, on_progress)
    on_progress("what each method brings here", 0, 1)
    wanted = [name for name, method in context.methods.items() if _wanted(context, method)]
    prepared["alone"] = alone(context, wanted, variables, costs)
    limited = {limit.figure: upper[limit.figure] for limit in limits}
    prepared["guide"] = build_guide(context, variables, losses, limited).to_json()
    return prepared


def calibration_of(context: Context) -> Document | None:
    """What a reader is told of how right the device's table is; None for one that isn't calibrated."""
    calibration = getattr(context.cost_model, "calibration", None)
    if calibration is None:
        return None
    document = calibration.to_json()
    return {name: document[name] for name in ("margin", "mean", "p90", "worst", "networks", "created")}


def _given(context: Context) -> Document:
    """The same where nothing is searched for: the one recipe that the request gives, made explicit. Raises what its
    methods raise where it can't be carried out."""
    recipe = expanded(context.request["recipe"], context.graph, context.device)
    compress(context, recipe, Effort.NONE)
    costs = cost_of(context, context.graph).to_json()
    limits = resolve(parse_limits(context.request["limits"]), upper_ends(costs))
    more: Document = {"variables": [], "left_alone": [], "evaluations": 1, "seed": context.seed, "strategy": "given"}
    return described(context, costs, limits, least_of([costs]), []) | more | {"given": recipe.to_json()}


def variables_of(context: Context) -> tuple[tuple[Variable, ...], list[Document]]:
    """Everything that may be chosen, and the channel groups left alone because their coupling did not check out."""
    errors = checked(context.graph) if "channel-pruning" in context.methods else {}
    wrong = {site: error for site, error in errors.items() if not error <= TOLERANCE}
    found = []
    for name, method in context.methods.items():
        if not _wanted(context, method):
            continue
        for site, values in method.space(context.graph, context.device).sites.items():
            if site not in wrong and len(values) > 1:
                found.append(Variable(name, site, tuple(values)))
    return tuple(found), [{"site": s, "relative_error": e} for s, e in wrong.items()]


def _wanted(context: Context, method: Method) -> bool:
    """Methods that are named are tried; of the others those that help with what is limited, on this device."""
    helps = method.helps | (saves(context.device, method.stage) if "size" in method.helps else frozenset())
    return context.request.get("methods") is not None or not helps.isdisjoint(context.request["limits"])


def sensitivity_key(method: str, site: str, value: object) -> str:
    """The key that a sensitivity is stored under, beside model, data and seed."""
    return f"{method}|{site}|{value}"


def measure_sensitivities(
    context: Context,
    variables: Sequence[Variable],
    known: Sequence[Mapping[str, Any]],
    on_sensitivity: Callable[[Document], None],
    on_progress: Progress,
) -> dict[str, float]:
    """Key -> loss of that one choice alone; choices that are already known are not measured again."""
    losses = {str(row["key"]): float(row["loss"]) for row in known}
    wanted = [(v, i) for v in variables for i in probed(len(v.values))]
    for done, (variable, index) in enumerate(wanted):
        on_progress("measuring sensitivities", done, len(wanted))
        value = variable.values[index]
        key = sensitivity_key(variable.method, variable.site, value)
        if key not in losses:
            losses[key] = _loss(context, Recipe((Step(variable.method, {variable.site: value}),)))
            row = {"key": key, "method": variable.method, "site": variable.site, "value": value}
            on_sensitivity({**row, "loss": losses[key], "costs": {}})
    on_progress("measuring sensitivities", len(wanted), len(wanted))
    return losses


def probed(count: int) -> list[int]:
    """Which of `count` values are measured: the last always, the others evenly spread."""
    inner = min(PROBES_PER_SITE, count - 1)
    return sorted({round((k + 1) * (count - 1) / inner) for k in range(inner)}) if inner else []


def _loss(context: Context, recipe: Recipe) -> float:
    try:
        return context.probe_loss(compress(context, recipe, Effort.CHEAP))
    except KNOWN:
        return BROKEN_LOSS


def problem_of(prepared: Mapping[str, Any]) -> Problem:
    """The search problem that a prepared document describes, under the limits that hold for estimates."""
    variables = tuple(Variable(m, s, tuple(values)) for m, s, values in prepared["variables"])
    limits = tuple(Limit(d["metric"], float(d["value"]), d["text"]) for d in held(prepared))
    return Problem(variables, limits, int(prepared["evaluations"]), int(prepared["seed"]))
