"""Read digits that never repeat, with a PyTorch DataLoader and two workers: python examples/endless.py.

Digits are generated on access, so a data set may have any length. Needs PyTorch: pip install torch torchvision.
"""

import itertools

from torch.utils.data import DataLoader
from torchvision.utils import save_image

import mnistgen.torch

if __name__ == "__main__":
    loader = DataLoader(mnistgen.torch.Digits(10**12, seed=1), batch_size=256, num_workers=2)
    for count, (images, labels) in enumerate(itertools.islice(loader, 8), start=1):
        print(f"batch {count}: {tuple(images.shape)}, {len(labels.unique())} classes")
    save_image(images[:64], "endless.png", nrow=16)
    print("endless.png: some of the last batch")
