"""(seed, index range) -> latents and labels, bit-identical on every machine.

Digit i of a seed has a fixed section of a counter-based random stream, so any range can be drawn without the digits
before it. Sixteen random bits select one of 65,536 equally likely quantiles of the normal distribution: one table
lookup per number, and no arithmetic whose last bit could depend on the processor.

Source: J. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011 (Philox 4x64).
"""

import functools
import secrets
from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np

from mnistgen._arrays import Float32, Float64, Int64, UInt64
from mnistgen._checks import whole_number
from mnistgen._files import package_file

SEEDS = 2**64  # seeds are 0 to SEEDS - 1
INDICES = 2**63  # indices of a seed's digits are 0 to INDICES - 1
UPPER_QUANTILES = package_file("normal_quantiles.npy")  # float32 (32768,)
UNIFORM = (1,) * 10  # all classes equally often
WORDS_PER_COUNT = 4  # 64-bit words that Philox 4x64 generates per counter value


def draw(seed: int, start: int, count: int, latent_dim: int, weights: Sequence[int] = UNIFORM) -> tuple[Float32, Int64]:
    """Latents float32 (count, latent_dim) from N(0, 1) and labels int64 (count,), 0 to 9, of one range of digits.

    The probability of class k is weights[k] / sum(weights); weights are whole numbers. Callers check that `seed` is 0
    to 2**64 - 1 and that start + count is at most 2**63.
    """
    words, label_bits = _words(seed, start, count, latent_dim)
    levels = words.astype("<u8", order="C").view("<u2")[:, :latent_dim]
    return normal_quantiles().take(levels), _classes(label_bits, weights)


def uniform(seed: int, start: int, count: int, stream: int) -> Float64:
    """Numbers (count,) from 0 to 1, one for each digit of a range, from a stream of their own, 1 or more."""
    words = np.random.Philox(key=np.array([seed, stream], np.uint64), counter=start).random_raw(count * WORDS_PER_COUNT)
    return (words[::WORDS_PER_COUNT] >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _words(seed: int, start: int, count: int, latent_dim: int) -> tuple[UInt64, UInt64]:
    """The random stream of a range: 64-bit words for latents (count, W), and 32 bits for each label (count,)."""
    latent_words = -(-latent_dim // 4)  # four latents of 16 bits per word
    counts = -(-(latent_words + 1) // WORDS_PER_COUNT)  # and one word for the label
    stream = np.random.Philox(key=seed, counter=start * counts)
    words = stream.random_raw(count * counts * WORDS_PER_COUNT).reshape(count, -1)
    return words[:, :latent_words], words[:, latent_words] >> np.uint64(32)


def _classes(bits: UInt64, weights: Sequence[int]) -> Int64:
    """Map 32 random bits to classes by inverting the cumulative weights, in exact integer arithmetic."""
    total = sum(weights)
    ends = [-(-(sum(weights[: k + 1]) << 32) // total) for k in range(len(weights))]
    return np.searchsorted(np.array(ends, np.uint64), bits, side="right").astype(np.int64, copy=False)


@functools.cache
def normal_quantiles() -> Float32:
    """float32 (65536,): the normal quantiles at (k + 1/2) / 65536, from -4.32 to 4.32.

    The upper half is read from a file, so that its bits do not depend on a machine's logarithm.
    """
    with UPPER_QUANTILES.open("rb") as file:
        upper = np.load(file)
    table = np.concatenate([-upper[::-1], upper])
    table.flags.writeable = False
    return table


def checked_seed(seed: SupportsIndex | None) -> int:
    """The seed, 0 to 2**64 - 1. Without one, a fresh one is drawn and logged, which is short enough to type."""
    if seed is not None:
        return whole_number("seed", seed, 0, SEEDS - 1)
    import logging  # imported here: the command line draws its own seeds

    number = secrets.randbits(32)
    logging.getLogger("mnistgen").info("seed %d", number)
    return number
