from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from pathview.errors import ModelError
from pathview.models.catalogue import Catalogue, verify_model
from pathview.models.keras_backend import load_network
from pathview.models.weights import MANIFEST, WEIGHTS, check_folder, header_shapes, read_manifest
from pathview.settings import Settings


@pytest.fixture
def model(tiny_cnn: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    shutil.copytree(tiny_cnn, folder)
    return folder


def rewrite(folder: Path, change) -> None:
    """Change the tensors and make the manifest agree, as an attacker or a mistake would."""
    import hashlib

    tensors = load_file(folder / WEIGHTS)
    save_file(change(tensors), folder / WEIGHTS)
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest["sha256"] = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(manifest))


def test_that_good_weights_load_and_verify(model: Path) -> None:
    assert check_folder(model).recipe.name == "tiny-cnn"
    network = load_network(model)
    assert network.predict(np.zeros((2, 50, 50, 3), np.float32)).shape == (2, 2)


def test_that_any_flipped_bit_is_found(model: Path) -> None:
    data = (model / WEIGHTS).read_bytes()
    rng = np.random.default_rng(0)
    for place in [0, 8, *rng.integers(0, len(data), 30)]:
        bad = bytearray(data)
        bad[place] ^= 1 << int(rng.integers(0, 8))
        (model / WEIGHTS).write_bytes(bad)
        with pytest.raises(ModelError, match="SHA-256"):
            check_folder(model)
        with pytest.raises(ModelError, match="SHA-256"):
            load_network(model)


def test_that_truncated_and_missing_weights_are_told(model: Path) -> None:
    (model / WEIGHTS).write_bytes((model / WEIGHTS).read_bytes()[:1000])
    with pytest.raises(ModelError, match="model"):
        load_network(model)
    (model / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=f"no readable {WEIGHTS}"):
        load_network(model)


def test_that_swapped_weights_are_told(model: Path, tiny_unet: Path) -> None:
    shutil.copy(tiny_unet / WEIGHTS, model / WEIGHTS)
    with pytest.raises(ModelError, match="not those that its manifest names"):
        load_network(model)
    rewrite(model, lambda tensors: tensors)
    with pytest.raises(ModelError, match="do not fit its network"):
        load_network(model)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: {**t, "conv1/bias": t["conv1/bias"][:5]}, "conv1/bias"),
        (lambda t: {**t, "extra": np.zeros(3, np.float32)}, "extra"),
        (lambda t: {k: v for k, v in t.items() if k != "logits/bias"}, "logits/bias"),
        (lambda t: {**t, "conv1/bias": np.full_like(t["conv1/bias"], np.nan)}, "no numbers"),
        (lambda t: {**t, "conv1/bias": t["conv1/bias"].astype(np.int32)}, "not floating-point"),
    ],
    ids=["shape", "extra", "missing", "nan", "integers"],
)
def test_that_weights_that_do_not_fit_are_refused(change, words: str, model: Path) -> None:
    rewrite(model, change)
    with pytest.raises(ModelError, match=words):
        load_network(model)


def test_that_a_damaged_manifest_is_told(model: Path) -> None:
    manifest = json.loads((model / MANIFEST).read_text())
    (model / MANIFEST).write_text(json.dumps({**manifest, "sha256": "x"}))
    with pytest.raises(ModelError, match="sha256"):
        read_manifest(model)
    (model / MANIFEST).write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        read_manifest(model)


def test_that_a_shape_bomb_costs_no_memory(model: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4]}}).encode()
    (model / WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header + b"\0" * 4)
    assert header_shapes((model / WEIGHTS).read_bytes()) == {"a": (10**6, 10**6)}
    manifest = json.loads((model / MANIFEST).read_text())
    import hashlib

    manifest["sha256"] = hashlib.sha256((model / WEIGHTS).read_bytes()).hexdigest()
    (model / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match=r"damaged|fit"):
        load_network(model)


def test_that_verify_tells_the_wrong_one(tiny_models: Settings, model: Path) -> None:
    shutil.copytree(model, tiny_models.data_dir / "models" / "broken")
    manifest = json.loads((tiny_models.data_dir / "models" / "broken" / MANIFEST).read_text())
    manifest["recipe"]["name"] = "broken"
    (tiny_models.data_dir / "models" / "broken" / MANIFEST).write_text(json.dumps(manifest))
    (tiny_models.data_dir / "models" / "broken" / WEIGHTS).write_bytes(b"x" * 100)
    verdicts = {entry.name: verify_model(entry) for entry in Catalogue(tiny_models).models()}
    assert verdicts["tiny-cnn"] is None
    assert "broken" in str(verdicts["broken"])


def test_that_kernels_are_half_and_vectors_single(model: Path) -> None:
    tensors = load_file(model / WEIGHTS)
    assert {t.dtype for n, t in tensors.items() if t.ndim > 1 and n != "logits/kernel"} == {np.dtype(np.float16)}
    assert tensors["logits/kernel"].dtype == np.float32
    assert {t.dtype for t in tensors.values() if t.ndim == 1} == {np.dtype(np.float32)}
