"""Where the list of workers comes from."""

from __future__ import annotations

import json

import pytest

from hvp.errors import UserError
from hvp.training.cluster import Cluster, expand_hosts, host_and_port, make_cluster

SLURM = {
    "SLURM_JOB_NODELIST": "node[01-03,07]",
    "SLURM_PROCID": "3",
    "SLURM_NTASKS": "4",
    "SLURM_JOB_ID": "4812345",
}
KUBERNETES = {
    "JOB_COMPLETION_INDEX": "1",
    "HOSTNAME": "train-kth-1",
    "HVP_SERVICE": "kth",
    "HVP_WORKERS": "2",
}


def test_from_the_command_line():
    cluster = make_cluster("a:1, b:2,[fe80::1]:3", 1, {})
    assert cluster == Cluster(("a:1", "b:2", "[fe80::1]:3"), 1)
    assert cluster.name(1) == "worker 1 (b:2)"
    assert host_and_port("[fe80::1]:3") == ("fe80::1", 3)
    assert json.loads(cluster.tf_config()) == {
        "cluster": {"worker": ["a:1", "b:2", "[fe80::1]:3"]},
        "task": {"type": "worker", "index": 1},
    }
    assert make_cluster("a:1,b:2", None, SLURM | {"SLURM_PROCID": "1"}).index == 1


def test_from_tf_config():
    text = Cluster(("a:1", "b:2"), 1).tf_config()
    assert make_cluster(None, None, {**SLURM, "TF_CONFIG": text}) == Cluster(("a:1", "b:2"), 1)


def test_from_slurm():
    """The variables as `man srun` and `man sbatch` describe them."""
    cluster = make_cluster(None, None, SLURM)
    assert cluster.workers == ("node01:22345", "node02:22345", "node03:22345", "node07:22345")
    assert cluster.index == 3
    step = {"SLURM_STEP_NODELIST": "node02", "SLURM_NTASKS": "1", "SLURM_PROCID": "0"}
    assert make_cluster(None, None, SLURM | step).workers == ("node02:22345",)


def test_from_kubernetes():
    cluster = make_cluster(None, None, KUBERNETES)
    assert cluster == Cluster(("train-kth-0.kth:12345", "train-kth-1.kth:12345"), 1)


@pytest.mark.parametrize(
    ("short", "hosts"),
    [
        ("n1", ["n1"]),
        ("n1,m2.cluster", ["n1", "m2.cluster"]),
        ("node[9-11]", ["node9", "node10", "node11"]),
        ("r[1-2]n[08-09]-ib,x", ["r1n08-ib", "r1n09-ib", "r2n08-ib", "r2n09-ib", "x"]),
    ],
)
def test_lists_of_hosts(short, hosts):
    assert expand_hosts(short) == hosts


@pytest.mark.parametrize(
    ("workers", "index", "environment", "message"),
    [
        (None, None, {}, "TF_CONFIG is not set"),
        (None, 0, {}, "pass --workers too"),
        ("a:1,b:2", None, {}, "--workers needs --worker N"),
        ("a:1,b:2", 2, {}, "worker 2 of 2 workers"),
        ("a:1,a:1", 0, {}, "names a worker twice"),
        ("a:1,b", 0, {}, "'b' is no host:port"),
        ("a:1,b:70000", 0, {}, "'b:70000' is no host:port"),
        (None, None, {"TF_CONFIG": "nonsense"}, "names no worker"),
        (None, None, {"TF_CONFIG": "[1]"}, "names no worker"),
        (None, None, {"TF_CONFIG": '{"cluster": {"worker": "ab"}, "task": {"index": 1}}'}, "no wo"),
        (None, None, {**SLURM, "SLURM_NTASKS": "8"}, "SLURM_NTASKS is 8 on 4 nodes"),
        (None, None, {**SLURM, "SLURM_PROCID": "x"}, "SLURM_PROCID is 'x', not a number"),
        (None, None, {"SLURM_PROCID": "0"}, "start with srun"),
        (None, None, {**SLURM, "SLURM_JOB_NODELIST": "n[3-1]"}, "3-1 is no range"),
        (None, None, {**SLURM, "SLURM_JOB_NODELIST": "n[1-"}, "cannot read SLURM's list"),
        (None, None, {**SLURM, "SLURM_JOB_NODELIST": "n[0-9999][0-9999]"}, "names too many"),
        (None, None, {"JOB_COMPLETION_INDEX": "0"}, "set HVP_WORKERS"),
        (None, None, {**KUBERNETES, "HOSTNAME": "pod-x7"}, "not JOB-1 as in an indexed Job"),
    ],
)
def test_what_does_not_fit_together(workers, index, environment, message):
    with pytest.raises(UserError, match=message):
        make_cluster(workers, index, environment)
