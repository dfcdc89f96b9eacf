"""Every runtime gives the reference's scores, and the fast ones need no TensorFlow once a network is converted."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pathview.errors import ModelError
from pathview.models import fast_backend, graphs
from pathview.models.fast_backend import FastNetwork, best_providers
from pathview.models.graphs import NotConvertible
from pathview.models.keras_backend import KerasNetwork, load_network
from pathview.models.recipe import Recipe
from pathview.models.runtimes import open_network
from pathview.settings import Settings
from tests.makers import tiny_cnn_recipe, tiny_unet_recipe, write_random_model

IN_SINGLE_PRECISION = ("onnx", "openvino")


def small(network: str, **options: object) -> Recipe:
    """A classifier of 64 x 64 grey pixels."""
    values = {"name": network, "options": options}
    shape = {"height": 64, "width": 64, "channels": 1, "crop": "breast", "fit": "inside"}
    return tiny_cnn_recipe(name=f"small-{network}", network=values, input=shape)


RECIPES = {
    "unet": tiny_unet_recipe(),
    "mobilenet-unet": tiny_unet_recipe(network={"name": "mobilenet-unet", "options": {"width": 4}}),
    "cnn": tiny_cnn_recipe(),
    "per image": tiny_cnn_recipe(input=tiny_cnn_recipe().input.model_dump() | {"normalise": "image"}),
    "feature-wise": tiny_cnn_recipe(
        input=tiny_cnn_recipe().input.model_dump()
        | {"normalise": "feature-wise", "means": (0.5, 0.4, 0.6), "deviations": (0.2, 0.3, 0.1)}
    ),
    "mobilenet": small("mobilenet", dense=(8,)),
    "vlad": small("mobilenet", layer="conv_pw_5_relu", pooling="vlad", clusters=4),
    "resnet50": small("resnet50"),
    "separable": small("separable-cnn"),
}


def images_for(recipe: Recipe, count: int = 3) -> np.ndarray:
    spec = recipe.input
    return np.random.default_rng(0).random((count, spec.height, spec.width, spec.channels), np.float32)


def opened(folder: Path, settings: Settings, runtime: str) -> FastNetwork:
    network = open_network(folder, replace(settings, runtime=runtime))
    assert isinstance(network, FastNetwork)
    return network


@pytest.mark.parametrize("kind", RECIPES)
def test_that_the_fast_runtimes_give_the_reference_scores(kind: str, tmp_path: Path, settings: Settings) -> None:
    folder = write_random_model(tmp_path, RECIPES[kind])
    reference, images = load_network(folder), images_for(RECIPES[kind])
    expected = reference.predict(images)
    for runtime in IN_SINGLE_PRECISION:
        network = opened(folder, settings, runtime)
        np.testing.assert_allclose(network.predict(images), expected, atol=1e-5)
        assert network.predict(images[:1]).shape == expected[:1].shape
        assert network.precision == "float32"
        assert network.explainable_layers() == reference.explainable_layers()
        assert {name for name in reference.layer_names() if network.can_explain(name)} == {
            name for name in reference.layer_names() if reference.can_explain(name)
        }


def test_that_no_decision_on_real_patches_depends_on_the_runtime(data_dir: Path, settings: Settings) -> None:
    from PIL import Image

    folder = settings.resources / "models" / "idc-patches"
    paths = sorted((data_dir / "idc").rglob("*.png"))[::12]
    pixels = [np.asarray(Image.open(path)) for path in paths]
    images = np.stack([one for one in pixels if one.shape == (50, 50, 3)]).astype(np.float32) / np.float32(255)
    limits = (load_network(folder).recipe.decision.lower, load_network(folder).recipe.decision.upper)
    expected = load_network(folder).predict(images)[:, -1]
    assert len(images) > 400
    for runtime in IN_SINGLE_PRECISION:
        found = opened(folder, settings, runtime).predict(images)[:, -1]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        assert (np.digitize(found, limits) == np.digitize(expected, limits)).all()


def test_that_lanes_give_the_same_scores_side_by_side(
    tiny_cnn: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_backend.os, "cpu_count", lambda: 4)
    network = opened(tiny_cnn, settings, "onnx")
    batches = [images_for(network.recipe, count) for count in (3, 1, 5, 2)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda lane, images: lane(images), network.lanes, batches))
    assert len(found) == 4
    for scores, images in zip(found, batches, strict=True):
        np.testing.assert_allclose(scores, network.predict(images), atol=1e-6)


@pytest.mark.parametrize(("runtime", "cores"), [("onnx", 1), ("onnx", 64), ("openvino", 4), ("tensorflow", 4)])
def test_that_there_is_one_lane_where_more_do_not_help_or_fit(
    runtime: str, cores: int, tiny_cnn: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fast_backend.os, "cpu_count", lambda: cores)
    network = open_network(tiny_cnn, replace(settings, runtime=runtime))
    assert network.lanes == (network.predict,)


def test_that_bfloat16_says_so(tiny_unet: Path, settings: Settings) -> None:
    network = opened(tiny_unet, settings, "openvino-bf16")
    assert network.precision == "bfloat16"
    assert network.predict(images_for(network.recipe)).shape == (3, 64, 64, 1)


def test_that_heat_maps_come_from_the_reference(tiny_cnn: Path, settings: Settings) -> None:
    images = images_for(tiny_cnn_recipe())
    found = opened(tiny_cnn, settings, "onnx").gradcam(images, ["conv3"])["conv3"]
    np.testing.assert_allclose(found, load_network(tiny_cnn).gradcam(images, ["conv3"])["conv3"], atol=1e-6)


def test_that_a_network_with_a_graph_needs_no_tensorflow(tiny_unet: Path, settings: Settings) -> None:
    opened(tiny_unet, settings, "onnx")
    script = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from pathview.models.runtimes import open_network\n"
        "from pathview.settings import Settings\n"
        f"network = open_network(Path({str(tiny_unet)!r}), Settings())\n"
        "network.predict(np.zeros((1, 64, 64, 1), np.float32)), network.explainable_layers()\n"
        "print(network.runtime, {'tensorflow', 'keras', 'tf2onnx', 'openvino'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("ONNX Runtime")
    assert done.stdout.rstrip().endswith("set()")


def own_cache(settings: Settings, folder: Path) -> Settings:
    return replace(settings, data_dir=folder)


def test_that_a_damaged_graph_is_made_again(tiny_cnn: Path, settings: Settings, tmp_path: Path) -> None:
    mine = own_cache(settings, tmp_path)
    images = images_for(tiny_cnn_recipe())
    expected = opened(tiny_cnn, mine, "onnx").predict(images)
    (kept,) = mine.graph_dirs[-1].iterdir()
    whole = kept.read_bytes()
    middle = len(whole) // 2
    for damaged in (whole[:middle], whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :], b""):
        kept.write_bytes(damaged)
        np.testing.assert_array_equal(opened(tiny_cnn, mine, "onnx").predict(images), expected)
        assert graphs.read(kept) is not None
    assert list(mine.graph_dirs[-1].iterdir()) == [kept]


def test_that_another_networks_graph_is_not_believed(
    tiny_cnn: Path, tiny_unet: Path, settings: Settings, tmp_path: Path
) -> None:
    mine = own_cache(settings, tmp_path)
    opened(tiny_cnn, mine, "onnx")
    (of_cnn,) = mine.graph_dirs[-1].iterdir()
    right = opened(tiny_unet, mine, "onnx").predict(images_for(tiny_unet_recipe()))
    (of_unet,) = set(mine.graph_dirs[-1].iterdir()) - {of_cnn}
    of_unet.write_bytes(of_cnn.read_bytes())
    again = opened(tiny_unet, mine, "onnx").predict(images_for(tiny_unet_recipe()))
    np.testing.assert_allclose(again, right, atol=1e-6)


def test_that_models_of_one_network_share_its_graph(settings: Settings, tmp_path: Path) -> None:
    mine = own_cache(settings, tmp_path)
    images = images_for(tiny_cnn_recipe())
    found = []
    for seed, title in ((1, "One"), (2, "Two")):
        folder = write_random_model(tmp_path / title, tiny_cnn_recipe(title=title), seed)
        found.append(opened(folder, mine, "onnx").predict(images))
        np.testing.assert_allclose(found[-1], load_network(folder).predict(images), atol=1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    (graph,) = mine.graph_dirs[-1].iterdir()
    assert graph.stat().st_size < 10_000


def test_that_a_graph_that_cannot_be_kept_is_still_used(tiny_cnn: Path, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file stands where the folder should be")
    network = opened(tiny_cnn, own_cache(settings, tmp_path), "onnx")
    assert network.predict(images_for(tiny_cnn_recipe())).shape == (3, 2)


def test_that_a_network_too_large_for_a_file_is_left_to_the_reference(
    tiny_cnn: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "_MAX_BYTES", 1000)
    assert isinstance(open_network(tiny_cnn, settings), KerasNetwork)


def test_that_changed_weights_are_refused_though_their_graph_is_kept(settings: Settings, tmp_path: Path) -> None:
    folder = write_random_model(tmp_path, tiny_cnn_recipe())
    opened(folder, settings, "onnx")
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        open_network(folder, settings)


def test_that_what_cannot_be_converted_runs_in_the_reference(
    tiny_cnn: Path, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tf2onnx

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("no such operation")

    monkeypatch.setattr(tf2onnx.convert, "from_function", refuse)
    mine = own_cache(settings, tmp_path)
    assert isinstance(open_network(tiny_cnn, mine), KerasNetwork)
    with pytest.raises(NotConvertible, match="tiny-cnn cannot be converted"):
        open_network(tiny_cnn, replace(mine, runtime="onnx"))


def test_that_an_unknown_or_missing_runtime_is_named(
    tiny_cnn: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelError, match=r"no runtime 'fastest' \(PATHVIEW_RUNTIME\); there are auto, onnx"):
        open_network(tiny_cnn, replace(settings, runtime="fastest"))
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ModelError, match="openvino cannot be loaded"):
        open_network(tiny_cnn, replace(settings, runtime="openvino"))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert isinstance(open_network(tiny_cnn, settings), KerasNetwork)


def test_that_the_environment_names_the_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().runtime == "auto"
    monkeypatch.setenv("PATHVIEW_RUNTIME", "tensorflow")
    assert Settings().runtime == "tensorflow"


def test_that_a_gpu_is_taken_where_the_package_offers_one() -> None:
    offered = ["CPUExecutionProvider", "AzureExecutionProvider", "DmlExecutionProvider"]
    assert best_providers(offered) == ["DmlExecutionProvider", "CPUExecutionProvider"]
    assert fast_backend.PROVIDERS[best_providers(offered)[0]] == "GPU"
    assert best_providers(["CPUExecutionProvider"]) == ["CPUExecutionProvider"]
