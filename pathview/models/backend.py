"""What analysis asks of a network, whatever runs it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pathview.models.recipe import Recipe

Batch = npt.NDArray[np.float32]
"""Images [n, rows, columns, channels], 0..1."""
Predict = Callable[[Batch], Batch]
"""See :meth:`Network.predict`."""


class Network(Protocol):
    """A network with weights, ready to run."""

    @property
    def recipe(self) -> Recipe:
        """The recipe that its weights were trained by."""
        ...

    @property
    def weights_sha256(self) -> str:
        """Of the weights file; empty for random weights."""
        ...

    @property
    def runtime(self) -> str:
        """Name and version of what computes."""
        ...

    @property
    def device(self) -> str:
        """Where it computes."""
        ...

    @property
    def precision(self) -> str:
        """Of the numbers that it computes in."""
        ...

    def predict(self, images: Batch) -> Batch:
        """Scores of a batch, compiled.

        Returns:
            float32 [n, classes] or [n, rows, columns, classes], 0..1.
        """
        ...

    @property
    def lanes(self) -> tuple[Predict, ...]:
        """:meth:`predict` for as many threads at once as there are, one a thread.

        Together they are at least as fast as one caller of :meth:`predict`, and nothing waits for a core that reads
        meanwhile; a single one is slower, and each has a batch in memory.
        """
        ...

    @property
    def window_stride(self) -> int | None:
        """Pixels between the windows of :meth:`predict_windows`; None where the network has no such form."""
        ...

    def predict_windows(self, images: Batch) -> Batch:
        """Scores of all windows of larger images at once, each window of the network's own size.

        Returns:
            float32 [n, windows down, windows across, classes], 0..1, the first window at the upper left corner.
        """
        ...

    def explainable_layers(self) -> tuple[str, ...]:
        """Names of the convolution and pooling layers, first to last."""
        ...

    def can_explain(self, layer: str) -> bool:
        """Whether a layer has a map that Grad-CAM can be made of, listed by :meth:`explainable_layers` or not."""
        ...

    def gradcam(self, images: Batch, layers: Sequence[str]) -> dict[str, Batch]:
        """Grad-CAM of the positive class on several layers in one pass (Selvaraju 2017).

        Returns:
            By layer: float32 [n, rows, columns], 0 or more, in the logit's unit times activation.
        """
        ...
