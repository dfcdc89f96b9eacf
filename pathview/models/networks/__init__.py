"""The table of networks: one file and one row each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pathview.models.networks import (
    densenet121,
    idc_cnn,
    inception_v3,
    mobilenet,
    mobilenet_unet,
    resnet50,
    separable_cnn,
    vgg,
    zf_unet,
)
from pathview.models.networks.base import HeadOptions, InputShape, Options


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
    backbone_tail: tuple[str, ...] = ()
    """Those of them that a file may do without."""
    imagenet: str = ""
    """Whose ImageNet weights fit the backbone (see ``models/imagenet.py``)."""


NETWORKS: dict[str, Network] = {
    "zf-unet": Network(zf_unet.ZfUnetOptions, zf_unet.build),
    "mobilenet-unet": Network(
        mobilenet_unet.MobileNetUnetOptions, mobilenet_unet.build, mobilenet.BACKBONE, imagenet="mobilenet"
    ),
    "idc-cnn": Network(idc_cnn.IdcCnnOptions, idc_cnn.build),
    "mobilenet": Network(HeadOptions, mobilenet.build, mobilenet.BACKBONE, imagenet="mobilenet"),
    "vgg16": Network(HeadOptions, vgg.build, vgg.BACKBONE, imagenet="vgg16"),
    "vgg19-dense": Network(
        vgg.DenseVggOptions, vgg.build_dense, (*vgg.BACKBONE, *vgg.DENSE), vgg.DENSE, imagenet="vgg19"
    ),
    "vgg19-convolutional": Network(
        HeadOptions, vgg.build_convolutional, (*vgg.BACKBONE, *vgg.DENSE), vgg.DENSE, imagenet="vgg19"
    ),
    "separable-cnn": Network(
        separable_cnn.SeparableCnnOptions, separable_cnn.build, separable_cnn.BACKBONE, imagenet="vgg19"
    ),
    "resnet50": Network(HeadOptions, resnet50.build, resnet50.BACKBONE, imagenet="resnet50"),
    "inception-v3": Network(HeadOptions, inception_v3.build, inception_v3.BACKBONE, imagenet="inception-v3"),
    "densenet121": Network(HeadOptions, densenet121.build, densenet121.BACKBONE, imagenet="densenet121"),
}

__all__ = ["NETWORKS", "InputShape", "Network", "Options"]
