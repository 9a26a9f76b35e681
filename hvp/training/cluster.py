"""Who trains together: from the command line, TF_CONFIG, SLURM or Kubernetes.

Importing this module does not import TensorFlow.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping, MutableMapping
from typing import Any

from hvp.errors import UserError

BASE_PORT, PORTS = 20000, 10000  # a job's port under SLURM follows from the job's number
KUBERNETES_PORT = 12345
MOST_WORKERS = 10000
ADVICE = (
    'set it on every worker, such as {"cluster": {"worker": ["host1:12345", "host2:12345"]}, '
    '"task": {"type": "worker", "index": 0}}, or pass --workers host1:12345,host2:12345 --worker 0'
)


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers of one job, `host:port` each, and which of them this process is.

    Worker 0 is the chief: it writes checkpoints and summaries.
    """

    workers: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    def name(self, index: int) -> str:
        """A worker as messages call it: `worker 1 (host:port)`."""
        return f"worker {index} ({self.workers[index]})"

    def tf_config(self) -> str:
        """The content of the environment variable TF_CONFIG, which TensorFlow reads."""
        task = {"type": "worker", "index": self.index}
        return json.dumps({"cluster": {"worker": list(self.workers)}, "task": task})


def make_cluster(workers: str | None, index: int | None, environment: Mapping[str, str]) -> Cluster:
    """The cluster of `--workers` and `--worker`, or else of the environment.

    Args:
        workers: `host1:port,host2:port`, or None.
        index: which of them this process is, or None: the one that SLURM or Kubernetes says.
        environment: such as `os.environ`: TF_CONFIG, `SLURM_*` or `JOB_COMPLETION_INDEX`.

    Raises:
        UserError: if nothing of this is there, or it does not fit together.
    """
    if workers is None and index is not None:
        raise UserError("--worker says which of --workers this is; pass --workers too")
    if workers is not None:
        if index is None:
            index = _rank(environment)
        if index is None:
            raise UserError("--workers needs --worker N, which of them this process is, from 0")
        return _checked(workers.split(","), index, "--workers")
    if environment.get("TF_CONFIG"):
        return _from_tf_config(environment["TF_CONFIG"])
    if "SLURM_PROCID" in environment:
        return _from_slurm(environment)
    if "JOB_COMPLETION_INDEX" in environment:
        return _from_kubernetes(environment)
    raise UserError(f"training.strategy is multiworker, but TF_CONFIG is not set; {ADVICE}")


def export_cluster(cluster: Cluster, environment: MutableMapping[str, str] = os.environ) -> None:
    """Writes TF_CONFIG, by which `MultiWorkerMirroredStrategy` finds the cluster."""
    environment["TF_CONFIG"] = cluster.tf_config()


def _checked(workers: Any, index: int, origin: str) -> Cluster:
    workers = tuple(str(worker).strip() for worker in workers)
    for worker in workers:
        host_and_port(worker, origin)
    if len(set(workers)) < len(workers):
        raise UserError(f"{origin}: {','.join(workers)} names a worker twice; each needs its own")
    if not 0 <= index < len(workers):
        raise UserError(
            f"{origin}: worker {index} of {len(workers)} workers; they are counted from 0 to "
            f"{len(workers) - 1}"
        )
    return Cluster(workers, index)


