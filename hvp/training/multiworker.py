"""A run of several workers: started together, stopped together, ended when one is gone."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from hvp.config import ExperimentConfig
from hvp.errors import WITHIN_TENSORFLOW, UserError
from hvp.experiment.choosing import newest_step
from hvp.text import one_line
from hvp.training.cluster import Cluster, export_cluster, make_cluster
from hvp.training.peers import SILENCE, Peers
from hvp.training.signals import Interrupted

WORKER_GONE = 75  # EX_TEMPFAIL: start again later
# What TensorFlow's collectives raise after it heard nothing of a worker for too long.
LOST_TOUCH = (tf.errors.AbortedError, tf.errors.UnavailableError, tf.errors.DeadlineExceededError)


def find_cluster(config: ExperimentConfig, cluster: Cluster | None) -> Cluster | None:
    """The workers of a multi-worker run, the environment's by default; None for any other run."""
    if config.training.strategy != "multiworker":
        return None
    return cluster or make_cluster(None, None, os.environ)


@contextmanager
def together(
    cluster: Cluster | None, folder: Path, timeout: float, report: Callable[[str], None]
) -> Iterator[None]:
    """Meets the other workers, and ends this process with exit code 75 when one of them is gone.

    A collective that waits for a dead worker does not return, so the process is ended from a
    thread. The state saved last is whole, as after any kill.

    Args:
        cluster: of the run; None does nothing.
        folder: of the run.
        timeout: seconds to wait for the others.
        report: called with each line for the user.
    """
    if cluster is None:
        yield
        return
    peers = Peers(cluster, lambda reason: _end(reason, folder))
    export_cluster(cluster)
    peers.meet(timeout, report)
    try:
        yield
    except Interrupted:
        peers.finish()
        raise
    except tf.errors.OpError as error:
        hidden = WITHIN_TENSORFLOW.search(str(error))
        if hidden is None:
            time.sleep(SILENCE)  # a collective fails before its worker is known to be gone
        if hidden is None and isinstance(error, LOST_TOUCH):
            reason = "the workers lost touch with each other: suspended, or without a network"
            peers.fail(reason)
            _end(reason, folder)
        peers.fail(one_line(hidden[1] if hidden else error.message)[:300])
        raise
    except BaseException as error:
        peers.fail(one_line(error) or type(error).__name__)
        raise
    peers.finish()


def _end(reason: str, folder: Path) -> None:
    step = newest_step(folder)
    sys.stderr.write(f"{reason}; start all workers again, the run goes on from step {step}\n")
    sys.stderr.flush()
    os._exit(WORKER_GONE)


def worker_sum(strategy: tf.distribute.Strategy) -> Callable[[float], float]:
    """A function that adds up every replica's number; every worker must call it at the same time.

    Without other workers it costs nothing: the number is its own sum.
    """
    resolver = strategy.cluster_resolver
    if resolver is None or not resolver.task_type:
        return float

    @tf.function(autograph=False)
    def total(number: tf.Tensor) -> tf.Tensor:
        numbers = strategy.run(tf.identity, args=(number,))
        return strategy.reduce(tf.distribute.ReduceOp.SUM, numbers, axis=None)

    return lambda number: float(total(tf.constant(number, tf.float32)))


def check_same_step(strategy: tf.distribute.Strategy, step: int, folder: Path) -> None:
    """Raises a `UserError` if the workers found different checkpoints in `folder`."""
    total = worker_sum(strategy)
    count = total(1.0)
    mean = total(float(step)) / count
    if total(float(step != mean)):
        raise UserError(
            f"{folder}: this worker found step {step} there and others another one; --logdir must "
            "be one folder that all workers see"
        )
