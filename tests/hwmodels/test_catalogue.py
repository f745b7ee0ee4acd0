"""Looking devices and cost models up by name."""

import pytest

from hwmodels.base import HardwareModelError
from hwmodels.catalogue import COST_MODELS, DEVICES, NeedsTable, UnknownCostModel, UnknownDevice, cost_model, device


def test_every_device_is_found_under_its_id() -> None:
    """The key is the id, and its cost model exists."""
    for key, found in DEVICES.items():
        assert device(key) is found
        assert found.id == key
        assert COST_MODELS[found.cost_model].name == found.cost_model


def test_analytical_devices_need_no_table() -> None:
    """Their cost model is had by name alone, and nothing claims to time them."""
    for found in DEVICES.values():
        if found.kind == "analytical":
            assert cost_model(found.cost_model).name == found.cost_model
            assert not found.profiler


def test_a_model_that_works_from_measurements_says_so() -> None:
    """Asking for it by name alone is answered with what it needs."""
    with pytest.raises(NeedsTable, match="lookup works from a table of measurements"):
        cost_model("lookup")


def test_an_unknown_device_is_answered_with_the_nearest_and_all() -> None:
    """A typing mistake gets the name that was meant, and the rest of the list."""
    with pytest.raises(UnknownDevice, match=r"'eyeris-analytical'; did you mean eyeriss-analytical") as error:
        device("eyeris-analytical")
    assert all(known in str(error.value) for known in DEVICES)
    assert isinstance(error.value, HardwareModelError)


def test_a_name_like_nothing_gets_the_list_alone() -> None:
    """No far-fetched suggestion."""
    with pytest.raises(UnknownDevice, match=r"no device 'zzz'; the choice is ") as error:
        device("zzz")
    assert "did you mean" not in str(error.value)


def test_an_unknown_cost_model_is_named() -> None:
    """Cost models answer like devices."""
    with pytest.raises(UnknownCostModel, match=r"no cost model 'rooflin'; did you mean roofline"):
        cost_model("rooflin")
    assert set(COST_MODELS) >= {"roofline", "lookup"}
