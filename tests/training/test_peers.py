"""The workers of a job, without TensorFlow: they meet, miss each other, end together."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from hvp.errors import UserError
from hvp.training import peers as module
from hvp.training.cluster import Cluster
from hvp.training.peers import Peers


def free_addresses(count: int) -> tuple[str, ...]:
    """Addresses on this machine whose ports nobody uses now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = tuple(f"127.0.0.1:{s.getsockname()[1]}" for s in sockets)
    for s in sockets:
        s.close()
    return addresses


class Job:
    """Workers of one job in threads of this process."""

    def __init__(self, count: int):
        self.workers = free_addresses(count)
        self.ends = [[] for _ in range(count)]
        self.peers = [Peers(Cluster(self.workers, i), self.ends[i].append) for i in range(count)]
        self.errors, self.lines = [None] * count, []

    def meet(self, *indexes: int, timeout: float = 20) -> None:
        def run(i):
            try:
                self.peers[i].meet(timeout, self.lines.append)
            except UserError as error:
                self.errors[i] = str(error)

        self.together(run, indexes or range(len(self.workers)))

    def together(self, run, indexes) -> None:
        threads = [threading.Thread(target=run, args=(i,)) for i in indexes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()

    def wait_for_ends(self, *indexes: int) -> None:
        deadline = time.monotonic() + 10
        while not all(self.ends[i] for i in indexes) and time.monotonic() < deadline:
            time.sleep(0.01)


@pytest.fixture
def job():
    jobs = []

    def make(count):
        jobs.append(Job(count))
        return jobs[-1]

    yield make
    for made in jobs:
        for peers in made.peers:
            peers.close()


def test_workers_meet_and_finish_together(job):
    three = job(3)
    three.meet()
    assert three.errors == [None] * 3
    first, second, third = three.workers
    assert f"worker 1 ({second}) waits for worker 0 ({first}), worker 2 ({third}): 20 s" in (
        three.lines
    )
    for address in three.workers:  # TensorFlow needs the ports now
        socket.create_server(("127.0.0.1", int(address.split(":")[1]))).close()
    three.together(lambda i: three.peers[i].finish(), range(3))
    time.sleep(0.2)
    assert three.ends == [[], [], []]


def test_a_worker_that_does_not_come_is_named(job):
    three = job(3)
    started = time.monotonic()
    three.meet(0, 1, timeout=1)
    assert time.monotonic() - started < 10
    for error in three.errors[:2]:
        assert f"worker 2 ({three.workers[2]}): Connection refused" in error
        assert "training.worker_timeout" in error


def test_a_worker_that_dies_ends_all_others(job):
    three = job(3)
    three.meet()
    three.peers[1].links[0].close()  # as the kernel does for a killed process
    three.wait_for_ends(0, 2)
    assert three.ends[0] == three.ends[2] == [f"worker 1 ({three.workers[1]}) is gone"]


def test_a_chief_that_fails_says_why(job):
    three = job(3)
    three.meet()
    three.peers[0].fail("the disk is full")
    three.wait_for_ends(1, 2)
    reason = f"worker 0 ({three.workers[0]}) stopped (the disk is full)"
    assert three.ends == [[], [reason], [reason]]


def test_a_silent_worker_is_gone(job, monkeypatch):
    monkeypatch.setattr(module, "SILENCE", 1.0)
    two = job(2)
    monkeypatch.setattr(two.peers[1], "_beat", lambda: None)
    two.meet()
    two.wait_for_ends(0)
    assert two.ends[0] == [f"worker 1 ({two.workers[1]}) is gone"]


def test_other_lists_and_other_programs_are_told_apart(job):
    two = job(2)
    other = Cluster((two.workers[0], "127.0.0.1:1"), 0)
    two.peers[0].cluster = other
    two.meet(timeout=3)
    assert "start all workers with the same list" in two.errors[1]
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        alone = Peers(Cluster((f"127.0.0.1:{port}", two.workers[0]), 1), print)
        with pytest.raises(UserError, match="something else than hvp answers there"):
            alone.meet(0.1, lambda line: None)
        taken = Peers(Cluster((f"127.0.0.1:{port}",), 0), print)
        with pytest.raises(UserError, match=f"cannot listen on port {port}: Address already in"):
            taken.meet(0.1, lambda line: None)


def test_what_is_no_worker_does_no_harm(job):
    """Anything may connect to a port: scanners, load balancers."""
    two = job(2)
    thread = threading.Thread(target=two.meet, args=(0,))
    thread.start()
    host, port = two.workers[0].split(":")
    for garbage in (b"", b"GET / HTTP/1.1\r\n\r\n", b"[1]\n", b'{"join": [1]}\n', b'{"join": 7}\n'):
        while True:
            try:
                with socket.create_connection((host, int(port)), 5) as connection:
                    connection.sendall(garbage)
                break
            except ConnectionRefusedError:
                time.sleep(0.01)
    two.meet(1)
    thread.join(30)
    assert two.errors == [None, None]
