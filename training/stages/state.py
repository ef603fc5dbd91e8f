"""TrainingState: the complete state of a stage, for checkpoints and bitwise reproducible resuming."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.optim import Adam

from training.run.checkpoint import Checkpoint


@dataclass(frozen=True)
class TrainingState:
    """The networks of a stage, their optimisers and other tensors that it updates in place.

    Includes torch's global random state.
    """

    networks: Mapping[str, nn.Module]
    optimizers: Mapping[str, Adam]
    tensors: Mapping[str, Tensor] = field(default_factory=dict)

    def capture(self) -> dict[str, Tensor]:
        """The state as CPU tensors. Names start with that of their part, e.g. `generator.layers.0.weight`."""
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

    def restore(self, checkpoint: Checkpoint) -> None:
        """Restore, in place, a checkpoint of what `capture` returned.

        Raises LookupError, RuntimeError, TypeError or ValueError, after restoring a part, if it does not fit.
        """
        for name, network in self.networks.items():
            network.load_state_dict(checkpoint.part(name))
        for name, optimizer in self.optimizers.items():
            _restore_optimizer(optimizer, checkpoint.part(f"{name}_optimizer"))
        tensors = checkpoint.tensors
        for name, value in self.tensors.items():
            value.copy_(tensors[f"tensors.{name}"])
        torch.set_rng_state(tensors["random.cpu"])
        if "random.cuda" in tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(tensors["random.cuda"])


def _restore_optimizer(optimizer: Adam, tensors: Mapping[str, Tensor]) -> None:
    """Restore Adam's steps and moments, named `INDEX.KEY`. There are none before the first step."""
    if not tensors:
        return
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for index, parameter in enumerate(parameters):
        for moment in ("exp_avg", "exp_avg_sq"):
            if (shape := tensors[f"{index}.{moment}"].shape) != parameter.shape:  # copy_ below would broadcast it
                raise ValueError(f"{index}.{moment}: expected {tuple(parameter.shape)}, got {tuple(shape)}")
        # The fused step reads parameter and moments in memory order, so the moments need the parameter's strides.
        optimizer.state[parameter] = {
            "step": tensors[f"{index}.step"].to(parameter.device),
            "exp_avg": torch.empty_like(parameter.detach()).copy_(tensors[f"{index}.exp_avg"]),
            "exp_avg_sq": torch.empty_like(parameter.detach()).copy_(tensors[f"{index}.exp_avg_sq"]),
        }
