"""The attribute editor: fitted to a model's digits, exported, and used by the runtime."""

import numpy as np
import torch
from onnx import numpy_helper

from export.attributes import Editor, fit_attributes
from mnistgen._model import CONTROLLED
from tests.conftest import LATENT_DIM, small_model


def test_newton_steps_change_predictions_as_requested() -> None:
    torch.manual_seed(0)
    editor = Editor(12)
    latents, classes = torch.randn(50, 12), torch.eye(10)[torch.randint(10, (50,))]
    change = 0.1 * torch.randn(50, len(CONTROLLED))
    with torch.no_grad():
        before = editor(latents, classes, change)[0]
        moved = latents + editor.newton(latents, classes, change)
        after = editor(moved, classes, change)[0]
    assert (after - before - change).abs().mean() < 0.5 * change.abs().mean()


def test_a_fit_is_reproducible_and_describes_itself() -> None:
    model = small_model(conditional=True)
    fit = fit_attributes(model.SerializeToString(), LATENT_DIM)
    assert fit is not None
    assert fit.card.keys() == set(CONTROLLED)
    again = fit_attributes(model.SerializeToString(), LATENT_DIM)
    assert again is not None
    assert again.graph == fit.graph
    for known in fit.card.values():
        assert np.array(known["ranges"]).shape == (10, 2)
        assert known["r2"] <= 1


def test_a_model_that_draws_nothing_has_no_attributes() -> None:
    model = small_model(conditional=True)
    for weight in model.graph.initializer:
        values = numpy_helper.to_array(weight)
        if values.dtype == np.float32:
            weight.CopyFrom(numpy_helper.from_array(np.zeros_like(values), weight.name))
    assert fit_attributes(model.SerializeToString(), LATENT_DIM) is None
