"""The analytical devices against numbers published for the real things."""

from dataclasses import replace

import pytest

from hwmodels.catalogue import DEVICES
from hwmodels.device import Device
from hwmodels.devices.accelerators import BITFUSION, EYERISS, EYERISS_PEAK
from hwmodels.devices.boards import EDGE_TPU, JETSON
from hwmodels.devices.fpga import ZYNQ
from hwmodels.devices.microcontrollers import CORTEX_M4, CORTEX_M7
from hwmodels.devices.phones import PHONE_CPU, PHONE_GPU
from hwmodels.devices.servers import A100
from hwmodels.energy import DRAM_J_PER_BIT
from hwmodels.memory import peak_activation_bytes
from hwmodels.roofline import Roofline
from hwmodels.workload import Workload
from tests.hwmodels.ops import chain, conv, linear
from tests.hwmodels.published_networks import (
    autoencoder,
    bert,
    ds_cnn,
    efficientnet_lite,
    mobilenet_v1,
    mobilenet_v2,
    resnet_8,
    resnet_50,
    vgg,
    wide_alexnet,
)

MODEL = Roofline()
MOBILENET = mobilenet_v2(0.35, 144, last=448)
LITE = {
    "lite0": (1.0, 1.0, 224),
    "lite1": (1.0, 1.1, 240),
    "lite2": (1.1, 1.2, 260),
    "lite3": (1.2, 1.4, 280),
    "lite4": (1.4, 1.8, 300),
}
"""EfficientNet-lite: width, depth, image."""


def ms(workload: Workload, device: Device) -> float:
    return 1e3 * MODEL.estimate(workload, device)["latency_s"].value


def test_mobilenet_on_a_cortex_m7_takes_what_was_measured() -> None:
    """118 ms (X-CUBE-AI) and 124 ms (TinyEngine) on an STM32H743; one efficiency was fitted here, so this pins it."""
    assert MOBILENET.macs == pytest.approx(23.5e6, rel=0.005)
    latency_s = MODEL.estimate(MOBILENET, CORTEX_M7)["latency_s"].value
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
    latency_s = MODEL.estimate(network, CORTEX_M7)["latency_s"].value
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
    assert 1 / MODEL.estimate(network, EYERISS)["latency_s"].value == pytest.approx(0.7, rel=0.02)


def test_float32_is_costed_as_16_bit_on_eyeriss() -> None:
    """There is no floating point there: the same figures as for the network in 16 bits."""
    wide, narrow = chain(conv(bits=32)), chain(conv(bits=16))
    assert MODEL.estimate(wide, EYERISS).to_json() == MODEL.estimate(narrow, EYERISS).to_json()


def test_a_cortex_m4_runs_the_visual_wake_words_as_measured() -> None:
    """230.5 ms and 10,067 uJ (MLPerf Tiny 1.0, STM32L4R5); neither was fitted, and both come within 10 %.

    Fitted were the other three networks' latencies, which come within 2 %, and no energy at all.
    """
    cost = MODEL.estimate(mobilenet_v1(0.25, 96, classes=2), CORTEX_M4)
    assert cost["latency_s"].value == pytest.approx(0.2305, rel=0.1)
    assert cost["energy_j"].value == pytest.approx(10_067e-6, rel=0.1)
    fitted = ((resnet_8(), 226.9), (ds_cnn(), 75.1), (autoencoder(), 7.6))
    assert [ms(network, CORTEX_M4) for network, _ in fitted] == pytest.approx([t for _, t in fitted], rel=0.02)


def test_a_cortex_m4_draws_what_was_measured() -> None:
    """ResNet-8 10,682 uJ and the keyword spotter 3,372 uJ within 8 %, from the datasheet's current alone at 3.3 V.

    Nothing was fitted, but the board ran at 1.8 V and drew twice that current: the agreement is luck.
    """
    for network, measured_j in ((resnet_8(), 10_682e-6), (ds_cnn(), 3_372e-6)):
        assert MODEL.estimate(network, CORTEX_M4)["energy_j"].value == pytest.approx(measured_j, rel=0.08)


@pytest.mark.parametrize(
    ("device", "bits", "within", "measured"),
    [
        (PHONE_CPU, 32, 0.1, (18, 26, 41, 76)),
        (PHONE_CPU, 8, 0.15, (9.1, 12, 18, 30)),
        (PHONE_GPU, 32, 0.1, (12, 16, 23, 36)),
        (PHONE_GPU, 16, 0.15, (8, 10, 14, 21)),
    ],
    ids=["cpu-fp32", "cpu-int8", "gpu-fp32", "gpu-fp16"],
)
def test_a_phone_runs_efficientnet_lite_as_measured(
    device: Device, bits: int, within: float, measured: tuple[float, ...]
) -> None:
    """lite1 to lite4 on a Pixel 4; rates and overheads were set by lite0 alone, which is a seventh of lite4."""
    predicted = [ms(efficientnet_lite(*LITE[name], bits), device) for name in ("lite1", "lite2", "lite3", "lite4")]
    assert predicted == pytest.approx(list(measured), rel=within)


def test_a_jetson_runs_mobilenet_as_measured() -> None:
    """MobileNet v1 in 0.58 ms (MLPerf 0.5, Xavier, single stream) within 10 %; ResNet-50's 2.04 ms were fitted."""
    assert ms(mobilenet_v1(1.0, 224), JETSON) == pytest.approx(0.58, rel=0.1)
    assert ms(resnet_50(8), JETSON) == pytest.approx(2.04, rel=0.02)


