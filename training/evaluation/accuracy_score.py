"""The classification accuracy score: how well a classifier that learned from generated digits alone reads real ones.

Source: S. Ravuri and O. Vinyals, "Classification Accuracy Score for Conditional Generative Models", 2019
(arXiv:1905.10887).
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

EPOCHS = 6
BATCH_SIZE = 100
PEAK_LEARNING_RATE = 4e-3
# channels in, channels out, kernel, stride: 28 -> 14 -> 7 -> 4 pixels wide
LAYERS = ((1, 16, 5, 2), (16, 32, 3, 2), (32, 64, 3, 2))


class StudentClassifier(nn.Module):
    """The fixed small classifier; never changed, or figures could not be compared."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, kernel, stride in LAYERS:
            convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 4 * 4, 10))

    def forward(self, images: Tensor) -> Tensor:
        """Images uint8 (N, 28, 28) -> logits float32 (N, 10)."""
        pixels = images.unsqueeze(1).float().div(255).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.layers(pixels)
        return logits


def accuracy_score(
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    test_images: NDArray[np.uint8],
    test_labels: NDArray[np.int64],
    *,
    seed: int,
) -> float:
    """Train on images uint8 (N, 28, 28) with labels (N,), test on real ones, and give the accuracy, 0 to 1.

    Draws from a random state of its own, from the seed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = StudentClassifier().to(memory_format=torch.channels_last)
        _fit(classifier, torch.from_numpy(images), torch.from_numpy(labels))
    with torch.inference_mode():
        classifier.eval()
        read = torch.cat([classifier(chunk).argmax(dim=1) for chunk in torch.from_numpy(test_images).split(1000)])
    return float((read.numpy() == test_labels).mean())


def _fit(classifier: nn.Module, images: Tensor, labels: Tensor) -> None:
    size = min(BATCH_SIZE, len(images))
    batches = len(images) // size
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=0.01, fused=True)
    schedule = OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=EPOCHS * batches)
    classifier.train()
    for _ in range(EPOCHS):
        for indices in torch.randperm(len(images)).split(size)[:batches]:
            loss = F.cross_entropy(classifier(images[indices]), labels[indices])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