def host_and_port(worker: str, origin: str = "--workers") -> tuple[str, int]:
    """Splits `host:port` or `[IPv6]:port`, or raises a `UserError` that names `origin`."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:\[\]/,]+)):(\d{1,5})", worker)
    if match is None or not 0 < int(match[3]) < 65536:
        raise UserError(f"{origin}: {worker!r} is no host:port, such as node1:12345")
    return match[1] or match[2], int(match[3])


def _from_tf_config(text: str) -> Cluster:
    try:
        content = json.loads(text)
        workers, index = content["cluster"]["worker"], int(content["task"]["index"])
        valid = isinstance(workers, list) and 0 <= index < len(workers)
    except (AttributeError, KeyError, TypeError, ValueError):
        valid = False
    if not valid:
        raise UserError(f"TF_CONFIG is {text!r}, which names no worker of a cluster; {ADVICE}")
    return _checked(workers, index, "TF_CONFIG")


def _rank(environment: Mapping[str, str]) -> int | None:
    for name in ("SLURM_PROCID", "JOB_COMPLETION_INDEX"):
        if name in environment:
            return _number(environment, name)
    return None


def _from_slurm(environment: Mapping[str, str]) -> Cluster:
    """One process a node, as `srun` starts them: `SLURM_STEP_NODELIST`, else the job's nodes.

    `SLURM_NTASKS` must be the number of nodes: a worker takes all GPUs that it sees.
    """
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST")
    if not nodes:
        raise UserError("SLURM_PROCID is set but SLURM_JOB_NODELIST is not; start with srun")
    hosts = expand_hosts(nodes)
    tasks = _number(environment, "SLURM_NTASKS", len(hosts))
    if tasks != len(hosts):
        raise UserError(
            f"SLURM_NTASKS is {tasks} on {len(hosts)} nodes ({nodes}); start one process a node "
            "with --ntasks-per-node=1: it takes all GPUs of its node"
        )
    job = _number(environment, "SLURM_JOB_ID", 0) + _number(environment, "SLURM_STEP_ID", 0)
    port = BASE_PORT + job % PORTS
    workers = [f"{host}:{port}" for host in hosts]
    return _checked(workers, _number(environment, "SLURM_PROCID"), "SLURM_JOB_NODELIST")


def expand_hosts(nodes: str) -> list[str]:
    """The host names of SLURM's short form, in its order.

    Raises:
        UserError: if it cannot be read.

    Example:
        >>> expand_hosts("node[01-03,07],gpu5")
        ['node01', 'node02', 'node03', 'node07', 'gpu5']
    """
    if not re.fullmatch(r"(?:[^\[\],\s]|\[[\d,-]+\])+(?:,(?:[^\[\],\s]|\[[\d,-]+\])+)*", nodes):
        raise UserError(f"cannot read SLURM's list of nodes {nodes!r}")
    names: list[str] = []
    for item in re.findall(r"(?:[^\[\],]|\[[^\]]*\])+", nodes):
        expanded = [""]
        for text, ranges in re.findall(r"([^\[\]]+)|\[([^\]]*)\]", item):
            endings = _numbers(ranges, nodes) if ranges else [text]
            if len(expanded) * len(endings) > MOST_WORKERS:
                raise UserError(f"SLURM's list of nodes {nodes!r} names too many")
            expanded = [name + ending for name in expanded for ending in endings]
        names.extend(expanded)
    return names


def _numbers(ranges: str, nodes: str) -> list[str]:
    """`01-03,07` as `01`, `02`, `03`, `07`: the first number's width is kept."""
    numbers: list[str] = []
    for part in ranges.split(","):
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        if match is None:
            raise UserError(f"cannot read SLURM's list of nodes {nodes!r}")
        first, last = int(match[1]), int(match[2] or match[1])
        if not 0 <= last - first < MOST_WORKERS:
            raise UserError(f"cannot read SLURM's list of nodes {nodes!r}: {part} is no range")
        numbers += [f"{number:0{len(match[1])}}" for number in range(first, last + 1)]
    return numbers


def _from_kubernetes(environment: Mapping[str, str]) -> Cluster:
    """The pods of an indexed Job behind a headless service: `JOB-INDEX.SERVICE:PORT`.

    Kubernetes itself sets JOB_COMPLETION_INDEX and a pod's host name `JOB-INDEX`; the manifest sets
    HVP_WORKERS (the Job's `completions`), HVP_SERVICE (its `subdomain`) and, if another port than
    12345 is wanted, HVP_PORT.
    """
    index = _number(environment, "JOB_COMPLETION_INDEX")
    service = environment.get("HVP_SERVICE")
    if not service or not environment.get("HVP_WORKERS"):
        raise UserError(
            "JOB_COMPLETION_INDEX is set: set HVP_WORKERS (the Job's completions) and HVP_SERVICE "
            "(the headless service, its subdomain) too, or pass --workers"
        )
    count, port = _number(environment, "HVP_WORKERS"), KUBERNETES_PORT
    port = _number(environment, "HVP_PORT", port)
    job, dash, own = environment.get("HOSTNAME", "").rpartition("-")
    if not dash or own != str(index):
        raise UserError(
            f"HOSTNAME is {environment.get('HOSTNAME', '')!r}, not JOB-{index} as in an indexed "
            "Job with a subdomain; set the pod's subdomain, or pass --workers"
        )
    if not 0 < count <= MOST_WORKERS:
        raise UserError(f"HVP_WORKERS is {count}; it must be from 1 to {MOST_WORKERS}")
    workers = [f"{job}-{worker}.{service}:{port}" for worker in range(count)]
    return _checked(workers, index, "HVP_WORKERS")


def _number(environment: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = environment.get(name, "" if default is None else str(default))
    if not re.fullmatch(r"\d{1,9}", text):
        raise UserError(f"{name} is {text!r}, not a number")
    return int(text)
