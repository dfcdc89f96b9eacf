"""Jobs for the worker's tests; a child imports them by name."""

from __future__ import annotations

import os
import signal
import time

import numpy as np

from pathview.errors import ImageError
from pathview.jobs import Progress, checkpoint


def arrays(rows, progress, cancel):
    return {"a": np.arange(rows * 500).reshape(rows, 500), "b": np.ones(5, np.float32), "words": "kept"}


def pid(progress, cancel):
    return os.getpid()


def known_error(progress, cancel):
    raise ImageError("This is a bad picture.")


def bug(name, progress, cancel):
    return {}[name]


def out_of_memory(progress, cancel):
    raise MemoryError


def killed(progress, cancel):
    os.kill(os.getpid(), signal.SIGKILL)


def aborted(progress, cancel):
    os.close(2)
    os.abort()


def counts(progress, cancel):
    for step in range(50):
        progress(Progress(step, 50))


def early(end, progress, cancel):
    progress(Progress(0, 2, early={"coarse": np.arange(40_000)}))
    progress(Progress(1, 2, early={"coarse": np.zeros(0), "finer": np.ones(90_000, np.float32)}))
    return end(progress, cancel)


def until_cancelled(progress, cancel):
    progress(Progress(0, 0))
    while True:
        checkpoint(cancel)


def deaf(progress, cancel):
    progress(Progress(0, 0))
    while True:
        time.sleep(3600)  # a decoder that hangs; nothing waits for this to end


def same(value, progress, cancel):
    return value
