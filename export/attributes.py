"""The attribute editor of a class-conditional model: two small networks, fitted to what the exported model draws.

The predictor reads a digit's attributes from its latents and class. The editor changes latents by as little as possible
so that the attributes change as requested; it learns from Newton steps with the predictor's gradient.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.to_onnx import MIN_IR_VERSION, export_module
from mnistgen._arrays import Float32, UInt8
from mnistgen._attributes import measured
from mnistgen._latents import draw
from mnistgen._loaded import to_uint8
from mnistgen._model import CONTROLLED
from mnistgen._runtime import import_onnxruntime
from mnistgen._session import CLASSES, IMAGES, LATENTS
from training.fitting import Phase, fit

DIGITS = 100_000  # digits of the model that the networks are fitted to
HELD_OUT = 10_000  # of them, for the coefficients of determination in the card
HIDDEN = 64  # units of each network
PHASE = Phase(epochs=7, peak_learning_rate=1e-2, batch_size=512, weight_decay=0.0)  # of each network
NEWTON_STEPS = 2
DAMPING = 1e-2
SIMILARITY = 0.1  # weight of the squared difference from the Newton step
RANGE = (0.5, 99.5)  # percentiles of each class's digits: what can be requested
SEED = 0


class Editor(nn.Module):
    """Latents (N, D), classes (N, 10), changes (N, A) in standard deviations -> attributes (N, A), latents (N, D)."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        count = len(CONTROLLED)
        self.predictor = _mlp(latent_dim + 10, count)
        self.editor = _mlp(latent_dim + 10 + count, latent_dim)

    def forward(self, latents: Tensor, classes: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
        """Attributes, as differences from their means in standard deviations, and the changed latents."""
        styles = torch.cat([latents, classes], 1)
        return self.predictor(styles), latents + self.editor(torch.cat([styles, change], 1))

    def newton(self, latents: Tensor, classes: Tensor, change: Tensor) -> Tensor:
        """The smallest change of latents (N, D) that changes the predicted attributes so, by damped Newton steps."""
        first, _, last = self.predictor
        assert isinstance(first, nn.Linear)
        assert isinstance(last, nn.Linear)
        moved, target = latents, None
        for _ in range(NEWTON_STEPS):
            hidden = first(torch.cat([moved, classes], 1))
            gate = torch.sigmoid(hidden)
            values = last(hidden * gate)
            target = values + change if target is None else target
            slope = gate * (1 + hidden * (1 - gate))  # (N, H), the derivative of SiLU
            jacobian = (last.weight * slope[:, None]) @ first.weight[:, : latents.shape[1]]  # (N, A, D)
            transposed = jacobian.transpose(1, 2)
            damped = jacobian @ transposed + DAMPING * torch.eye(len(CONTROLLED))
            moved = moved + (transposed @ torch.linalg.solve(damped, (target - values)[..., None]))[..., 0]
        return moved - latents


class Fit(NamedTuple):
    """An attribute editor: its graph, and what the card says of it."""

    graph: bytes
    card: dict[str, Any]


def fit_attributes(graph: bytes, latent_dim: int, ir_version: int = MIN_IR_VERSION) -> Fit | None:
    """Fit the editor to what the graph of a class-conditional model draws; None if that is blank or all alike."""
    draw_images = _drawing(graph)
    latents, labels = draw(SEED, 0, DIGITS, latent_dim)
    classes = np.eye(10, dtype=np.float32)[labels]
    found = np.concatenate(
        [
            np.stack(measured(draw_images(latents[part], classes[part]))[: len(CONTROLLED)], 1)
            for part in (slice(first, first + 1000) for first in range(0, DIGITS, 1000))
        ]
    )  # (N, A)
    mean, deviation = found.mean(0), found.std(0)
    if not (np.isfinite(found).all() and (deviation > 0).all()):
        return None
    standard = (found - mean) / deviation
    by_class = [np.percentile(found[labels == digit], RANGE, axis=0).T for digit in range(10)]  # (A, 2) each
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # of which more would wait for each other in networks as small as these
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            editor = _fitted(*(torch.from_numpy(array) for array in (latents, classes, standard)))
    finally:
        torch.set_num_threads(threads)
    with torch.no_grad():
        held_out = torch.from_numpy(latents[-HELD_OUT:]), torch.from_numpy(classes[-HELD_OUT:])
        errors = editor(*held_out, torch.zeros(HELD_OUT, len(CONTROLLED)))[0].numpy() - standard[-HELD_OUT:]
    exported = export_module(
        editor,
        tuple(torch.zeros(2, size) for size in (latent_dim, 10, len(CONTROLLED))),
        inputs=["latents", "classes", "change"],
        outputs=["attributes", "changed"],
        ir_version=ir_version,
    )
    onnx.checker.check_model(exported, full_check=True)
    determination = 1 - errors.var(0) / standard[-HELD_OUT:].var(0)
    return Fit(
        exported.SerializeToString(),
        {
            name: {
                "mean": float(mean[index]),
                "deviation": float(deviation[index]),
                "ranges": [[round(float(end), 4) for end in ranges[index]] for ranges in by_class],
                "r2": round(float(determination[index]), 4),
            }
            for index, name in enumerate(CONTROLLED)
        },
    )


def _drawing(graph: bytes) -> Callable[[Float32, Float32], UInt8]:
    """Latents (N, D), classes (N, 10) -> images uint8 (N, 28, 28), by onnxruntime."""
    session = import_onnxruntime().InferenceSession(graph, providers=["CPUExecutionProvider"])
    return lambda latents, classes: to_uint8(session.run([IMAGES], {LATENTS: latents, CLASSES: classes})[0])


def _mlp(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, outputs))


def _fitted(latents: Tensor, classes: Tensor, attributes: Tensor) -> Editor:
    """Predictor, then editor, fitted to attributes (N, A) in standard deviations."""
    editor = Editor(latents.shape[1])
    low, high = (torch.stack([_quantile(attributes[classes[:, c] == 1], q) for c in range(10)]) for q in (0.03, 0.97))

    def predict(rows: Tensor, _: Tensor) -> Tensor:
        predicted = editor.predictor(torch.cat([latents[rows], classes[rows]], 1))
        return functional.mse_loss(predicted, attributes[rows])

    def edit(rows: Tensor, _: Tensor) -> Tensor:
        style = latents[rows], classes[rows]
        now = editor.predictor(torch.cat(style, 1))
        ends = style[1] @ low, style[1] @ high
        wanted = ends[0] + torch.rand_like(now) * (ends[1] - ends[0])
        # Some attributes of each digit, all the way or, as a correction, a small part of it.
        chosen = (torch.rand_like(now) < 0.5) * torch.where(
            torch.rand(len(rows), 1) < 0.5, 1, torch.rand(len(rows), 1) / 3
        )
        change = chosen * (wanted - now)
        moved = editor(*style, change)[1]
        reached = editor.predictor(torch.cat([moved, style[1]], 1))
        nearest = style[0] + editor.newton(*style, change)
        return functional.mse_loss(reached, now + change) + SIMILARITY * functional.mse_loss(moved, nearest)

    rows = torch.arange(len(latents) - HELD_OUT)
    fit(editor.predictor, predict, rows, rows, PHASE)
    editor.predictor.requires_grad_(requires_grad=False)
    fit(editor.editor, edit, rows, rows, PHASE)
    return editor.eval()


def _quantile(values: Tensor, share: float) -> Tensor:
    return torch.quantile(values[:10_000], share, dim=0)
