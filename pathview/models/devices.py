"""What TensorFlow computes on, and how much memory that takes."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pathview.models import keras_backend

_STATM = Path("/proc/self/statm")


@dataclass(frozen=True)
class Device:
    """What a training runs on."""

    name: str
    """Of the GPUs, or ``CPU, 2 cores``."""
    gpus: int


def device() -> Device:
    """What TensorFlow finds (it is imported for this)."""
    keras_backend.start()
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return Device(f"CPU, {cores} core{'s' if cores > 1 else ''}", 0)
    names = [tf.config.experimental.get_device_details(gpu).get("device_name", "GPU") for gpu in gpus]
    return Device(", ".join(names), len(gpus))


def memory_bytes() -> int | None:
    """What this process holds in memory now; its peak where the system tells no more; None where it tells nothing."""
    if _STATM.is_file():
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def gpu_memory_bytes() -> int | None:
    """What TensorFlow holds on the first GPU now; None without one."""
    import tensorflow as tf

    if not tf.config.list_logical_devices("GPU"):
        return None
    return int(tf.config.experimental.get_memory_info("GPU:0")["current"])


def reproducible() -> bool:
    """Have the same numbers come out of the same training; for the rest of the process.

    Returns:
        Whether it is so: on GPUs some operations have no form whose sums are always taken in one order, and asking for
        one would end the training.
    """
    keras_backend.start()
    import tensorflow as tf

    if tf.config.list_physical_devices("GPU"):
        return False
    tf.config.experimental.enable_op_determinism()
    return True


def spread() -> Any:
    """How a training is spread over several devices of this machine: a ``tf.distribute.MirroredStrategy``, or None."""
    import tensorflow as tf

    if len(tf.config.list_logical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return None


def scope_of(strategy: Any) -> AbstractContextManager[Any]:
    """The scope in which a model for a strategy is built; for None an empty one."""
    return nullcontext() if strategy is None else strategy.scope()
