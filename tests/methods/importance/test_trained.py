"""Importances on networks that have learned something, and what pruning by them leaves."""

from __future__ import annotations

import pytest
import torch

from methods.channel_pruning import ChannelPruning
from methods.graph.coupling.trace import couple
from methods.graph.intake.capture import capture
from methods.graph.ir import Graph
from methods.graph.surgery.edit import difference, prune
from methods.importance.batch_norm_scale import scales_of
from methods.importance.catalogue import IMPORTANCES, importance
from methods.importance.global_choice import kept_globally
from methods.recovery.batch_norm import BatchNormRecalibration
from methods.recovery.fine_tuning import FineTuning
from methods.recovery.slimming import Slimming
from search.importances import compare
from tests.methods.importance.digits import LeNetLike, Normed, accuracy, parts, trained
from tests.zoo.catalogue import network

torch.set_num_threads(1)


@pytest.mark.seed("taylor-pruning")
def test_taylor_foretells_what_removals_do() -> None:
    """Rank correlation with the change of the loss above 0.7 over sixty removals; lots foretell nothing."""
    names = ("taylor", "fisher", "random")
    found = compare(trained(LeNetLike), parts().train, importances={n: IMPORTANCES[n] for n in names})
    rho = {line["name"]: line["spearman"] for line in found["importances"]}
    assert len(found["removals"]) == 60
    assert rho["taylor"] > 0.7
    assert rho["fisher"] > 0.5
    assert abs(rho["random"]) < 0.4


@pytest.mark.seed("prune-next-layer-effect")
@pytest.mark.parametrize(
    ("name", "share"), [("magnitude-l1", 0.75), ("taylor", 0.7), ("lasso", 0.75), ("random", 0.75)]
)
def test_fresh_statistics_win_back_what_pruning_cost(name: str, share: float) -> None:
    """Whatever chose the channels: 30 % of the lost accuracy and more, without any training."""
    whole, data = trained(Normed), parts()
    cut = ChannelPruning(name).apply(whole, dict.fromkeys(couple(whole).groups, share), data.train)
    mended = BatchNormRecalibration().recover(cut, whole, data.train, seed=0)
    before, without, after = (accuracy(g, data.report) for g in (whole, cut, mended))
    assert before - without > 0.05
    assert after - without >= 0.3 * (before - without)


@pytest.mark.seed("l1-filter")
@pytest.mark.parametrize("name", ["plain", "residual", "vgg", "resnet_basic", "resnet_bottleneck", "mobilenet_v2"])
def test_a_network_without_small_filters_equals_one_with_zeros_there(name: str) -> None:
    """Filters, biases, normalisations and residual sums: cut by sums of sizes or set to zero, the outputs are equal."""
    graph = capture(*network(name))
    scores = importance("magnitude-l1").score(graph, None)  # type: ignore[arg-type]
    kept = {site: s.argsort(descending=True)[: (len(s) + 1) // 2].sort().values.tolist() for site, s in scores.items()}
    assert difference(zeroed(graph, kept), prune(graph, kept), graph.example(4)) <= 1e-5


@pytest.mark.seed("l1-filter")
def test_the_l1_score_of_a_filter_is_the_sum_of_its_sizes() -> None:
    """As published; single weights have their own sizes."""
    graph = trained(LeNetLike)
    weight = graph.tensor("conv2.weight").detach()
    found = importance("magnitude-l1").score(graph, parts().train)["channels:conv2"]
    torch.testing.assert_close(found.float(), weight.abs().sum((1, 2, 3)))
    assert torch.equal(importance("magnitude-l1").weights(graph, parts().train)["conv2.weight"], weight.abs())


@pytest.mark.seed("network-slimming")
def test_training_with_a_price_on_scales_makes_room() -> None:
    """Six of ten channels go below one threshold for the whole network; trained on a little, as good as before. Without
    the price, the same threshold destroys the network."""
    whole, data = trained(Normed), parts()
    slim = Slimming(strength=0.15, epochs=12).recover(whole, whole, data.train, seed=0)
    cuts = {}
    for name, graph in (("slim", slim), ("whole", whole)):
        kept = kept_globally(importance("batch-norm-scale").score(graph, data.train), 0.4)
        cuts[name] = prune(graph, kept)
        assert sum(map(len, kept.values())) == round(0.4 * 72)
    assert accuracy(cuts["slim"], data.report) > accuracy(cuts["whole"], data.report) + 0.2
    tuned = FineTuning(epochs=8).recover(cuts["slim"], whole, data.train, seed=0)
    assert accuracy(tuned, data.report) >= accuracy(whole, data.report) - 0.01


@pytest.mark.seed("network-slimming")
@pytest.mark.parametrize("name", ["vgg", "resnet_basic", "mobilenet_v2"])
def test_a_slimmed_network_equals_one_with_scales_of_zero(name: str) -> None:
    """Channels whose scale and shift are zero may as well go."""
    graph = capture(*network(name)).clone()
    scores = importance("batch-norm-scale").score(graph, None)  # type: ignore[arg-type]
    scores = {site: torch.rand(len(s), generator=torch.Generator().manual_seed(3)) for site, s in scores.items()}
    kept, coupling = kept_globally(scores, 0.5), couple(graph)
    with torch.no_grad():
        for site, units in kept.items():
            for place in (p for p in coupling.groups[site].places if p.role == "along"):
                gone = ~torch.isin(place.unit, torch.tensor(units))
                scale = graph.tensor(place.parameter)
                if place.parameter in scales_of(graph) or place.parameter.endswith("bias"):
                    scale.index_fill_(0, place.index[gone], 0.0)
    assert difference(graph, prune(graph, kept), graph.example(4)) <= 1e-5


def zeroed(graph: Graph, kept: dict[str, list[int]]) -> Graph:
    """All that makes or goes along with the other units set to zero; running variances to one."""
    result = graph.clone()
    with torch.no_grad():
        for site, units in kept.items():
            for place in (p for p in couple(graph).groups[site].places if p.role in ("out", "along")):
                gone = ~torch.isin(place.unit, torch.tensor(units))
                result.tensor(place.parameter).index_fill_(place.dim, place.index[gone], 0.0)
    return result
