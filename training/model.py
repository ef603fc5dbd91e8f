"""A trained model as a safetensors file: the weights, and as metadata the preset and what it was trained on.

`training/weights` and run directories hold such files; `export/` turns them into model directories.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from mnistgen._arrays import Int64, UInt8
from mnistgen._files import whole_file
from training.config import Preset, from_json, to_json
from training.errors import CheckpointError, PresetError
from training.networks import build_encoder, build_generator
from training.networks.fake_quantization import FakeQuantizedGenerator
from training.networks.generator import GeneratorNetwork, cyclic_labels, draw, stored

Module = TypeVar("Module", bound=nn.Module)
GRID_SIZE = 100  # images in a sample grid
WEIGHTS = Path(__file__).parent / "weights"  # NAME.safetensors: the source of the bundled models


@dataclass(frozen=True)
class Model:
    """A generator, its encoder if it has one, and how they were trained."""

    preset: Preset
    generator: GeneratorNetwork
    encoder: nn.Module | None
    data: Mapping[str, Any]  # name, number of images, SHA-256, classes and licence, as in the card
    steps: int = 0  # of training, in all loops
    seconds: float = 0.0  # of training

    def save(self, path: Path) -> None:
        """Write the file atomically, with matrices in float16. Creates its folder if necessary."""
        networks: dict[str, nn.Module] = {"generator": self.generator} | (
            {"encoder": self.encoder} if self.encoder else {}
        )
        tensors = {
            f"{name}.{key}": stored(value.detach()).cpu().contiguous()
            for name, network in networks.items()
            for key, value in network.state_dict().items()
        }
        metadata = {"preset": to_json(self.preset), "data": self.data, "steps": self.steps, "seconds": self.seconds}
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            file.write(save(tensors, {key: json.dumps(value) for key, value in metadata.items()}))

    def draw(self, labels: Int64 | None = None) -> UInt8:
        """Images uint8 (N, 28, 28) for labels (N,), by default 100 cyclic ones, as the exported model would draw them.

        Always from the same latents.
        """
        network = self.generator
        if self.preset.quantization:
            network = FakeQuantizedGenerator(copy.deepcopy(network))
            network.calibrate()
        cyclic = cyclic_labels(GRID_SIZE, network.classes)
        return draw(network, self.preset.seed, cyclic if labels is None else torch.from_numpy(labels))


def load_model(path: Path) -> Model:
    """Read a model, in evaluation mode, on the CPU.

    Raises CheckpointError for a file that is missing, damaged or not a model, or whose weights do not fit its preset.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it is no mapping
        preset = from_json(metadata["preset"])
        data, steps, seconds = (json.loads(metadata[key]) for key in ("data", "steps", "seconds"))
        sizes = preset.latent_dim, len(data["classes"])
        with torch.random.fork_rng(devices=[]):  # keep the random state of training
            generator = _load(build_generator(preset.network, *sizes), "generator", tensors)
            encoder = None
            if preset.encoder and any(name.startswith("encoder.") for name in tensors):
                encoder = _load(build_encoder(preset.encoder.network, *sizes), "encoder", tensors)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: no such file") from None
    except (OSError, SafetensorError, PresetError, LookupError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path}: not a model of this version of mnistgen ({reason})") from None
    return Model(preset, generator, encoder, data, steps, seconds)


def _load(network: Module, name: str, tensors: Mapping[str, Tensor]) -> Module:
    """Load the tensors whose names start with the network's, in float32."""
    start = f"{name}."
    weights = {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}
    network.load_state_dict(
        {key: value.float() if value.is_floating_point() else value for key, value in weights.items()}
    )
    return network.eval().requires_grad_(False)
