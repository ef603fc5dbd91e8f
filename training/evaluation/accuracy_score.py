"""The classification accuracy score: the accuracy, on real digits, of a classifier trained on generated digits only.

Source: S. Ravuri and O. Vinyals, "Classification Accuracy Score for Conditional Generative Models", 2019
(arXiv:1905.10887).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mnistgen._arrays import Int64, UInt8
from training.fitting import Phase, fit
from training.run.device import choose

PHASE = Phase(epochs=6, peak_learning_rate=6e-3, batch_size=200, weight_decay=0.01)
# input channels, output channels, kernel size, stride: 28 -> 14 -> 7 -> 4 pixels wide
LAYERS = ((1, 16, 5, 2), (16, 32, 3, 2), (32, 64, 3, 2))


class StudentClassifier(nn.Module):
    """A small fixed classifier. A change to it would make scores incomparable with earlier ones."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, kernel, stride in LAYERS:
            convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
            layers += [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 4 * 4, 10))

    def forward(self, images: Tensor) -> Tensor:
        """Images uint8 (N, 28, 28) -> logits (N, 10)."""
        pixels = images.unsqueeze(1).float().div(255).contiguous(memory_format=torch.channels_last)
        logits: Tensor = self.layers(pixels)
        return logits

    def loss(self, images: Tensor, labels: Tensor) -> Tensor:
        """The mean cross-entropy for images uint8 (N, 28, 28) and labels int64 (N,)."""
        return F.cross_entropy(self(images), labels)


def accuracy_score(
    images: UInt8, labels: Int64, test_images: UInt8, test_labels: Int64, *, seed: int, phase: Phase = PHASE
) -> float:
    """Train on images uint8 (N, 28, 28) with labels (N,), and return the accuracy, 0 to 1, on the test images.

    Depends on the seed and does not change torch's global random state. Uses bfloat16 if the CPU supports it; the
    effect on the score is smaller than that of the seed.
    """
    compute = choose("cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = compute.place(StudentClassifier())
        data = torch.from_numpy(images), torch.from_numpy(labels)
        fit(classifier, classifier.loss, *data, phase, autocast=compute.autocast)
    with torch.inference_mode():
        classifier.eval()
        predicted = torch.cat([classifier(chunk).argmax(dim=1) for chunk in torch.from_numpy(test_images).split(1000)])
    return float((predicted.numpy() == test_labels).mean())
