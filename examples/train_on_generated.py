"""Train a classifier only on generated digits, and test it on real ones.

    python examples/train_on_generated.py [FOLDER] [N]

FOLDER contains MNIST/raw, the real digits; torchvision downloads them if they are missing. The classifier is trained
on N generated digits, 20,000 by default. The image file shows the real digits with the least confident predictions.
Needs PyTorch: pip install torch torchvision.
"""

import sys

import torch
from torch import nn
from torchvision.datasets import MNIST
from torchvision.utils import save_image

import mnistgen

folder, count = sys.argv[1] if len(sys.argv) > 1 else "data", int(sys.argv[2]) if len(sys.argv) > 2 else 20_000
try:
    real = MNIST(root=folder, train=False, download=True)
except (OSError, RuntimeError) as error:
    sys.exit(f"{folder}/MNIST/raw holds no MNIST, and it cannot be downloaded: {str(error).strip().splitlines()[-1]}")
torch.manual_seed(1)
classifier = nn.Sequential(
    nn.Conv2d(1, 32, 3, stride=2, padding=1),  # -> (N, 32, 14, 14)
    nn.ReLU(),
    nn.Conv2d(32, 64, 3, stride=2, padding=1),  # -> (N, 64, 7, 7)
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(64 * 7 * 7, 10),
)
optimizer = torch.optim.AdamW(classifier.parameters(), lr=2e-3)

generator = mnistgen.Generator()
for start in range(0, count, 100):
    pictures, answers = generator.sample_labelled(min(100, count - start), seed=1, start=start)
    logits = classifier(torch.from_numpy(pictures)[:, None] / 255)
    loss = nn.functional.cross_entropy(logits, torch.from_numpy(answers))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

images, labels = real.data[:, None] / 255, real.targets
with torch.inference_mode():
    probabilities = classifier(images).softmax(dim=1)
accuracy = float((probabilities.argmax(dim=1) == labels).float().mean())
doubtful = probabilities.max(dim=1).values.argsort()[:64]
save_image(images[doubtful], "train_on_generated.png", nrow=16)
print(f"{accuracy:.2%} of {len(labels):,} real digits, after {count:,} generated ones")
print("train_on_generated.png: the real digits that it is least sure of")
