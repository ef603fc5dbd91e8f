"""An endless data set for PyTorch, another part of it in every worker: python examples/endless.py.

Digits are drawn as they are needed and never come twice. Needs PyTorch: pip install torch torchvision.
"""

import itertools
from collections.abc import Iterator

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from torchvision.utils import save_image

import mnistgen

BATCH = 256


class EndlessDigits(IterableDataset[tuple[torch.Tensor, torch.Tensor]]):
    """Batches of images float32 (256, 1, 28, 28) in [0, 1] and labels int64 (256,), for ever."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._generator = mnistgen.Generator(threads=1)  # pickled, it opens itself again in every worker

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        worker = get_worker_info()
        first, step = (worker.id, worker.num_workers) if worker else (0, 1)
        for batch in itertools.count(first, step):  # worker k of n draws batches k, k + n, k + 2 n, ...
            images, labels = self._generator.sample(BATCH, seed=self._seed, start=batch * BATCH, return_labels=True)
            yield torch.from_numpy(images)[:, None] / 255, torch.from_numpy(labels)


if __name__ == "__main__":
    loader = DataLoader(EndlessDigits(seed=1), batch_size=None, num_workers=2)
    for count, (images, labels) in enumerate(itertools.islice(loader, 8), start=1):
        print(f"batch {count}: {tuple(images.shape)}, {len(labels.unique())} classes")
    save_image(images[:64], "endless.png", nrow=16)
    print("endless.png: some of the last batch")
