"""Pictures are read once, whoever asks for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pytestqt.qtbot import QtBot

from pathview.errors import ImageError, StoreError
from pathview.gui.job_runner import JobRunner
from pathview.gui.loader import ImageLoader
from pathview.gui.picture_cache import PictureCache
from pathview.gui.session_handle import SessionHandle
from pathview.jobs import Progress, ProgressSink
from pathview.review.records.case import ImageRow


class Reader:
    """Reads nothing, when it is told to go on."""

    settings = None

    def __init__(self) -> None:
        self.opener = self
        self.read: list[int] = []
        self.begun, self.go_on = threading.Semaphore(0), threading.Semaphore(0)
        self.error: Exception | None = None

    def get(self) -> Reader:
        return self

    def run(self, function: Any, image: ImageRow, *_: Any, progress: ProgressSink, **__: Any) -> Any:
        self.read.append(image.id)
        progress(Progress(1, 2, "decoded", f"coarse {image.id}"))
        self.begun.release()
        assert self.go_on.acquire(timeout=10)
        if self.error is not None:
            raise self.error
        return SimpleNamespace(nbytes=1, number=image.id)


class Told:
    """What a loader told."""

    def __init__(self, loader: ImageLoader) -> None:
        self.coarse: list[tuple[int, object]] = []
        self.pictures: list[int] = []
        self.failures: list[str] = []
        loader.coarse_loaded.connect(lambda number, picture: self.coarse.append((number, picture)))
        loader.picture_loaded.connect(lambda number, _: self.pictures.append(number))
        loader.failed.connect(lambda _, error: self.failures.append(str(error)))


@pytest.fixture
def reader() -> Reader:
    return Reader()


@pytest.fixture
def runner(qtbot: QtBot) -> Iterator[JobRunner]:
    made = JobRunner("reading")
    yield made
    made.close()


@pytest.fixture
def loader(reader: Reader, runner: JobRunner) -> ImageLoader:
    return ImageLoader(cast("SessionHandle", reader), runner, runner, PictureCache(100))


def image(number: int) -> ImageRow:
    row = SimpleNamespace(id=number, path=Path(f"{number}.dcm"), fingerprint="f", mpp_um=None, info={"size": (1, 1)})
    return cast("ImageRow", row)


def test_that_a_picture_on_its_way_is_not_read_again_when_it_is_wanted(
    qtbot: QtBot, reader: Reader, loader: ImageLoader, runner: JobRunner
) -> None:
    told = Told(loader)
    loader.prefetch([image(1)])
    assert reader.begun.acquire(timeout=10)
    qtbot.waitUntil(lambda: any(coming.coarse is not None for coming in loader._coming.values()))
    assert told.coarse == []

    loader.ignore()
    loader.drop(but=[image(1)])
    loader.read_pictures([image(1)])
    assert told.coarse == []  # the light box still hangs the case before
    loader.show_kept(image(1))
    assert told.coarse == [(1, "coarse 1")]
    reader.go_on.release()
    qtbot.waitUntil(lambda: not runner.busy)

    assert told.pictures == [1]
    assert reader.read == [1]


def test_that_pictures_which_are_not_wanted_next_are_given_up(
    qtbot: QtBot, reader: Reader, loader: ImageLoader, runner: JobRunner
) -> None:
    told = Told(loader)
    loader.prefetch([image(1), image(2), image(3)])
    assert reader.begun.acquire(timeout=10)
    loader.drop(but=[image(3)])
    loader.read_pictures([image(3)])
    reader.go_on.release()
    reader.go_on.release()
    qtbot.waitUntil(lambda: not runner.busy)

    assert told.pictures == [3]
    assert reader.read == [1, 3]


@pytest.mark.parametrize("wanted", [True, False])
def test_that_a_failure_is_told_where_the_picture_is_wanted(
    qtbot: QtBot, reader: Reader, loader: ImageLoader, runner: JobRunner, wanted: bool
) -> None:
    told = Told(loader)
    reader.error = ImageError("It has gone.")
    loader.prefetch([image(1)])
    if wanted:
        loader.read_pictures([image(1)])
    reader.go_on.release()
    qtbot.waitUntil(lambda: not runner.busy)

    assert told.failures == (["It has gone."] if wanted else [])
    reader.error = None
    reader.go_on.release()
    loader.read_pictures([image(1)])
    qtbot.waitUntil(lambda: told.pictures == [1])


def test_that_what_is_found_is_read_by_the_thread_that_found_it(
    qtbot: QtBot, reader: Reader, loader: ImageLoader, runner: JobRunner
) -> None:
    told = Told(loader)
    loader.read_found(lambda: [image(1), image(2)])
    assert reader.begun.acquire(timeout=10)  # before the window's thread heard of it
    qtbot.waitUntil(lambda: loader.is_reading(image(1)) and loader.is_reading(image(2)))
    qtbot.waitUntil(lambda: any(coming.coarse is not None for coming in loader._coming.values()))
    assert told.coarse == []

    loader.drop(but=[image(1), image(2)])
    loader.read_pictures([image(1), image(2)])
    loader.show_kept(image(1))
    assert told.coarse == [(1, "coarse 1")]
    reader.go_on.release(2)
    qtbot.waitUntil(lambda: not runner.busy)

    assert told.pictures == [1, 2]
    assert reader.read == [1, 2]


def test_that_what_is_found_is_read_once_where_somebody_else_asked_before(
    qtbot: QtBot, reader: Reader, loader: ImageLoader, runner: JobRunner
) -> None:
    told, search = Told(loader), threading.Event()

    def find() -> list[ImageRow]:
        assert search.wait(timeout=10)
        return [image(1)]

    loader.read_found(find)
    loader.read_pictures([image(1)])
    search.set()
    reader.go_on.release()
    qtbot.waitUntil(lambda: told.pictures == [1])

    assert reader.read == [1]
    loader.read_found(lambda: [image(1)])
    qtbot.waitUntil(lambda: not runner.busy)
    assert reader.read == [1]  # it is here


def test_that_an_order_which_came_between_finding_and_hearing_of_it_is_not_read_twice(
    qtbot: QtBot, reader: Reader, loader: ImageLoader, runner: JobRunner
) -> None:
    told = Told(loader)
    loader.read_found(lambda: [image(1)])
    assert reader.begun.acquire(timeout=10)
    loader.read_pictures([image(1)])  # the window's thread has not heard yet that it is being read
    qtbot.waitUntil(lambda: loader._finding is None)
    reader.go_on.release(2)
    qtbot.waitUntil(lambda: not runner.busy)

    assert told.pictures == [1]
    assert reader.read == [1]


def test_that_what_is_found_of_a_case_that_was_left_is_not_read(
    qtbot: QtBot, reader: Reader, loader: ImageLoader, runner: JobRunner
) -> None:
    search = threading.Event()

    def find() -> list[ImageRow]:
        assert search.wait(timeout=10)
        return [image(1)]

    loader.read_found(find)
    loader.ignore()
    loader.read_found(lambda: [image(2)])
    search.set()
    reader.go_on.release(2)
    qtbot.waitUntil(lambda: not runner.busy)

    assert reader.read == [2]


@pytest.mark.parametrize("wanted", [True, False])
def test_that_a_failure_of_what_was_found_is_told_where_it_is_wanted(
    qtbot: QtBot, reader: Reader, loader: ImageLoader, runner: JobRunner, wanted: bool
) -> None:
    told = Told(loader)
    reader.error = ImageError("It has gone.")
    loader.read_found(lambda: [image(1)])
    qtbot.waitUntil(lambda: loader.is_reading(image(1)))
    if wanted:
        loader.read_pictures([image(1)])
    reader.go_on.release()
    qtbot.waitUntil(lambda: not runner.busy)

    assert told.failures == (["It has gone."] if wanted else [])
    assert not loader.is_reading(image(1))


def test_that_nothing_is_told_where_nothing_can_be_found(
    qtbot: QtBot, reader: Reader, loader: ImageLoader, runner: JobRunner
) -> None:
    def find() -> list[ImageRow]:
        raise StoreError("There is no such case.")

    told = Told(loader)
    loader.read_found(find)
    qtbot.waitUntil(lambda: not runner.busy)

    assert (told.failures, told.pictures, reader.read) == ([], [], [])
