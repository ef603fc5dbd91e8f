"""Two processes compute the same losses and gradients as one; World() is a no-op."""

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from tests.training.processes import CASES, ROOT, Record
from training.errors import TrainingError
from training.run.device import Compute
from training.run.distributed import World, check_networks, process_group

VARIABLES = ("WORLD_SIZE", "RANK", "LOCAL_RANK")
CPU = torch.device("cpu")
# Tolerances for the rounding of sums in another order.
RTOL, ATOL = 1e-4, 1e-5


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Record, Record]:
    """The records of all cases from each of two processes."""
    out = tmp_path_factory.mktemp("processes")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    settings = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "error"}
    result = subprocess.run(
        [*command, "-m", "tests.training.processes", str(out)], cwd=ROOT, capture_output=True, text=True, env=settings
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "done by 2\n"
    first, second = (load_file(out / f"{rank}.safetensors") for rank in range(2))
    return first, second


@pytest.mark.parametrize("case", CASES)
def test_two_processes_match_one(case: str, of_two: tuple[Record, Record], compute: Compute) -> None:
    both = {name.removeprefix(f"{case}: "): value for name, value in of_two[0].items() if name.startswith(f"{case}: ")}
    one = CASES[case](World())
    assert both.keys() == one.keys()
    for name, value in one.items():
        rtol, atol = (RTOL, ATOL) if value.is_floating_point() else (0, 0)
        torch.testing.assert_close(both[name], value.detach(), rtol=rtol, atol=atol, msg=f"{name}: {{}}".format)


def test_processes_stay_bitwise_identical(of_two: tuple[Record, Record]) -> None:
    first, second = of_two
    assert first.keys() == second.keys()
    assert [name for name in first if not torch.equal(first[name], second[name])] == []


class TestSingleProcess:
    def test_tensors_are_returned_unchanged(self) -> None:
        world, batch = World(), torch.randn(3, 2)
        assert world.shard(batch) is batch
        assert world.gather(batch) is batch
        assert torch.equal(world.mean(batch.mean()), batch.mean())
        assert torch.equal(world.mean(batch[:, 0]), batch[:, 0].mean())
        assert world.is_main
        assert world.broadcast(lambda: 0.5) == 0.5
        world.barrier()

    def test_gradients_are_unchanged(self) -> None:
        linear = nn.Linear(2, 3)
        linear(torch.randn(4, 2)).sum().backward()
        gradient = linear.weight.grad
        assert gradient is not None
        before = gradient.clone()
        World().sum_gradients(linear)
        assert linear.weight.grad is gradient
        assert torch.equal(gradient, before)

    @pytest.mark.parametrize("size", [None, "1"])
    def test_no_process_group_without_torchrun(self, size: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in VARIABLES:
            monkeypatch.delenv(name, raising=False)
        if size:
            monkeypatch.setenv("WORLD_SIZE", size)
        with process_group(CPU) as world:
            assert world == World()
            assert not torch.distributed.is_initialized()


def test_shards_are_in_rank_order() -> None:
    batch = torch.arange(6)
    assert [World(rank, 3).shard(batch).tolist() for rank in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert [World(rank, 3).is_main for rank in range(3)] == [True, False, False]


def test_indivisible_batch_raises() -> None:
    with pytest.raises(TrainingError, match=r"^batch_size: expected a multiple of the 3 processes, got 64$"):
        World(0, 3).shard(torch.zeros(64))


@pytest.mark.parametrize("layer", [nn.BatchNorm2d(3), nn.Dropout(0.3)])
def test_batch_norm_and_dropout_raise(layer: nn.Module) -> None:
    networks = [nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 3), layer)]
    check_networks(networks, World())
    check_networks(networks[:1], World(0, 2))
    with pytest.raises(TrainingError, match=r"^batch norm and dropout: expected one process, "):
        check_networks(networks, World(0, 2))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        (("two", "0", "0"), "WORLD_SIZE: expected a number from torchrun in the environment, got 'two'"),
        (("2", None, "0"), "RANK: expected a number from torchrun in the environment, got ''"),
        (("2", "0", "-1"), "LOCAL_RANK: expected a number from torchrun in the environment, got '-1'"),
        (("2", "2", "0"), "RANK: expected 0 to 1, as WORLD_SIZE is 2, got 2"),
    ],
)
def test_incomplete_environment_raises(
    environment: tuple[str | None, ...], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in zip(VARIABLES, environment, strict=True):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    with pytest.raises(TrainingError) as error, process_group(CPU):
        pass
    assert str(error.value) == message


def test_more_processes_than_gpus_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in zip(VARIABLES, ("2", "1", "1"), strict=True):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(TrainingError) as error, process_group(torch.device("cuda")):
        pass
    assert str(error.value) == "device cuda: expected a GPU for each process, got 1 for local rank 1"
