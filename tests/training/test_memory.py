"""Long runs in bounded memory: what an update leaves behind on the native heap."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

# Updates of one variable; prints the bytes an update left in use, after a warm-up.
SCRIPT = """
import ctypes, sys
from hvp.quiet import import_tensorflow
import_tensorflow()
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
parts = [tf.config.LogicalDeviceConfiguration()] * int(sys.argv[2])
tf.config.set_logical_device_configuration(cpu, parts)
from hvp.training.distribution import make_strategy
from hvp.training.updates import Updates

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost").split()]

info = ctypes.CDLL(None).mallinfo2
info.restype = Info
strategy = make_strategy(sys.argv[1])
with strategy.scope():
    total = tf.Variable(0.0, aggregation=tf.VariableAggregation.MEAN)

def step(batch):
    gradient = tf.distribute.get_replica_context().all_reduce("sum", tf.reduce_sum(batch))
    total.assign_add(gradient)
    return {"loss": gradient}

updates = Updates(strategy, lambda number: step)
data = strategy.distribute_datasets_from_function(
    lambda context: tf.data.Dataset.from_tensors(tf.ones([1])).repeat())
batches = iter(data)
for number in range(1000):
    if number == 500:
        before = info().uordblks
    updates.run(batches, 10**6 + number, 1)
print((info().uordblks - before) / 500)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33's heap")
@pytest.mark.parametrize(
    ("strategy", "replicas"),
    [pytest.param("cpu", 1, marks=pytest.mark.slow), ("mirrored", 2)],
)
def test_updates_leave_nothing_behind(strategy, replicas):
    """A tensor of a Python number leaves 0.6 KB, a collective's key about 1 KB a replica."""
    command = [sys.executable, "-c", SCRIPT, strategy, str(replicas)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) < 200
