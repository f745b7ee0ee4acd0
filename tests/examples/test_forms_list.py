"""The forms of the benchmark can be put on a network: none is named that isn't there, none asks for what can't be."""

import pytest
import torch

from benchmarks.forms_list import FORMS, Form, recipe
from examples.networks import LeNet5, ResidualDigits
from methods.base import Data
from methods.graph.intake.capture import capture
from search.candidates import configured
from search.target import FormTarget

IMAGES = torch.rand(16, 1, 28, 28, generator=torch.Generator().manual_seed(0))
DATA = Data((IMAGES,), torch.arange(16) % 10)


@pytest.mark.parametrize("form", FORMS[1:], ids=lambda form: form.name)
def test_every_form_changes_the_residual_network(form: Form) -> None:
    """It has steps, its training lasts as many epochs as asked for, and outputs aren't those of before."""
    torch.manual_seed(0)
    graph = capture(ResidualDigits(width=8, blocks=2).eval(), IMAGES[:2])
    made = recipe(form, graph, DATA, epochs=1)
    formed = FormTarget([(configured(s), s.choices) for s in made.steps], graph, DATA).apply(graph)
    assert made.steps
    assert made.training["settings"].get("epochs", 1) == 1
    assert not torch.allclose(formed(IMAGES)[0], graph(IMAGES)[0])


def test_what_does_not_fit_a_layer_is_left_out() -> None:
    """LeNet-5 has no residual blocks, Tucker-2 is for its two convolutions, low rank not for its ten classes."""
    graph = capture(LeNet5().eval(), IMAGES[:2])
    forms = {form.name: recipe(form, graph, DATA, 1) for form in FORMS[:12]}
    assert not forms["untouched"].steps
    assert not forms["blocks, every other"].steps
    assert list(forms["tucker-2 50 %"].steps[0].choices) == ["weight:conv1", "weight:conv2"]
    assert list(forms["low-rank 25 %"].steps[0].choices) == ["weight:conv1", "weight:conv2", "weight:fc1"]
