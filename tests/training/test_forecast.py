"""Measuring how long a training takes ends soon, however slow the network is: what it runs is counted."""

from __future__ import annotations

import pytest

from pathview.jobs import Cancelled, Progress, never, no_progress
from pathview.training.learning.forecast import _of_batch, _timed


class Machine:
    """Takes so many seconds an image, by its own clock, and counts them; the first call compiles."""

    def __init__(self, seconds: float, compiling: float = 20.0) -> None:
        self.seconds, self.compiling = seconds, compiling
        self.calls: list[int] = []
        self.now = 0.0

    def step(self, images: int) -> None:
        self.now += self.seconds * images + (self.compiling if images not in self.calls else 0.0)
        self.calls.append(images)

    def clock(self) -> float:
        return self.now


def test_that_of_a_slow_network_few_images_stand_for_a_batch() -> None:
    machine = Machine(seconds=2.0)
    found = _of_batch(machine.step, 128, no_progress, never(), machine.clock)
    assert machine.calls == [4, 4]  # one to compile, one that is timed
    assert found.likely == pytest.approx(256.0)
    assert found.low <= found.likely <= found.high


def test_that_a_fast_network_is_timed_by_whole_batches() -> None:
    machine = Machine(seconds=0.001)
    found = _of_batch(machine.step, 32, no_progress, never(), machine.clock)
    assert machine.calls == [4] * 9 + [32] * 9
    assert found.likely == pytest.approx(0.032)


@pytest.mark.parametrize("batch", [1, 4])
def test_that_a_small_batch_is_timed_once(batch: int) -> None:
    machine = Machine(seconds=0.1)
    found = _of_batch(machine.step, batch, no_progress, never(), machine.clock)
    assert set(machine.calls) == {batch}
    assert found.likely == pytest.approx(0.1 * batch)


def test_that_measuring_tells_each_step_and_can_be_cancelled_between_them() -> None:
    machine, token, told = Machine(seconds=0.1), never(), list[Progress]()

    def watched(step: Progress) -> None:
        told.append(step)
        if len(told) == 3:
            token.set()

    with pytest.raises(Cancelled):
        _timed(lambda: machine.step(1), token, watched, machine.clock)
    assert [step.done for step in told] == [1, 2, 3]
    assert len(machine.calls) == 4
