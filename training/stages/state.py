"""TrainingState: everything that a stage changes, captured for a checkpoint and restored to the same bits."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Adam


@dataclass(frozen=True)
class TrainingState:
    """A stage's networks, their optimisers, and further tensors that it changes in place.

    Torch's global random state is captured and restored with them.
    """

    networks: Mapping[str, nn.Module]
    optimizers: Mapping[str, Adam]
    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    def capture(self) -> dict[str, Tensor]:
        """All of it on the CPU; names begin with their part, such as `generator.layers.0.weight`."""
        captured = {"random.cpu": torch.get_rng_state()}
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            captured["random.cuda"] = torch.cuda.get_rng_state()
        for name, network in self.networks.items():
            captured |= {f"{name}.{key}": value for key, value in network.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            for index, moments in optimizer.state_dict()["state"].items():
                captured |= {f"{name}_optimizer.{index}.{key}": value for key, value in moments.items()}
        captured |= {f"tensors.{name}": value for name, value in self.tensors.items()}
        return {name: value.cpu().contiguous() for name, value in captured.items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Put back what `capture` gave.

        Raises LookupError, RuntimeError or ValueError for that of another state, which is then partly restored.
        """
        for name, network in self.networks.items():
            network.load_state_dict(_part(tensors, name))
        for name, optimizer in self.optimizers.items():
            _restore_optimizer(optimizer, _part(tensors, f"{name}_optimizer"))
        for name, value in self.tensors.items():
            value.copy_(tensors[f"tensors.{name}"])
        torch.set_rng_state(tensors["random.cpu"])
        if "random.cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["random.cuda"])


def _part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    start = f"{name}."
    return {key.removeprefix(start): value for key, value in tensors.items() if key.startswith(start)}


def _restore_optimizer(optimizer: Adam, tensors: Mapping[str, Tensor]) -> None:
    """Put back Adam's steps and moments, `INDEX.KEY`. One that has not made a step yet has none."""
    if not tensors:
        return
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, parameter in enumerate(parameters):
        for moment in ("exp_avg", "exp_avg_sq"):
            if (shape := tensors[f"{index}.{moment}"].shape) != parameter.shape:  # which would be broadcast
                raise ValueError(f"{index}.{moment}: expected {tuple(parameter.shape)}, got {tuple(shape)}")
        # The fused step walks parameter and moments in memory order, so the moments take the parameter's strides.
        optimizer.state[parameter] = {
            "step": tensors[f"{index}.step"].to(parameter.device),
            "exp_avg": torch.empty_like(parameter.detach()).copy_(tensors[f"{index}.exp_avg"]),
            "exp_avg_sq": torch.empty_like(parameter.detach()).copy_(tensors[f"{index}.exp_avg_sq"]),
        }
