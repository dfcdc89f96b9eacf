from __future__ import annotations

import hashlib
import inspect
import resource
from pathlib import Path

import h5py
import numpy as np
import pytest

from pathview.compute.worker import Worker
from pathview.errors import ModelError
from pathview.models import imagenet
from pathview.models.h5 import read_layers
from pathview.models.imagenet import GENUINE, Genuine, all_kept, import_file, import_job, kept
from pathview.models.networks import NETWORKS
from pathview.settings import Settings
from tests.models.hostile import HOSTILE, good


@pytest.mark.parametrize("make", HOSTILE, ids=lambda make: make.__name__)
def test_that_hostile_files_are_one_sentence_and_nothing_else(make, home: Path, tmp_path: Path) -> None:
    path, canary = tmp_path / "weights.h5", tmp_path / "canary"
    make(path, canary)
    with pytest.raises(ModelError, match=r"weights\.h5"):
        import_file(path, "vgg16", Settings())
    assert not canary.exists()
    assert all_kept(Settings()) == []


def test_that_a_bomb_costs_no_memory(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "weights.h5"
    make = next(make for make in HOSTILE if make.__name__ == "shape_bomb")
    make(path, tmp_path / "canary")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match="GiB of numbers"):
        read_layers(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # KiB


def test_that_a_file_is_read_in_a_child_and_kept(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "vgg16_of_ours.h5"
    good(path, tmp_path)
    child = Worker("import")
    try:
        imported = child.run(import_job, path, None, Settings())
    finally:
        child.close()
    assert (imported.backbone, imported.known_to_keras, imported.parameters) == ("vgg16", False, 36)
    assert imported.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    found = kept("vgg16", Settings())
    assert found is not None
    assert found[0].read_bytes() == path.read_bytes()
    assert found[1] == imported
    assert kept("vgg19", Settings()) is None


def test_that_a_changed_import_is_not_used(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "vgg16.h5"
    good(path, tmp_path)
    import_file(path, None, Settings())
    copy = home / "weights" / "vgg16.h5"
    data = bytearray(copy.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    with pytest.raises(ModelError, match="import them again"):
        kept("vgg16", Settings())


def test_that_a_genuine_file_is_known_by_its_content_and_a_flipped_bit_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    good(path, tmp_path)
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setattr(imagenet, "GENUINE", (Genuine("vgg16", False, f"https://x/{path.name}", md5),))
    renamed = path.with_name("anything.h5")
    renamed.write_bytes(path.read_bytes())
    assert import_file(renamed, None, Settings()).known_to_keras
    with pytest.raises(ModelError, match="weights of vgg16, not of vgg19"):
        import_file(renamed, "vgg19", Settings())
    data = bytearray(path.read_bytes())
    data[-5] ^= 16
    path.write_bytes(data)
    with pytest.raises(ModelError, match="MD5"):
        import_file(path, None, Settings())


def test_that_an_unknown_file_must_say_what_it_is_of(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.h5"
    good(path, tmp_path)
    with pytest.raises(ModelError, match="say what it is of"):
        import_file(path, None, Settings())
    assert import_file(path, "resnet50", Settings()).backbone == "resnet50"
    with pytest.raises(ModelError, match=r"gone\.h5 does not exist"):
        import_file(tmp_path / "gone.h5", None, Settings())


def test_that_the_sums_are_those_in_keras_own_sources() -> None:
    from keras.src.applications import densenet, inception_v3, mobilenet, resnet, vgg16, vgg19

    sources = {
        "vgg16": vgg16,
        "vgg19": vgg19,
        "resnet50": resnet,
        "inception-v3": inception_v3,
        "densenet121": densenet,
        "mobilenet": mobilenet,
    }
    for entry in GENUINE:
        text = inspect.getsource(sources[entry.backbone])
        assert f'"{entry.md5}"' in text or not entry.md5, entry.file
        folder = entry.url.rsplit("/", 2)[1]
        assert f"keras-applications/{folder}/" in text.replace('"\n    "', "") or folder in text
    assert all(network.imagenet in sources for network in NETWORKS.values() if network.imagenet)


def test_that_older_files_are_read_in_their_networks_order(tmp_path: Path) -> None:
    path = tmp_path / "old.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"b", b"empty", b"a"]
        for name in ("a", "b"):
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            group.create_group(name)["kernel:0"] = np.full((2, 2), ord(name), np.float32)
            group[name]["bias:0"] = np.zeros(2, np.float64)
        file.create_group("empty").attrs["weight_names"] = np.zeros(0, "S1")
    layers = read_layers(path)
    shapes = [(layer.name, tuple(array.shape for array in layer.arrays)) for layer in layers]
    assert shapes == [("b", ((2, 2), (2,))), ("a", ((2, 2), (2,)))]
    assert layers[0].arrays[0][0, 0] == ord("b")