def test_an_edge_tpu_runs_mobilenet_v2_as_measured() -> None:
    """2.6 ms over USB within 10 %; MobileNet v1's 2.4 ms were fitted. A Pixel 4's takes 3.8 ms for lite0: 20 % off."""
    assert ms(mobilenet_v2(1.0, 224), EDGE_TPU) == pytest.approx(2.6, rel=0.1)
    assert ms(mobilenet_v1(1.0, 224), EDGE_TPU) == pytest.approx(2.4, rel=0.02)
    assert ms(efficientnet_lite(*LITE["lite0"], 8), EDGE_TPU) == pytest.approx(3.8, rel=0.22)


def test_what_stays_in_floats_runs_on_the_edge_tpus_host() -> None:
    """The Dev Board's own cores: MobileNet v1 in 164 ms was fitted, v2 in 122 ms comes out 28 % low."""
    assert ms(mobilenet_v1(1.0, 224, bits=32), EDGE_TPU) == pytest.approx(164, rel=0.03)
    assert ms(mobilenet_v2(1.0, 224, bits=32), EDGE_TPU) == pytest.approx(122, rel=0.3)


def test_bit_fusion_takes_the_cycles_of_its_authors_simulator() -> None:
    """AlexNet's convolutions at 8 and 4 bits, batch 16: 32.1 M cycles, none of them fitted; 17 % less here."""
    cycles = ms(wide_alexnet(), BITFUSION) / 1e3 * 500e6
    published = 2 * (3_746_423 + 5_018_849 + 3_248_129 + 2_436_097 + 1_624_065)
    assert cycles == pytest.approx(published, rel=0.2)


def test_bit_fusion_gains_from_both_widths() -> None:
    """Half of either width doubles the rate: 16 times from 8 x 8 bits to 2 x 2 (the paper's fusion unit)."""
    rates = BITFUSION.macs_per_s
    assert rates["int2"] == 4 * rates["int4"] == 16 * rates["int8"]
    assert rates["int2x8"] == rates["int8x2"] == 4 * rates["int8"]
    assert rates["fp16"] == rates["int8"] / 4


def test_an_fpga_runs_vgg_as_measured() -> None:
    """Angel-Eye's 84.3 GOP/s on VGG-16's convolutions (XC7Z020, 8 bits) within 15 %; nothing was fitted."""
    network = vgg((2, 2, 3, 3, 3), 8, classifier=False)
    assert ms(network, ZYNQ) == pytest.approx(1e3 * 2 * network.macs / 84.3e9, rel=0.15)
    energy_j = MODEL.estimate(network, ZYNQ)["energy_j"].value
    assert energy_j == pytest.approx(3.5 * 2 * network.macs / 84.3e9, rel=0.25)


def test_shifting_gives_an_fpga_what_was_measured() -> None:
    """Powers of two in LUTs beside the DSP blocks: 2.1 to 4.1 times the DSP blocks alone (Mix and match, HPCA 2021)."""
    rates = ZYNQ.macs_per_s
    assert 2.1 < (rates["int8"] + rates["shift8"]) / rates["int8"] < 4.1


def test_an_a100_runs_bert_as_measured() -> None:
    """128 tokens, batch 128: 51.6 ms in float16, 25.5 ms in int8, BERT-Base of 384 tokens 51.3 and 29.3 ms.

    Within 15 %; BERT-Large of 384 tokens was fitted.
    """
    held_out = ((24, 1024, 128, 16, 51.6), (24, 1024, 128, 8, 25.5), (12, 768, 384, 16, 51.3), (12, 768, 384, 8, 29.3))
    for layers, width, tokens, bits, measured in held_out:
        network = bert(layers, width, tokens, 128, bits, heads=width // 64)
        assert ms(network, A100) == pytest.approx(measured, rel=0.15)


def test_2_of_4_zeros_gain_an_a100_what_was_measured() -> None:
    """BERT-Large with sparse weights, batch 64 and 32: 4 and 2 % faster; batch 128 was fitted."""
    for batch, measured in ((64, 43.61 / 45.40), (32, 22.71 / 23.17)):
        dense = bert(24, 1024, 384, batch, 8, heads=16)
        pruned = tuple(replace(op, density=0.5, pattern="2:4") if op.weights else op for op in dense.ops)
        gain = ms(replace(dense, ops=pruned), A100) / ms(dense, A100)
        assert gain == pytest.approx(measured, abs=0.03)
        assert gain < 1


@pytest.mark.parametrize("device", [d for d in DEVICES.values() if d.kind == "analytical"], ids=lambda d: d.id)
def test_analytical_devices_say_so_and_name_their_sources(device: Device) -> None:
    """Title, id and sources leave no doubt that nothing was measured."""
    assert "analytical" in device.title
    assert device.id.endswith("-analytical")
    assert device.sources
    assert set(device.macs_per_s) == set(device.mac_energy_j)
    assert all(0 < share <= 1 for share in (*device.skips.values(), *device.gates.values()))
    assert any("zero" in source for source in device.sources)
    assert all(0 < share <= 1 for share in device.efficiency.values())
