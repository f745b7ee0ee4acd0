"""Quantisation: weights and activations of a layer in a few bits, calibrated on data.

Weights get symmetric codes with a scale per output channel, activations asymmetric codes with one scale, unless the
settings say otherwise; batch normalisation is folded first. Rounding stands in the graph with a straight-through
gradient, so fine-tuning takes it into account, and export turns it into integer operators where runtimes have them.

Reference: Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
inference", 2018, arXiv 1712.05877; Krishnamoorthi, 2018, arXiv 1806.08342 (scales per channel); Nagel et al., 2021,
arXiv 2106.08295 (the choices there are); Nagel et al., 2019, arXiv 1906.04721 (equalisation, correction of biases);
Esser et al., 2020, arXiv 1902.08153 (learned steps).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, fx

from hwmodels.device import Device
from hwmodels.workload import Op
from methods.base import EVERYTHING, BadChoice, Data, MethodError, Space, Value
from methods.choices import check_sites
from methods.graph.ir import Graph, WeightUse
from methods.graph.ops import kind_of
from methods.graph.surgery.bias_correction import correct_biases
from methods.graph.surgery.equalise import equalise
from methods.graph.surgery.learned_steps import learn_steps
from methods.graph.surgery.quantisers import Settings, fold_norm, points, quantise_points, ranges
from methods.numerics.affine import asymmetric, unsigned_range
from methods.numerics.observers import OBSERVERS, Aim
from methods.numerics.weight_codes import AUTOMATIC, WeightCoding
from methods.quantization_weights import WeightRounding, check_weight, planned, rounding_of
from methods.quantization_words import INTEGER, LEAVE, MIXED_WORDS, STORAGE_WORDS, Word, read_word

LAYERS = ("aten.conv1d.default", "aten.conv2d.default", "aten.linear.default")
GRANULARITIES = ("channel", "tensor")


@dataclass(frozen=True)
class Quantization:
    """Choices: "int8"; words such as "w4", "w4g32", "w4a8", "fp8-e4m3"; or "fp32" to leave a layer as it is.

    Attributes:
        percentile: share of the observed activations that the codes cover, in per cent; 100 covers all (min-max).
        samples: how many samples activations are observed on.
        observer: what sets the range of activations: min-max, percentile, mse, entropy or moving-average.
        weight_observer: the same for weights; "auto" is min-max from 8 bits on and mse below.
        granularity: a scale for each output "channel" of a weight, or one for the whole "tensor".
        symmetric: whether weights have no zero points.
        equalise: share out ranges between neighbouring layers first. bias_correction: keep the mean of each channel.
        learn_steps: scales are trained along.
        storage_words: whether a search is also offered "w8", "w4" and "w2", which make files smaller and nothing
            faster.
    """

    percentile: float = 100.0
    samples: int = 256
    observer: str = "min-max"
    weight_observer: str = AUTOMATIC
    granularity: str = "channel"
    symmetric: bool = True
    equalise: bool = False
    bias_correction: bool = False
    learn_steps: bool = False
    storage_words: bool = False
    name: str = "quantization"
    stage: ClassVar[str] = "round"
    runs: ClassVar[bool] = True
    helps: ClassVar[frozenset[str]] = EVERYTHING

    def __post_init__(self) -> None:
        """Raises BadChoice, naming the setting."""
        known = (*OBSERVERS, AUTOMATIC)
        _one_of("observer", self.observer, tuple(OBSERVERS))
        _one_of("weight_observer", self.weight_observer, known)
        _one_of("granularity", self.granularity, GRANULARITIES)
        if not 50.0 < self.percentile <= 100.0:
            raise BadChoice(f"percentile must lie above 50 and up to 100, not {self.percentile}")
        if self.samples < 1:
            raise BadChoice(f"samples must be 1 or more, not {self.samples}")

    def space(self, graph: Graph, device: Device) -> Space:
        """Every convolution (1-D and 2-D) and linear layer, in the widths that the device computes in."""
        words = (LEAVE, *((INTEGER,) if "int8" in device.precisions else ()))
        words += tuple(word for word, key in MIXED_WORDS.items() if key in device.macs_per_s)
        words += STORAGE_WORDS if self.storage_words else ()
        return Space({use.site: words for use in _uses(graph)} if len(words) > 1 else {})

    def apply(self, graph: Graph, choices: Mapping[str, Value], data: Data) -> Graph:
        """A graph with quantisers at the chosen layers. Raises BadChoice, and MethodError without samples."""
        check_sites(self.name, choices, {use.site for use in _uses(graph)})
        words = {site: word for site, value in choices.items() if (word := read_word(self.name, site, value))}
        result = graph.clone()
        chosen = [use for use in _uses(result) if use.site in words and rounding_of(use) != "quantize"]
        for use in chosen:
            check_weight(self.name, result, use, words[use.site])
        if not chosen:
            return result
        try:
            self._quantise(result, chosen, words, data)
        except ValueError as error:
            raise MethodError(f"{self.name}: {error}") from error
        result.remove_unused()
        return result

    def project(self, weight: Tensor, value: Value) -> Tensor:
        """The nearest weight on the codes of a word; same shape. Raises BadChoice; ValueError for a broken weight."""
        word = read_word(self.name, "a weight", value)
        if word is None:
            return weight.clone()
        return self._rounding(word).nearest(weight)

    def rewrite(self, op: Op, choices: Mapping[str, Value]) -> tuple[Op, ...]:
        """The operator with operands and result of so many bits."""
        word = read_word(self.name, op.site, choices.get(op.site, LEAVE))
        return (op,) if word is None or not op.weights else (planned(op, word),)

    def _rounding(self, word: Word) -> WeightRounding:
        whole = self.granularity == "tensor" and not word.group
        percentile = self.percentile if self.percentile < 100.0 else 99.9
        coding = WeightCoding(word.weights, word.group, whole, self.symmetric, self.weight_observer, percentile)
        return WeightRounding(word, coding)

    def _quantise(self, graph: Graph, chosen: Sequence[WeightUse], words: Mapping[str, Word], data: Data) -> None:
        inputs = data.head(self.samples).inputs
        watched = {use.node: words[use.site].activations for use in chosen if not words[use.site].weight_only}
        if (watched or self.bias_correction) and not len(data):
            raise MethodError("quantisation needs samples to see how large activations get; give it some")
        before = {node for node in graph.nodes if kind_of(node.target) == "quantize"}
        for use in chosen:
            fold_norm(graph, use)
        graph.module.recompile()
        if self.equalise:
            equalise(graph, chosen)
        exact = graph.clone() if self.bias_correction else graph
        self._activations(graph, watched, inputs)
        for use in chosen:
            if rounding_of(use) != "quantize":
                self._rounding(words[use.site]).put(graph, use)
        if self.bias_correction:
            correct_biases(graph, exact, chosen, inputs)
        if self.learn_steps:
            learn_steps(graph, [n for n in graph.nodes if kind_of(n.target) == "quantize" and n not in before])

    def _activations(self, graph: Graph, layers: Mapping[fx.Node, int], inputs: tuple[Tensor, ...]) -> None:
        codes = {name: unsigned_range(bits) for name, bits in points(layers).items()}
        observer = "percentile" if self.observer == "min-max" and self.percentile < 100.0 else self.observer
        aims = {name: Aim(code_range, percentile=self.percentile) for name, code_range in codes.items()}
        settings: dict[str, Settings] = {}
        for name, (least, most) in ranges(graph, aims, inputs, observer).items():
            found = asymmetric(least, most, codes[name])
            settings[name] = (float(found.scale), int(found.zero_point), found.low, found.high)
        quantise_points(graph, list(layers), settings)


def _one_of(setting: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise BadChoice(f"{setting} must be one of {', '.join(known)}, not {value!r:.40}")


def _uses(graph: Graph) -> list[WeightUse]:
    return [use for use in graph.weight_uses() if str(use.node.target) in LAYERS]
