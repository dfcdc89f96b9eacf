"""A long-lived child process that runs jobs; arrays come back through shared memory.

A broken file can abort a decoder and a model can run out of memory: then only the child dies. It is
started by *spawn*, so that it inherits neither locks nor Qt.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import connection, shared_memory
from multiprocessing.synchronize import Event
from typing import Any

import numpy as np
import numpy.typing as npt

from pathview.compute.engine import NO_MEMORY, JobFailed
from pathview.errors import PathViewError, WorkerDied
from pathview.jobs import Cancelled, CancelToken, Progress, ProgressSink, checkpoint, never, no_progress

_POLL_S = 0.02
_PROGRESS_EVERY_S = 0.03
_FREE = "free"


@dataclass(frozen=True)
class _Job:
    number: int
    function: Callable[..., Any]
    args: tuple[Any, ...]


@dataclass(frozen=True)
class _Answer:
    """``kind``: progress, result, error, cancelled or bug; ``payload``: pickled, but for its arrays."""

    number: int
    kind: str
    payload: bytes
    memory: str | None = None
    """The name of the shared memory in which its arrays lie one after another."""
    sizes: tuple[int, ...] = ()


class Worker:
    """An :class:`pathview.compute.engine.Engine` whose jobs run in a child, one after another, whoever asks."""

    def __init__(self, name: str, cancel_grace_s: float = 1.0) -> None:
        """The child is started by the first job, and again by the next one after it died."""
        self._name = name
        self._grace = cancel_grace_s
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._connection: connection.Connection | None = None
        self._cancelled: Event = self._context.Event()
        self._number = 0
        self._turn = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Process id of the child, or None while there is none."""
        return self._process.pid if self._process is not None and self._process.is_alive() else None

    def run(
        self,
        function: Callable[..., Any],
        *args: Any,
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
    ) -> Any:
        """See :class:`pathview.compute.engine.Engine`."""
        cancel = cancel or never()
        with self._my_turn(cancel):
            pipe = self._started()
            self._cancelled.clear()
            self._number += 1
            try:
                pipe.send(_Job(self._number, function, args))
                return self._wait(pipe, progress, cancel)
            except (EOFError, BrokenPipeError, ConnectionResetError) as error:
                raise self._died() from error

    def close(self) -> None:
        """End the child."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.send(None)
            self._connection.close()
        if self._process is not None:
            self._process.join(0.5)
        self._end()

    @contextlib.contextmanager
    def _my_turn(self, cancel: CancelToken) -> Iterator[None]:
        """The child answers one thread at a time; who waits for it can still be cancelled."""
        while True:
            checkpoint(cancel)
            if self._turn.acquire(timeout=_POLL_S):
                break
        try:
            yield
        finally:
            self._turn.release()

    def _started(self) -> connection.Connection:
        if self._process is None or not self._process.is_alive() or self._connection is None:
            self._end()
            self._cancelled = self._context.Event()
            ours, theirs = self._context.Pipe()
            self._process = self._context.Process(
                target=_child, args=(theirs, self._cancelled), name=f"pathview-{self._name}", daemon=True
            )
            self._process.start()
            theirs.close()
            self._connection = ours
        return self._connection

    def _wait(self, pipe: connection.Connection, progress: ProgressSink, cancel: CancelToken) -> Any:
        deadline: float | None = None
        lent = False
        assert self._process is not None
        while True:
            if cancel.is_set() and deadline is None:
                self._cancelled.set()
                deadline = time.monotonic() + self._grace
            if deadline is not None and time.monotonic() > deadline:
                self._end()
                raise Cancelled
            if not connection.wait([pipe, self._process.sentinel], _POLL_S):
                continue
            if not pipe.poll():
                raise EOFError
            answer: _Answer = pipe.recv()
            if answer.number != self._number:
                continue
            payload = pickle.loads(answer.payload, buffers=_fetch(answer))
            lent |= answer.memory is not None
            if answer.kind == "progress":
                progress(payload)
                continue
            if lent:
                pipe.send(_FREE)
            return _finished(answer.kind, payload)

    def _died(self) -> WorkerDied:
        code = None
        if self._process is not None:
            self._process.join(1.0)
            code = self._process.exitcode
        self._end()
        how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        return WorkerDied(f"The {self._name} process ended unexpectedly ({how}); it will be started again.")

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _finished(kind: str, payload: Any) -> Any:
    """What a job returned, or raised."""
    if kind == "cancelled":
        raise Cancelled
    if kind == "error":
        raise payload
    if kind == "bug":
        raise JobFailed(*payload)
    return payload


def _fetch(answer: _Answer) -> list[npt.NDArray[np.uint8]]:
    """Copies of the arrays that the child laid into shared memory, which is then given up.

    Copied by NumPy, which lets other threads go on meanwhile and takes memory in large pages.
    """
    if answer.memory is None:
        return []
    memory = shared_memory.SharedMemory(answer.memory)
    try:
        buffers, start = [], 0
        for size in answer.sizes:
            buffers.append(np.array(_view(memory)[start : start + size]))
            start += size
        return buffers
    finally:
        memory.close()
        with contextlib.suppress(FileNotFoundError):
            memory.unlink()


def _view(memory: shared_memory.SharedMemory) -> memoryview:
    assert memory.buf is not None  # only a closed memory has none
    return memory.buf


def _child(pipe: connection.Connection, cancelled: Event) -> None:
    """The child's life: one job after another until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            job = pipe.recv()
        except (EOFError, OSError):
            return
        if job is None:
            return
        if isinstance(job, _Job):
            try:
                _run_job(job, pipe, cancelled)
            except (EOFError, OSError):  # the other end is gone
                return


