"""Write a data set in MNIST's file format and read it with torchvision: python examples/read_by_torchvision.py.

Needs PyTorch: pip install torch torchvision.
"""

import tempfile

import torch
from torchvision import transforms
from torchvision.datasets import MNIST
from torchvision.utils import save_image

import mnistgen

with tempfile.TemporaryDirectory() as folder:
    summary = mnistgen.write_dataset(f"{folder}/digits", n=2_000, test=500, seed=1)
    train = MNIST(root=summary.out, train=True, download=False, transform=transforms.ToTensor())
    loader = torch.utils.data.DataLoader(train, batch_size=64, shuffle=True, generator=torch.manual_seed(1))
    images, labels = next(iter(loader))  # (64, 1, 28, 28) in [0, 1], (64,)
    save_image(images, "read_by_torchvision.png", nrow=16)
    print(f"read_by_torchvision.png: 64 of {len(train):,} digits; the first are {labels[:16].tolist()}")
