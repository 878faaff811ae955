"""Reading what trackers have recorded, with nothing of this package."""

import json
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

BLOCK = 32768
"""Bytes of a block of LevelDB's log format, which `.wandb` files have."""

MLFLOW = """
import json, sys
from mlflow.tracking import MlflowClient
client = MlflowClient(sys.argv[1])
found = []
for experiment in client.search_experiments():
    for run in client.search_runs([experiment.experiment_id]):
        files, folders = [], [None]
        if run.info.artifact_uri.startswith("mlflow-artifacts:"):
            folders = []  # they are the server's, which may be gone
        while folders:
            for entry in client.list_artifacts(run.info.run_id, folders.pop()):
                (folders if entry.is_dir else files).append(entry.path)
        found.append({
            "id": run.info.run_id, "name": run.info.run_name,
            "start": run.info.start_time, "end": run.info.end_time,
            "status": run.info.status, "params": run.data.params,
            "tags": run.data.tags, "files": files,
            "metrics": {
                key: [(m.step, m.value) for m in
                      client.get_metric_history(run.info.run_id, key)]
                for key in run.data.metrics
            },
        })
print(json.dumps(found))
"""


def mlflow_runs(uri: str) -> list[dict[str, Any]]:
    """All runs of a store, read by MLflow in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", MLFLOW, uri], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def wandb_records(run: Path) -> Iterator[Any]:
    """The records of all parts of an offline run, in their order."""
    from wandb.proto import wandb_internal_pb2

    for file in sorted(run.glob("wandb/offline-run-*/*.wandb")):
        for data in _log_records(file.read_bytes()):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            yield record


def _log_records(data: bytes) -> Iterator[bytes]:
    assert data[:4] == b":W&B"
    at, whole = 7, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        if not kind:
            return
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield whole
            whole = b""
