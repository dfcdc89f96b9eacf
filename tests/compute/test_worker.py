from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from pathview.compute.engine import JobFailed, LocalEngine
from pathview.compute.worker import Worker
from pathview.errors import ImageError, PathViewError, WorkerDied
from pathview.jobs import Cancelled, Progress
from tests.compute import jobs


@pytest.fixture
def worker():
    found = Worker("test", cancel_grace_s=0.3)
    yield found
    found.close()


def test_that_arrays_come_back_whole_and_writable(worker: Worker) -> None:
    found = worker.run(jobs.arrays, 700)
    assert found["a"].shape == (700, 500)
    assert found["a"][699, 499] == 700 * 500 - 1
    assert found["b"].dtype == np.float32
    found["a"][0, 0] = 7


def test_that_one_child_runs_many_jobs(worker: Worker) -> None:
    pids = {worker.run(jobs.pid) for _ in range(3)}
    assert len(pids) == 1
    assert pids == {worker.pid}


def test_that_threads_that_share_a_child_get_their_own_answers(worker: Worker) -> None:
    worker.run(jobs.pid)
    found: dict[int, list[int]] = {}

    def ask(number: int) -> None:
        found[number] = [worker.run(jobs.same, number) for _ in range(25)]

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {number: [number] * 25 for number in range(4)}


def test_that_waiting_for_a_busy_child_can_be_cancelled(worker: Worker) -> None:
    worker.run(jobs.pid)
    stop, begun, refused = threading.Event(), threading.Event(), []

    def long_job() -> None:
        with pytest.raises(Cancelled):
            worker.run(jobs.until_cancelled, progress=lambda _: begun.set(), cancel=stop)

    first = threading.Thread(target=long_job)
    first.start()
    assert begun.wait(30)
    give_up = threading.Event()

    def second_job() -> None:
        try:
            worker.run(jobs.pid, cancel=give_up)
        except Cancelled:
            refused.append(True)

    second = threading.Thread(target=second_job)
    second.start()
    give_up.set()
    second.join(30)
    assert refused == [True]
    assert first.is_alive()
    stop.set()
    first.join(30)


def test_that_known_errors_come_back_as_themselves(worker: Worker) -> None:
    with pytest.raises(ImageError, match="bad picture"):
        worker.run(jobs.known_error)
    assert worker.run(jobs.pid) == worker.pid


def test_that_a_bug_tells_its_type_and_frames_but_no_values(worker: Worker) -> None:
    with pytest.raises(JobFailed, match="KeyError") as error:
        worker.run(jobs.bug, "secret-name")
    assert "jobs.py" in error.value.trace
    assert "secret-name" not in str(error.value) + error.value.trace


def test_that_too_little_memory_is_a_sentence(worker: Worker) -> None:
    with pytest.raises(PathViewError, match="not enough memory"):
        worker.run(jobs.out_of_memory)


@pytest.mark.parametrize("how", [jobs.killed, jobs.aborted])
def test_that_a_dead_child_is_told_and_replaced(worker: Worker, how) -> None:
    before = worker.run(jobs.pid)
    with pytest.raises(WorkerDied, match=r"signal (9|6)"):
        worker.run(how)
    assert worker.run(jobs.pid) != before


def test_that_progress_crosses_over(worker: Worker) -> None:
    steps: list[Progress] = []
    worker.run(jobs.counts, progress=steps.append)
    assert steps
    assert steps[0].total == 50


def test_that_cancel_stops_at_a_checkpoint_and_keeps_the_child(worker: Worker) -> None:
    before = worker.run(jobs.pid)
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        worker.run(jobs.until_cancelled, progress=lambda _: cancel.set(), cancel=cancel)
    assert worker.run(jobs.pid) == before


def test_that_a_child_that_does_not_listen_is_ended(worker: Worker) -> None:
    worker.run(jobs.pid)
    cancel = threading.Event()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        worker.run(jobs.deaf, progress=lambda _: cancel.set(), cancel=cancel)
    assert time.monotonic() - started < 20
    assert worker.run(jobs.pid)


def test_that_no_shared_memory_is_left_behind(worker: Worker) -> None:
    shm = Path("/dev/shm")
    if not shm.is_dir():
        pytest.skip("no /dev/shm on this system")
    before = set(shm.iterdir())
    worker.run(jobs.arrays, 300)
    worker.close()
    assert not {path for path in set(shm.iterdir()) - before if path.name.startswith("psm_")}


@pytest.mark.parametrize("end", [jobs.pid, jobs.known_error, jobs.bug, jobs.until_cancelled, jobs.killed])
def test_that_early_arrays_come_whole_and_leave_nothing_behind_however_the_job_ends(worker: Worker, end) -> None:
    worker.run(jobs.pid)
    shm = Path("/dev/shm")
    before = set(shm.glob("psm_*")) if shm.is_dir() else set()
    steps: list[Progress] = []
    cancel = threading.Event()

    def follow(step: Progress) -> None:
        steps.append(step)
        if end is jobs.until_cancelled and step.done == 1:
            cancel.set()

    if end is jobs.pid:
        assert worker.run(jobs.early, end, progress=follow) == worker.pid
    else:
        with pytest.raises((ImageError, JobFailed, Cancelled, WorkerDied)):
            worker.run(jobs.early, end, progress=follow, cancel=cancel)
    first, second = steps[0].early, steps[1].early
    np.testing.assert_array_equal(first["coarse"], np.arange(40_000))
    assert second["coarse"].size == 0
    assert second["finer"].sum() == 90_000
    assert worker.run(jobs.same, 7) == 7
    if shm.is_dir():
        assert not set(shm.glob("psm_*")) - before


def test_that_the_local_engine_calls_the_same_functions() -> None:
    assert LocalEngine().run(jobs.arrays, 3)["a"].shape == (3, 500)
    with pytest.raises(ImageError):
        LocalEngine().run(jobs.known_error)
