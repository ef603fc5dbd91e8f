"""Data sets on S3, with a local S3 server and s3fs."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mnistgen

s3fs = pytest.importorskip("s3fs")
ThreadedMotoServer = pytest.importorskip("moto.server").ThreadedMotoServer

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # in the S3 libraries
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
BUCKET = "digits"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An empty bucket on a new server, for this process and its subprocesses."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": host,
            "no_proxy": host,
        }.items():
            patch.setenv(name, value)
        files = s3fs.S3FileSystem(use_listings_cache=False, skip_instance_cache=True)
        files.mkdir(BUCKET)
        yield files
    server.stop()


def contents(files: Any, folder: str) -> dict[str, bytes]:
    return {path.removeprefix(f"{folder}/"): files.cat_file(path) for path in files.find(folder)}


def local(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def command(out: object, model: Path, *more: str) -> list[str]:
    asked = ["--n", "4000", "--test", "10", "--format", "parquet", "--shard-size", "500", "--seed", "3"]
    place = ["--out", str(out), "--model", str(model), "--workers", "2"]
    return [sys.executable, "-m", "mnistgen", "dataset", *place, *asked, *more]


def test_same_bytes_as_local_folder(s3: Any, conditional_model: Path, tmp_path: Path) -> None:
    subprocess.run(command(f"s3://{BUCKET}/whole", conditional_model), check=True, capture_output=True)
    subprocess.run(command(tmp_path / "whole", conditional_model), check=True, capture_output=True)
    assert contents(s3, f"{BUCKET}/whole") == local(tmp_path / "whole")


def test_resume_after_sigkill(s3: Any, conditional_model: Path, tmp_path: Path) -> None:
    child = subprocess.Popen(
        command(f"s3://{BUCKET}/killed", conditional_model), start_new_session=True, stderr=subprocess.DEVNULL
    )
    while len(s3.find(f"{BUCKET}/killed")) < 4 and child.poll() is None:  # the plan, a few shards and their records
        pass
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert not s3.exists(f"{BUCKET}/killed/dataset.json")
    subprocess.run(command(f"s3://{BUCKET}/killed", conditional_model, "--resume"), check=True, capture_output=True)
    subprocess.run(command(tmp_path / "whole", conditional_model), check=True, capture_output=True)
    assert contents(s3, f"{BUCKET}/killed") == local(tmp_path / "whole")


def test_missing_bucket_is_not_created(s3: Any, conditional_model: Path) -> None:
    with pytest.raises(mnistgen.InputError, match="bucket typo does not exist; create it first"):
        mnistgen.write_dataset("s3://typo/data", n=10, format="parquet", seed=1, model=conditional_model)
    assert s3.ls("") == [BUCKET]


def test_unreachable_server_is_not_a_missing_bucket(conditional_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(mnistgen.OutputError, match=r"cannot be written \(\w+: Could not connect to the endpoint"):
        mnistgen.write_dataset("s3://digits/data", n=10, format="parquet", seed=1, model=conditional_model)
    s3fs.S3FileSystem.clear_instance_cache()
