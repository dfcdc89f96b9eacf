"""The model card: what a model is, was made from, reaches, and must not be used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from pathview.errors import OutputError
from pathview.models.weights import CARD, Manifest
from pathview.settings import INVESTIGATIONAL, resource_dir
from pathview.training.measures.assess import ONLY_PLACES
from pathview.training.measures.evaluate import in_words
from pathview.training.measures.words import BELOW_HALF, figure_words

RULES = {
    "margin": "the probability of the last class",
    "mask-sum": "the area outlined: the sum of the probability map",
}
"""What the score is that the limits are of, by the rule of the decision."""


def write_card(
    folder: Path,
    manifest: Manifest,
    counts: Mapping[str, tuple[int, int]],
    about: Path | None = None,
    folds: str = "",
    trials: str = "",
    title: str = "",
    changes: Sequence[str] = (),
) -> None:
    """Write ``card.md`` into a model folder.

    Args:
        folder: the model's.
        manifest: with the test figures.
        counts: images and patients of each part.
        about: Markdown with what no program knows: the data's origin and licence, limits, commands.
        folds: what its cross-validation came to, in sentences; empty: there is none.
        trials: what trainings on fewer patients came to, likewise.
        title: of the training, which tells it from others of the same recipe.
        changes: where it was trained otherwise than the recipe says; see
            :func:`pathview.training.runs.hyperparameters.differences`.

    Raises:
        OutputError: a file cannot be read or written.
    """
    try:
        prose = about.read_text(encoding="utf-8").strip() if about else ""
        (folder / CARD).write_text(card_text(manifest, counts, prose, folds, trials, title, changes), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"The model card cannot be written to {folder.name}: {error.strerror}.") from error


def card_text(
    manifest: Manifest,
    counts: Mapping[str, tuple[int, int]],
    about: str,
    folds: str = "",
    trials: str = "",
    title: str = "",
    changes: Sequence[str] = (),
) -> str:
    """The card as Markdown."""
    environment = Environment(
        loader=FileSystemLoader(resource_dir() / "templates"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(),  # the card is Markdown, which has nothing to escape
        trim_blocks=True,
    )
    values: dict[str, Any] = {
        "recipe": manifest.recipe,
        "only_places": ONLY_PLACES,
        "things": "places" if manifest.recipe.regions else "images",
        "manifest": manifest,
        "metrics": manifest.metrics,
        "in_words": in_words,
        "figure_words": figure_words,
        "below_half": BELOW_HALF if _below_half(manifest.metrics) else "",
        "counts": counts,
        "about": about,
        "folds": folds,
        "trials": trials,
        "title": title,
        "changes": changes,
        "rule": RULES[manifest.recipe.decision.rule],
        "notice": INVESTIGATIONAL,
    }
    return environment.get_template("card.md.j2").render(values).rstrip() + "\n"


def _below_half(metrics: Mapping[str, Any]) -> bool:
    """Whether the model or one beside it has an AUC below 0.5."""
    told = [metrics["metrics"], *metrics["baselines"].values()] if metrics else []
    return any(figures.get("auc", 1.0) < 0.5 for figures in told)
