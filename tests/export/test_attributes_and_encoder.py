"""attributes.onnx and encoder.onnx: the graphs beside model.onnx."""

import numpy as np
import torch
from onnx import numpy_helper

import mnistgen
from export import IR_VERSION
from export.attributes import Editor, fit_attributes
from export.verify import load_graph
from mnistgen._model import CONTROLLED
from tests.conftest import LATENT_DIM, small_model
from tests.export import conftest
from tests.export.conftest import SMALL, Exported, untrained


class TestAttributes:
    def test_newton_steps_change_predictions_as_requested(self) -> None:
        torch.manual_seed(0)
        editor = Editor(12, 4)
        latents, classes = torch.randn(50, 12), torch.eye(4)[torch.randint(4, (50,))]
        change = 0.1 * torch.randn(50, len(CONTROLLED))
        with torch.no_grad():
            before = editor(latents, classes, change)[0]
            moved = latents + editor.newton(latents, classes, change)
            after = editor(moved, classes, change)[0]
        assert (after - before - change).abs().mean() < 0.5 * change.abs().mean()

    def test_a_fit_is_reproducible_and_describes_itself(self, exported: Exported) -> None:
        folder = exported("conditional")
        fit = fit_attributes((folder / "model.onnx").read_bytes(), conftest.LATENT_DIM, 4, IR_VERSION)
        assert fit
        assert (fit.graph, fit.card) == ((folder / "attributes.onnx").read_bytes(), mnistgen.card(folder).attributes)
        assert fit.card.keys() == {"sha256", *CONTROLLED}
        for name in CONTROLLED:
            assert np.array(fit.card[name]["ranges"]).shape == (4, 2)
            assert fit.card[name]["r2"] <= 1

    def test_a_model_that_draws_nothing_has_none(self) -> None:
        model = small_model(conditional=True)
        for weight in model.graph.initializer:
            if (values := numpy_helper.to_array(weight)).dtype == np.float32:
                weight.CopyFrom(numpy_helper.from_array(np.zeros_like(values), weight.name))
        assert fit_attributes(model.SerializeToString(), LATENT_DIM, 10, IR_VERSION) is None


def test_encoder(exported: Exported) -> None:
    encoder, folder = untrained(SMALL["conditional"]).encoder, exported("conditional")
    assert encoder
    images = torch.rand(5, 28, 28)
    found = load_graph((folder / "encoder.onnx").read_bytes())(images)
    assert [values.shape for values in found] == [(5, conftest.LATENT_DIM), (5, 4)]
    with torch.no_grad():
        for values, expected in zip(found, encoder(images[:, None]), strict=True):
            assert np.allclose(values, expected.numpy(), atol=1e-2)  # the weights are rounded to half precision
    card = mnistgen.card(folder).encoder
    assert card
    assert card["parameters"] == sum(value.numel() for value in encoder.parameters())
    assert card["parity"]["difference"] <= card["parity"]["tolerance"]
