"""The workers of a job, beside TensorFlow: whether all came, whether all are still there.

TensorFlow's collectives wait for a worker that never comes, or hang when one dies. So the workers
first meet on the very ports that TensorFlow takes afterwards, each sees each, and every worker
keeps one connection to the chief for the rest of the run. A worker whose connection ends, or that
is silent, is gone; the chief tells the others, and all end.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hvp.errors import UserError
from hvp.training.channel import Channel, connect
from hvp.training.cluster import Cluster, host_and_port

BEAT = 2.0  # seconds between signs of life
SILENCE = 30.0  # without one, a worker is gone
PATIENCE = 2.0  # for one answer of one worker while they meet
CHIEF = 0


class Peers:
    """This process among the workers of its job.

    Args:
        cluster: of the job.
        on_end: called once, in a thread, with the reason why the job ends before its time: another
            worker is gone, or has stopped with an error. It must not return to a hanging process.
    """

    def __init__(self, cluster: Cluster, on_end: Callable[[str], None]):
        self.cluster, self._on_end = cluster, on_end
        self.others = [i for i in range(len(cluster.workers)) if i != cluster.index]
        self.links: dict[int, Channel] = {}  # the chief's to all others, theirs to the chief
        self._unseen: dict[int, list[int]] = {}  # by worker, as it last told the chief
        self._done: set[int] = set()  # came to the end of the run
        self._left: set[int] = set()  # whose connection ended
        self._changed = threading.Condition(threading.RLock())
        self._together = self._closing = self._ended = False
        self._refusal: str | None = None

    # Meeting -------------------------------------------------------------------------------

    def meet(self, timeout: float, report: Callable[[str], None]) -> None:
        """Waits until every worker has seen every other one.

        Args:
            timeout: seconds.
            report: called with each line for the user.

        Raises:
            UserError: naming the workers that do not answer in time, and for a port in use or a
                worker that was started with another list of workers.
        """
        if self.others:
            names = ", ".join(self.cluster.name(i) for i in self.others)
            report(f"{self.cluster.name(self.cluster.index)} waits for {names}: {timeout:g} s")
        door = _open_door(self.cluster)
        keeper = threading.Thread(target=self._keep_door, args=(door,), daemon=True)
        keeper.start()
        threading.Thread(target=self._beat, daemon=True).start()
        try:
            self._wait_for_all(time.monotonic() + timeout)
        except BaseException:
            self.close()
            raise
        finally:
            door.shutdown(socket.SHUT_RDWR)  # close() alone leaves `accept` and the port waiting
            keeper.join()
            door.close()
        report(f"all {len(self.cluster.workers)} workers are there")

    def _wait_for_all(self, deadline: float) -> None:
        unseen, why = list(self.others), {}
        with ThreadPoolExecutor(16, "hvp-peers") as pool:
            while not self._together:
                answers = dict(zip(unseen, pool.map(self._look_for, unseen), strict=True))
                why = {i: answer for i, answer in answers.items() if answer}
                unseen = [i for i in self.others if i in why or self._without_chief(i)]
                with self._changed:
                    self._tell_or_decide(unseen)
                    if self._refusal:
                        raise UserError(self._refusal)
                    if not self._together and time.monotonic() > deadline:
                        raise UserError(self._missing(why))
                    self._changed.wait_for(lambda: self._together or self._refusal, timeout=0.3)

    def _without_chief(self, index: int) -> bool:
        """Whether `index` is the chief, and the connection to it was lost or is not made yet."""
        return index == CHIEF and CHIEF not in self.links

    def _look_for(self, index: int) -> str:
        """Why a worker does not answer, or nothing if it does; greets the chief for good."""
        host, port = host_and_port(self.cluster.workers[index])
        try:
            channel = connect(host, port, PATIENCE)
        except OSError as error:
            return str(error.strerror or error)
        greeting = channel.receive(PATIENCE)
        if greeting is None or "worker" not in greeting:
            channel.close()
            return "something else than hvp answers there"
        problem = self._mismatch(index, greeting)
        if problem:
            self._refuse(problem)
        if index != CHIEF or problem:
            channel.close()
        elif CHIEF not in self.links:
            channel.send(join=self.cluster.index)
            self._follow(CHIEF, channel)
        return problem

    def _mismatch(self, index: int, greeting: dict[str, Any]) -> str:
        if greeting["worker"] == index and greeting.get("workers") == list(self.cluster.workers):
            return ""
        return (
            f"{self.cluster.name(index)} says that it is worker {greeting['worker']} of "
            f"{greeting.get('workers')}; start all workers with the same list"
        )

    def _tell_or_decide(self, unseen: list[int]) -> None:
        if self.cluster.index != CHIEF:
            if CHIEF in self.links:
                self.links[CHIEF].send(unseen=unseen)
        elif not unseen and all(self._unseen.get(i) == [] for i in self.others):
            self._together = True
            self._send_all(go=True)

    def _missing(self, why: dict[int, str]) -> str:
        named = [f"{self.cluster.name(i)}: {reason}" for i, reason in why.items()]
        if not named:
            asked = self.others if self.cluster.index == CHIEF else []
            blind = [self.cluster.name(i) for i in asked if self._unseen.get(i) != []]
            named = [f"{', '.join(blind) or 'another worker'} has not seen all others"]
        return (
            f"not all workers came in time ({'; '.join(named)}); start them, check their addresses "
            "and ports, or raise training.worker_timeout"
        )

    def _keep_door(self, door: socket.socket) -> None:
        """Tells everyone who connects who this is; the others' connections to the chief stay."""
        while True:
            try:
                connection, _ = door.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._greet, args=(Channel(connection),), daemon=True).start()

    def _greet(self, channel: Channel) -> None:
        channel.send(worker=self.cluster.index, workers=list(self.cluster.workers))
        joining = (channel.receive(PATIENCE) or {}).get("join")
        if not isinstance(joining, int):
            channel.close()
            return
        with self._changed:
            known = joining in self.links
            if self.cluster.index == CHIEF and joining in self.others and not known:
                self._follow(joining, channel)
                return
        if known:
            name = self.cluster.name(joining)
            channel.send(refused=f"{name} is running already; --worker must differ")
        channel.close()

    # Being together ------------------------------------------------------------------------

    def finish(self) -> None:
        """Waits until all workers have come to the end; then none misses the others."""
        self._send_all(done=True)
        with self._changed:
            self._changed.wait_for(lambda: self._done >= set(self.links))
            self._closing = True
            if self.cluster.index == CHIEF:  # closing first could overtake what was sent
                self._changed.wait_for(lambda: self._left >= set(self.links), timeout=5)
        self.close()

    def fail(self, reason: str) -> None:
        """Tells the others that this worker stops with an error, so that they stop too."""
        with self._changed:
            if self._closing:
                return
            self._closing = True
        self._send_all(failed=reason)

    def close(self) -> None:
        """Ends all connections."""
        self._closing = True
        for link in list(self.links.values()):
            link.close()

    def _send_all(self, **message: Any) -> None:
        for link in list(self.links.values()):
            link.send(**message)

    def _beat(self) -> None:
        while not self._closing:
            self._send_all(beat=True)
            time.sleep(BEAT)

    def _follow(self, index: int, channel: Channel) -> None:
        self.links[index] = channel
        threading.Thread(target=self._listen, args=(index, channel), daemon=True).start()

    def _listen(self, index: int, channel: Channel) -> None:
        while (message := channel.receive(SILENCE)) is not None:
            with self._changed:
                self._note(index, message)
                self._changed.notify_all()
        with self._changed:
            self._left.add(index)
            self._changed.notify_all()
            if not self._together:  # it may come again
                self.links.pop(index, None)
                self._unseen.pop(index, None)
            elif index not in self._done:
                self._end(f"{self.cluster.name(index)} is gone")

    def _note(self, index: int, message: dict[str, Any]) -> None:
        if "unseen" in message:
            self._unseen[index] = message["unseen"]
        if "go" in message:
            self._together = True
        if "refused" in message:
            self._refuse(str(message["refused"]))
        if "done" in message:
            self._done.add(index)
        if "ended" in message:
            self._end(str(message["ended"]))
        if "failed" in message:
            self._end(f"{self.cluster.name(index)} stopped ({message['failed']})")

    def _refuse(self, reason: str) -> None:
        with self._changed:
            self._refusal = self._refusal or reason
            self._changed.notify_all()

    def _end(self, reason: str) -> None:
        with self._changed:
            if self._ended or self._closing:
                return
            self._ended = True
        if self.cluster.index == CHIEF:
            self._send_all(ended=reason)
        threading.Thread(target=self._on_end, args=(reason,), daemon=True).start()


def _open_door(cluster: Cluster) -> socket.socket:
    """Listens on this worker's own port, until TensorFlow does."""
    _, port = host_and_port(cluster.workers[cluster.index])
    try:
        if socket.has_dualstack_ipv6():
            try:
                return socket.create_server(
                    ("", port), family=socket.AF_INET6, backlog=128, dualstack_ipv6=True
                )
            except OSError:  # a kernel with IPv6 switched off, or the port is in use
                pass
        return socket.create_server(("", port), backlog=128)
    except OSError as error:
        raise UserError(
            f"{cluster.name(cluster.index)} cannot listen on port {port}: "
            f"{error.strerror or error}; choose another port, or end what uses it"
        ) from error
