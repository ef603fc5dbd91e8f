"""Train the generators that mnistgen ships: presets, networks, losses, data, the loop and its checkpoints."""
