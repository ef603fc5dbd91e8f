"""The attribute editor of a class-conditional model: two small networks, fitted to what the exported model draws.

The predictor reads an image's attributes from its latents and class. The editor changes latents by as little as
possible so that the attributes change as requested; it learns from Newton steps with the predictor's gradient.
"""

import hashlib

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from export.to_onnx import Part, export_module
from export.verify import load_graph
from mnistgen._arrays import Float32
from mnistgen._attributes import measured
from mnistgen._latents import draw
from mnistgen._loaded import to_uint8
from mnistgen._model import CONTROLLED
from training.fit import Phase, fit

DIGITS = 100_000  # images of the model that the networks are fitted to
MIN_OF_CLASS = 50  # images that are not blank
HELD_OUT = 10_000  # of them, for the coefficients of determination in the card
HIDDEN = 64  # units of each network
PHASE = Phase(epochs=7, peak_learning_rate=1e-2, batch_size=512, weight_decay=0.0)  # of each network
NEWTON_STEPS = 2
DAMPING = 1e-2
SIMILARITY = 0.1  # weight of the squared difference from the Newton step
RANGE = (0.5, 99.5)  # percentiles of each class's images: what can be requested
SEED = 0


class Editor(nn.Module):
    """Latents (N, D), classes (N, K), changes (N, A) in standard deviations -> attributes (N, A), latents (N, D)."""

    def __init__(self, latent_dim: int, classes: int) -> None:
        super().__init__()
        count = len(CONTROLLED)
        self.predictor = _mlp(latent_dim + classes, count)
        self.editor = _mlp(latent_dim + classes + count, latent_dim)

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


def fit_attributes(graph: bytes, latent_dim: int, classes: int, ir_version: int) -> Part | None:
    """Fit the editor to what the graph of a model of K classes draws; None if that is blank or all alike."""
    latents, labels = map(torch.from_numpy, draw(SEED, 0, DIGITS, latent_dim, (1,) * classes))
    one_hot = functional.one_hot(labels, classes).float()
    found = _measure(graph, latents, one_hot)
    drawn = np.flatnonzero(np.isfinite(found).all(1))  # blank images have no attributes
    latents, labels, one_hot = (each[torch.from_numpy(drawn)] for each in (latents, labels, one_hot))
    found = found[drawn]
    if labels.bincount(minlength=classes).min() < MIN_OF_CLASS:
        return None
    mean, deviation = found.mean(0), found.std(0)
    if not (deviation > 0).all():
        return None
    standard = (found - mean) / deviation
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # more would wait for each other in networks as small as these
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        editor = _fitted(latents, one_hot, torch.from_numpy(standard))
    torch.set_num_threads(threads)
    example = tuple(torch.zeros(2, size) for size in (latent_dim, classes, len(CONTROLLED)))
    names = ["latents", "classes", "change"], ["attributes", "changed"]
    exported = export_module(editor, example, *names, ir_version).SerializeToString()
    held_out = latents[-HELD_OUT:], one_hot[-HELD_OUT:], torch.zeros(HELD_OUT, len(CONTROLLED))
    errors = load_graph(exported)(*held_out)[0] - standard[-HELD_OUT:]
    determination = 1 - errors.var(0) / standard[-HELD_OUT:].var(0)
    ranges = np.stack([np.percentile(found[labels == label], RANGE, axis=0) for label in range(classes)])  # (K, 2, A)
    entries = {
        name: {
            "mean": float(mean[index]),
            "deviation": float(deviation[index]),
            "ranges": ranges[:, :, index].round(4).tolist(),
            "r2": round(float(determination[index]), 4),
        }
        for index, name in enumerate(CONTROLLED)
    }
    return Part(exported, {"sha256": hashlib.sha256(exported).hexdigest()} | entries)


def _measure(graph: bytes, latents: Tensor, classes: Tensor) -> Float32:
    """The attributes (N, A) of the images that a graph draws from latents (N, D) and classes (N, K)."""
    draw_images = load_graph(graph)
    batches = zip(latents.split(1000), classes.split(1000), strict=True)
    measurements = (measured(to_uint8(draw_images(*batch)[0])) for batch in batches)
    return np.concatenate([np.stack(each[: len(CONTROLLED)], 1) for each in measurements])


def _mlp(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, outputs))


def _fitted(latents: Tensor, classes: Tensor, attributes: Tensor) -> Editor:
    """Predictor, then editor, fitted to attributes (N, A) in standard deviations."""
    editor = Editor(latents.shape[1], classes.shape[1])
    members = [attributes[column == 1][:10_000] for column in classes.T]
    low, high = torch.stack([each.quantile(torch.tensor([0.03, 0.97]), dim=0) for each in members], 1)  # (K, A) each

    def predict(styles: Tensor, found: Tensor) -> Tensor:
        return functional.mse_loss(editor.predictor(styles), found)

    def edit(latents: Tensor, classes: Tensor) -> Tensor:
        now = editor.predictor(torch.cat([latents, classes], 1))
        first, last = classes @ low, classes @ high
        wanted = first + torch.rand_like(now) * (last - first)
        # Some attributes of each image, all the way or, as a correction, a small part of it.
        chosen = torch.rand_like(now) < 0.5
        share = torch.where(torch.rand(len(now), 1) < 0.5, 1, torch.rand(len(now), 1) / 3)
        change = chosen * share * (wanted - now)
        moved = editor(latents, classes, change)[1]
        reached = editor.predictor(torch.cat([moved, classes], 1))
        nearest = latents + editor.newton(latents, classes, change)
        return functional.mse_loss(reached, now + change) + SIMILARITY * functional.mse_loss(moved, nearest)

    styles, rows = torch.cat([latents, classes], 1), slice(-HELD_OUT)
    fit(editor.predictor, predict, styles[rows], attributes[rows], PHASE)
    editor.predictor.requires_grad_(requires_grad=False)
    fit(editor.editor, edit, latents[rows], classes[rows], PHASE)
    return editor.eval()
