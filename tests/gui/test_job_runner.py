from __future__ import annotations

import threading

import pytest

from pathview.errors import ImageError
from pathview.gui.job_runner import JobRunner
from pathview.jobs import Progress, checkpoint


@pytest.fixture
def runner(qtbot):
    found = JobRunner("test")
    yield found
    found.close()


def test_that_results_come_in_the_windows_thread(qtbot, runner: JobRunner) -> None:
    heard = []
    runner.submit(
        lambda progress, _: (progress(Progress(1, 2)), threading.current_thread())[1],
        done=lambda result: heard.append(("done", result, threading.current_thread())),
        progress=lambda step: heard.append(("progress", step.done, threading.current_thread())),
        ended=lambda: heard.append(("ended", None, threading.current_thread())),
    )
    qtbot.waitUntil(lambda: len(heard) == 3)
    assert [entry[0] for entry in heard] == ["progress", "done", "ended"]
    assert heard[1][1] is not threading.current_thread()
    assert all(entry[2] is threading.current_thread() for entry in heard)


@pytest.mark.parametrize("finish", [True, False])
def test_that_closing_finishes_or_cancels_what_waits(qtbot, finish: bool) -> None:
    runner, gate, saved = JobRunner("test"), threading.Event(), []
    runner.submit(lambda *_: gate.wait(30))
    second = runner.submit(lambda *_: saved.append("decision"))
    closer = threading.Thread(target=runner.close, kwargs={"finish": finish})
    closer.start()
    if not finish:
        assert second.cancelled.wait(30)
    gate.set()
    closer.join(30)
    assert saved == (["decision"] if finish else [])


def test_that_jobs_run_one_after_another_and_busy_is_told(qtbot, runner: JobRunner) -> None:
    order, busy = [], []
    runner.became_busy.connect(busy.append)
    for number in range(5):
        runner.submit(lambda *_, n=number: n, order.append)
    assert runner.busy
    qtbot.waitUntil(lambda: not runner.busy)
    assert order == [0, 1, 2, 3, 4]
    assert busy == [True, False]


def test_that_known_errors_and_bugs_reach_failed_and_the_thread_lives_on(qtbot, runner: JobRunner, caplog) -> None:
    caplog.expected = ("a job failed",)
    failed, done = [], []

    def known(*_):
        raise ImageError("Bad.")

    def bug(*_):
        raise ZeroDivisionError

    for work in (known, bug, lambda *_: "fine"):
        runner.submit(work, done.append, failed.append)
    qtbot.waitUntil(lambda: not runner.busy)
    assert [type(error) for error in failed] == [ImageError, ZeroDivisionError]
    assert done == ["fine"]


def test_that_a_cancelled_job_says_nothing_but_that_it_ended(qtbot, runner: JobRunner) -> None:
    heard, ended = [], []

    def endless(progress, cancel):
        while True:
            checkpoint(cancel)

    job = runner.submit(endless, heard.append, heard.append, heard.append, lambda: ended.append(1))
    waiting = runner.submit(lambda *_: "never", heard.append, ended=lambda: ended.append(2))
    waiting.cancel()
    job.cancel()
    qtbot.waitUntil(lambda: not runner.busy)
    assert heard == []
    assert ended == [1, 2]
