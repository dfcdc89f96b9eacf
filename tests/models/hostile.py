"""Files that want to run code, reach other files, or take all memory: what ``models import`` must refuse."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

CODE = "__import__('pathlib').Path({canary!r}).write_text('run')"


def lambda_in_keras(path: Path, canary: Path) -> None:
    config = {"class_name": "Lambda", "config": {"function": CODE.format(canary=str(canary))}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", b"")


def lambda_in_h5(path: Path, canary: Path) -> None:
    good(path, canary)
    config = {"class_name": "Sequential", "config": [{"class_name": "Lambda", "config": CODE.format(canary=canary)}]}
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = json.dumps(config)


def pickled(path: Path, canary: Path) -> None:
    path.write_bytes(b"cos\nsystem\n(S'touch " + str(canary).encode() + b"'\ntR.")


def external_link(path: Path, canary: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("layers/conv2d/vars")["0"] = h5py.ExternalLink(str(canary), "/secret")


def soft_link(path: Path, canary: Path) -> None:
    with h5py.File(path, "w") as file:
        file["elsewhere"] = np.zeros(3, np.float32)
        file.create_group("layers/conv2d/vars")["0"] = h5py.SoftLink("/elsewhere")


def external_storage(path: Path, canary: Path) -> None:
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/conv2d/vars")
        group.create_dataset("0", (16,), "f4", external=[("/etc/passwd", 0, 64)])


def virtual_data(path: Path, canary: Path) -> None:
    layout = h5py.VirtualLayout((8,), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (8,))
    with h5py.File(path, "w") as file:
        file.create_group("layers/conv2d/vars").create_virtual_dataset("0", layout)


def shape_bomb(path: Path, canary: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("layers/conv2d/vars").create_dataset("0", (2**20, 2**20), "f4", chunks=(1024, 1024))


def many_bombs(path: Path, canary: Path) -> None:
    """Each array is below the limit, all together are not."""
    with h5py.File(path, "w") as file:
        for number in range(40):
            group = file.create_group(f"layers/conv2d_{number}/vars")
            group.create_dataset("0", (2**13, 2**11), "f4", chunks=(1024, 1024), compression="gzip", fillvalue=1.0)


def zip_bomb(path: Path, canary: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.h5", b"\0" * 50_000_000)


def path_traversal(path: Path, canary: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"../../canary"]


def many_names(path: Path, canary: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.full(5001, b"a", "S1")


def numbers_as_names(path: Path, canary: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.zeros((3, 3))


def text_as_weights(path: Path, canary: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("layers/conv2d/vars")["0"] = np.array([b"abc"], object)


def not_finite(path: Path, canary: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_group("layers/conv2d/vars")["0"] = np.array([1.0, np.nan], np.float32)


def endless(path: Path, canary: Path) -> None:
    """A group that holds itself."""
    with h5py.File(path, "w") as file:
        layer = file.create_group("layers/conv2d")
        layer["vars"] = layer


def truncated(path: Path, canary: Path) -> None:
    good(path, canary)
    path.write_bytes(path.read_bytes()[:-600])


def no_hdf5(path: Path, canary: Path) -> None:
    path.write_text("no weights")


def nothing_in_it(path: Path, canary: Path) -> None:
    h5py.File(path, "w").close()


def good(path: Path, canary: Path) -> None:
    """A file that nothing is wrong with."""
    with h5py.File(path, "w") as file:
        file.create_group("layers/conv2d/vars")["0"] = np.ones((3, 3, 1, 4), np.float32)


HOSTILE: tuple[Callable[[Path, Path], None], ...] = (
    lambda_in_keras,
    lambda_in_h5,
    pickled,
    external_link,
    soft_link,
    external_storage,
    virtual_data,
    shape_bomb,
    many_bombs,
    zip_bomb,
    path_traversal,
    many_names,
    numbers_as_names,
    text_as_weights,
    not_finite,
    endless,
    truncated,
    no_hdf5,
    nothing_in_it,
)
