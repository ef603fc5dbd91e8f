"""Generate a distributed data set with Ray and process it on the workers: python examples/on_ray.py.

Without a running cluster, Ray starts one on this machine. Needs Ray: pip install "mnistgen[ray]".
"""

import numpy as np
from numpy.typing import NDArray

import mnistgen.ray


def ink(batch: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    """The mean brightness of each image, 0 to 1."""
    return {"label": batch["label"], "ink": batch["image"].mean(axis=(1, 2)) / 255}


digits = mnistgen.ray.digits(20_000, seed=1)  # lazy: digits are generated when they are read
table = digits.map_batches(ink).to_pandas()
for label, mean in table.groupby("label")["ink"].mean().items():
    print(f"{label}: {mean:.1%} ink")
images = np.stack([row["image"] for row in digits.take(64)])
mnistgen.save("on_ray.png", images, columns=16)
print("on_ray.png: 64 of them")
