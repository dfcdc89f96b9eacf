"""The models that are shipped: whole, small, and as good on unseen patients as their cards say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pathview.analysis.pipeline import AnalysisRequest, analyse_path
from pathview.jobs import never, no_progress
from pathview.models.catalogue import Catalogue, verify_model
from pathview.models.recipe import load_recipe
from pathview.models.weights import CARD, WEIGHTS
from pathview.settings import INVESTIGATIONAL, Settings
from pathview.training.measures.assess import EvaluateRequest, evaluate_model
from pathview.training.measures.evaluate import in_words
from pathview.training.measures.words import figure_words

BUNDLED = ("idc-patches", "lesion-unet")


@pytest.fixture
def models(home: Path) -> dict:
    """The user's folder is empty, so that these are the bundled ones."""
    return {model.name: model for model in Catalogue(Settings()).models() if model.weights == "bundled"}


def test_that_these_two_are_bundled_and_each_kind_has_its_default(models) -> None:
    assert sorted(models) == list(BUNDLED)
    catalogue = Catalogue(Settings())
    assert catalogue.default_for("mammogram").name == "lesion-unet"
    assert catalogue.default_for("histology").name == "idc-patches"


def test_that_a_fresh_installation_scores_without_tensorflow(home: Path) -> None:
    """Else ``installer/write_graphs.py`` has to be run."""
    script = (
        "import sys, numpy as np\n"
        "from pathview.models.catalogue import Catalogue\n"
        "from pathview.models.runtimes import open_network\n"
        "from pathview.settings import Settings\n"
        "for model in Catalogue(Settings()).models():\n"
        "    if model.weights == 'bundled':\n"
        "        network, spec = open_network(model.folder, Settings()), model.recipe.input\n"
        "        network.predict(np.zeros((1, spec.height, spec.width, spec.channels), np.float32))\n"
        "        if network.window_stride:\n"
        "            network.predict_windows(np.zeros((1, 100, 100, 3), np.float32))\n"
        "        print(model.name, network.runtime.split()[0], 'tensorflow' in sys.modules)\n"
    )
    environment = {**os.environ, "PATHVIEW_HOME": str(home / "fresh")}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.splitlines() == [f"{name} ONNX False" for name in BUNDLED]


@pytest.mark.parametrize("name", BUNDLED)
def test_that_weights_are_whole_small_and_of_the_recipe_in_the_folder(models, name: str) -> None:
    model = models[name]
    assert verify_model(model) is None
    assert (model.folder / WEIGHTS).stat().st_size < 10e6
    recipe = load_recipe(Settings().resources / "recipes" / f"{name}.toml")
    decision = recipe.decision.model_copy(update=model.recipe.decision.model_dump())
    assert model.recipe == recipe.model_copy(update={"decision": decision})


@pytest.mark.parametrize("name", BUNDLED)
def test_that_cards_state_figures_baselines_limits_and_licence(models, name: str) -> None:
    card = (models[name].folder / CARD).read_text(encoding="utf-8")
    metrics = models[name].manifest.metrics
    for words in (INVESTIGATIONAL, "## Limits", "## Licence", "pathview train", models[name].manifest.sha256):
        assert words in card
    for baseline in metrics["baselines"]:
        assert in_words(baseline) in card
    for figure, value in metrics["metrics"].items():
        low, high = metrics["intervals"][figure]
        assert low <= value <= high
        assert f"| {figure_words(figure)} | {value:.3f} | {low:.3f} to {high:.3f} |" in card


@pytest.mark.parametrize(
    ("name", "folder", "figure", "least", "baselines"),
    [
        ("idc-patches", "idc", "accuracy", 0.791, ("majority", "mean_std_rgb")),
        ("lesion-unet", "mammograms/cdd-cesm", "dice", 0.48, ("predict_nothing", "bright_blob")),  # seed 2: 0.54
    ],
)
def test_that_unseen_patients_are_read_as_well_as_the_card_says(
    models, data_dir: Path, name, folder, figure, least, baselines
) -> None:
    where = {"type": "DM"} if name == "lesion-unet" else {}
    request = EvaluateRequest(models[name].folder, data_dir / folder, "test", where)
    report = evaluate_model(request, Settings(), no_progress, never()).report
    stated = models[name].manifest.metrics
    assert report["metrics"][figure] == pytest.approx(stated["metrics"][figure], abs=2e-3)
    assert report["metrics"][figure] >= least
    for baseline in baselines:
        assert report["metrics"][figure] > stated["baselines"][baseline][figure]


def test_that_a_training_image_is_flagged_as_seen(models, data_dir: Path) -> None:
    images = data_dir / "mammograms" / "cdd-cesm" / "images"
    found = set()
    for path in sorted(images.iterdir())[:40:4]:
        outcome = analyse_path(path, AnalysisRequest(models["lesion-unet"].folder), Settings(), no_progress, never())
        found |= {flag.code for flag in outcome.flags}
    assert "seen_in_training" in found
