"""Train the generators that mnistgen ships: presets, networks, losses, data, the loop and its checkpoints."""

from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"  # NAME.safetensors: the source of the bundled models
