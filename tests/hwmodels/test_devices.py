"""The analytical devices against numbers published for the real things."""

import pytest

from hwmodels.catalogue import DEVICES
from hwmodels.device import Device
from hwmodels.devices.accelerators import EYERISS, EYERISS_PEAK
from hwmodels.devices.microcontrollers import CORTEX_M7
from hwmodels.energy import DRAM_J_PER_BIT
from hwmodels.memory import peak_activation_bytes
from hwmodels.roofline import Roofline
from hwmodels.workload import Op, Workload
from tests.hwmodels.ops import chain, conv, linear

BLOCKS = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
"""MobileNetV2 (arXiv:1801.04381, table 2): expansion, channels, repeats, stride."""


def mobilenet_v2(width: float, image: int, last: int) -> Workload:
    """Its convolutions and classifier in int8, additions and pooling left out."""
    size, channels = image // 2, rounded(32 * width)
    ops = [conv("stem", inputs=3, outputs=channels, size=size, source=image)]
    for expansion, outputs, repeats, stride in BLOCKS:
        for i in range(repeats):
            ops += block(f"{outputs}.{i}", channels, expansion, rounded(outputs * width), size, stride if i == 0 else 1)
            size, channels = ops[-1].outputs[0].shape[-1], ops[-1].outputs[0].shape[1]
    ops.append(conv("last", inputs=channels, outputs=last, kernel=1, size=size))
    return chain(*ops, linear("classifier", inputs=last, outputs=1000))


def block(name: str, channels: int, expansion: int, outputs: int, size: int, stride: int) -> list[Op]:
    wide, after = channels * expansion, -(-size // stride)
    expand = [conv(f"{name}.expand", inputs=channels, outputs=wide, kernel=1, size=size)] if expansion > 1 else []
    depthwise = conv(f"{name}.depthwise", inputs=wide, outputs=wide, size=after, source=size, groups=wide)
    return [*expand, depthwise, conv(f"{name}.project", inputs=wide, outputs=outputs, kernel=1, size=after)]


def rounded(channels: float) -> int:
    """To a multiple of 8, never down by more than a tenth, as MobileNet does."""
    nearest = max(8, int(channels + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * channels else nearest


MOBILENET = mobilenet_v2(0.35, 144, last=448)


def test_mobilenet_on_a_cortex_m7_takes_what_was_measured() -> None:
    """118 ms (X-CUBE-AI) and 124 ms (TinyEngine) on an STM32H743; one efficiency was fitted here, so this pins it."""
    assert MOBILENET.macs == pytest.approx(23.5e6, rel=0.005)
    latency_s = Roofline().estimate(MOBILENET, CORTEX_M7)["latency_s"].value
    assert 0.118 < latency_s < 0.124


def test_mobilenet_needs_a_little_more_ram_than_was_measured() -> None:
    """295 and 296 kB of SRAM in the two engines, which reuse a depthwise input's room; liveness doesn't assume that."""
    assert 296e3 < peak_activation_bytes(MOBILENET) < 1.06 * 296e3


def test_cifar_10_on_a_cortex_m7_scales_from_216_mhz() -> None:
    """CMSIS-NN's network: 99.1 ms at 216 MHz is 44.6 ms at 480 MHz."""
    network = chain(
        conv("conv1", inputs=3, outputs=32, kernel=5, size=32),
        conv("conv2", inputs=32, outputs=32, kernel=5, size=16),
        conv("conv3", inputs=32, outputs=64, kernel=5, size=8),
        linear("ip1", inputs=1024, outputs=10),
    )
    latency_s = Roofline().estimate(network, CORTEX_M7)["latency_s"].value
    assert latency_s == pytest.approx(0.0991 * 216 / 480, rel=0.02)


def test_eyeriss_has_the_peak_and_dram_of_its_papers() -> None:
    """33.6 GMAC/s; 200 MACs' worth of energy per DRAM access agrees with 640 pJ per 32 bits from elsewhere."""
    assert pytest.approx(33.6e9) == EYERISS_PEAK
    assert EYERISS.memories[-1].energy_j_per_bit == pytest.approx(DRAM_J_PER_BIT, rel=0.01)


def test_eyeriss_runs_vgg_at_the_measured_rate() -> None:
    """VGG-16's convolutions at 0.7 frames/s; 3x3 kernels are what its efficiency was taken from."""
    widths = [(3, 64, 224), (64, 64, 224), (64, 128, 112), (128, 128, 112), (128, 256, 56)] + [(256, 256, 56)] * 2
    widths += [(256, 512, 28)] + [(512, 512, 28)] * 2 + [(512, 512, 14)] * 3
    network = chain(*(conv(f"conv{n}", inputs=i, outputs=o, size=s, bits=16) for n, (i, o, s) in enumerate(widths)))
    assert network.macs == pytest.approx(15.3e9, rel=0.01)
    assert 1 / Roofline().estimate(network, EYERISS)["latency_s"].value == pytest.approx(0.7, rel=0.02)


def test_float32_is_costed_as_16_bit_on_eyeriss() -> None:
    """There is no floating point there: the same figures as for the network in 16 bits."""
    wide, narrow = chain(conv(bits=32)), chain(conv(bits=16))
    assert Roofline().estimate(wide, EYERISS).to_json() == Roofline().estimate(narrow, EYERISS).to_json()


@pytest.mark.parametrize("device", [d for d in DEVICES.values() if d.kind == "analytical"], ids=lambda d: d.id)
def test_analytical_devices_say_so_and_name_their_sources(device: Device) -> None:
    """Title, id and sources leave no doubt that nothing was measured."""
    assert "analytical" in device.title
    assert device.id.endswith("-analytical")
    assert device.sources
    assert set(device.macs_per_s) == set(device.mac_energy_j)
    assert all(0 < share <= 1 for share in device.efficiency.values())