class _Teller:
    """Says how one job goes on; the arrays of what it says are lent in shared memory until the job is over."""

    def __init__(self, number: int, pipe: connection.Connection) -> None:
        self._number = number
        self._pipe = pipe
        self._lent: list[shared_memory.SharedMemory] = []

    def tell(self, kind: str, thing: Any = None) -> None:
        buffers: list[pickle.PickleBuffer] = []
        payload = pickle.dumps(thing, protocol=5, buffer_callback=buffers.append)
        raws = [buffer.raw() for buffer in buffers]
        sizes = tuple(raw.nbytes for raw in raws)
        name = self._lend(raws, sum(sizes)) if any(sizes) else None
        self._pipe.send(_Answer(self._number, kind, payload, name, sizes))

    def _lend(self, raws: list[memoryview], total: int) -> str:
        memory = shared_memory.SharedMemory(create=True, size=total)
        self._lent.append(memory)
        start = 0
        for raw in raws:
            _view(memory)[start : start + raw.nbytes] = raw
            start += raw.nbytes
        return memory.name

    def end(self) -> None:
        try:
            if self._lent:
                self._pipe.recv()  # on Windows memory is gone with its last handle, so it is held until it was copied
        finally:
            for memory in self._lent:
                memory.close()


def _run_job(job: _Job, pipe: connection.Connection, cancelled: Event) -> None:
    last = 0.0
    teller = _Teller(job.number, pipe)

    def report(step: Progress) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _PROGRESS_EVERY_S or step.early is not None:
            last = now
            teller.tell("progress", step)

    try:
        teller.tell("result", job.function(*job.args, report, cancelled))
    except Cancelled:
        teller.tell("cancelled")
    except PathViewError as error:
        teller.tell("error", error)
    except MemoryError:
        teller.tell("error", PathViewError(NO_MEMORY))
    except Exception as error:  # the outer edge of the child: a bug is reported, the child goes on
        frames = "".join(traceback.format_tb(error.__traceback__))
        teller.tell("bug", (type(error).__name__, frames))
    finally:
        teller.end()
