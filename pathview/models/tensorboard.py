"""Logs that TensorBoard shows, written without it: figures of each epoch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pathview.errors import OutputError
from pathview.models import keras_backend


class EpochLog:
    """Writes scalars into a folder; opened at the first epoch."""

    def __init__(self, folder: Path) -> None:
        """Remember where."""
        self._folder = folder

    def write(self, epoch: int, figures: Mapping[str, float]) -> None:
        """Keep one epoch's figures by name.

        Raises:
            OutputError: the folder cannot be written.
        """
        keras_backend.start()
        import tensorflow as tf

        about = tf.compat.v1.SummaryMetadata()
        about.plugin_data.plugin_name = "scalars"
        try:
            writer = tf.summary.create_file_writer(str(self._folder))
            with writer.as_default():
                for name, value in figures.items():
                    tf.summary.write(name, tf.constant(value, tf.float32), epoch, about)
            writer.close()
        except tf.errors.OpError as error:
            raise OutputError(f"TensorBoard's log cannot be written to {self._folder.name}.") from error
