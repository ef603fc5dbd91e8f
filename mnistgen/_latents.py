"""(seed, index range) -> latents and labels, the same bits on every machine.

Digit i of a seed owns a fixed stretch of a counter-based random stream, so any range can be drawn without what comes
before it. Sixteen random bits choose one of 65,536 equally likely quantiles of the normal distribution: one table
look-up for each number, no arithmetic whose last bit could depend on the processor.

Source: J. Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011 (Philox 4x64).
"""

import functools
import secrets
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mnistgen._arrays import Float32, Int64, UInt64
from mnistgen._errors import ModelError

SEEDS = 2**64  # seeds are 0 to SEEDS - 1
INDICES = 2**63  # and a seed's digits 0 to INDICES - 1
LEVELS = 2**16  # quantiles that a latent can take
UPPER_QUANTILES = Path(__file__).with_name("normal_quantiles.npy")  # float32 (32768,)
UNIFORM = (1,) * 10  # every class as often as any other
WORDS_PER_COUNT = 4  # 64-bit words that Philox 4x64 makes of one count


def draw(seed: int, start: int, count: int, latent_dim: int, weights: Sequence[int] = UNIFORM) -> tuple[Float32, Int64]:
    """Latents float32 (count, latent_dim), each N(0, 1), and labels int64 (count,), 0 to 9, of one range of digits.

    Class k comes as often as weights[k] says, whole numbers of any sum; a class without weight never comes. `seed` is
    0 to 2**64 - 1 and start + count at most 2**63; both are checked by the callers.
    """
    words, lots = _words(seed, start, count, latent_dim)
    levels = words.astype("<u8", order="C").view("<u2")[:, :latent_dim]
    return normal_quantiles().take(levels), _classes(lots, weights)


def _words(seed: int, start: int, count: int, latent_dim: int) -> tuple[UInt64, UInt64]:
    """A range's stretch of the random stream: words of latents (count, W), and lots 0 to 2**32 - 1 for labels."""
    latent_words = -(-latent_dim // 4)  # four latents of 16 bits a word
    counts = -(-(latent_words + 1) // WORDS_PER_COUNT)  # one word more for the label
    stream = np.random.Philox(key=seed, counter=start * counts)
    words = stream.random_raw(count * counts * WORDS_PER_COUNT).reshape(count, -1)
    return words[:, :latent_words], words[:, latent_words] >> np.uint64(32)


def _classes(lots: UInt64, weights: Sequence[int]) -> Int64:
    """The class whose share of the 2**32 lots each falls into, in whole numbers, without rounding."""
    total = sum(weights)
    ends = [-(-(sum(weights[: k + 1]) << 32) // total) for k in range(len(weights))]
    return np.searchsorted(np.array(ends, np.uint64), lots, side="right").astype(np.int64, copy=False)


@functools.cache
def normal_quantiles() -> Float32:
    """float32 (65536,): the normal quantiles at (k + 1/2) / 65536, from -4.32 to 4.32.

    The upper half is read from a file, so that no machine's logarithm has a say in its bits. Raises ModelError where
    that cannot be read.
    """
    try:
        upper = np.load(UPPER_QUANTILES)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"{UPPER_QUANTILES}: cannot be read ({error}); install mnistgen again") from None
    table = np.concatenate([-upper[::-1], upper])
    table.flags.writeable = False
    return table


def fresh_seed() -> int:
    """A seed nobody chose, short enough to type: 0 to 2**32 - 1."""
    return secrets.randbits(32)
