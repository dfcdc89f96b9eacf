"""The table of networks: one file and one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pathview.models.networks import idc_cnn, mobilenet_unet, zf_unet
from pathview.models.networks.base import InputShape, Options


@dataclass(frozen=True)
class Network:
    """One row: the type of its options, and what builds it.

    ``build(options, shape, classes)`` returns an untrained ``keras.Model``: one flat functional graph
    whose last layers are ``logits`` and ``scores``.
    """

    options: type[Options]
    build: Callable[[Any, InputShape, int], Any]
    backbone: tuple[str, ...] = ()
    """Beginnings of the names of the layers that weights learnt elsewhere can start; none: the network has none."""


NETWORKS: dict[str, Network] = {
    "zf-unet": Network(zf_unet.ZfUnetOptions, zf_unet.build),
    "mobilenet-unet": Network(mobilenet_unet.MobileNetUnetOptions, mobilenet_unet.build, mobilenet_unet.BACKBONE),
    "idc-cnn": Network(idc_cnn.IdcCnnOptions, idc_cnn.build),
}

__all__ = ["NETWORKS", "InputShape", "Network", "Options"]
