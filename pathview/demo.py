"""``pathview demo``: sample cases made here, analysed with the bundled models, opened or reported."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pathview.errors import OutputError
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, part_of
from pathview.results.mask import full_mask, overlap
from pathview.results.result import AnalysisResult, Outcome
from pathview.session import AnalyseOptions, Session

if TYPE_CHECKING:
    from pathview.samples.mammogram import PhantomView
    from pathview.samples.study import Visit

MAMMOGRAMS = "phantom mammograms"
PRIOR = "phantom mammograms 2024"
TISSUE = "phantom tissue"
TRUTH = "truth"
FINDINGS = "findings-by-visit.json"
SAMPLES = "Samples"
"""The worklist of phantoms: nobody's judgement is at stake there, so the model is shown."""


@dataclass(frozen=True)
class DemoReport:
    """The report's page, and one line for programs for each image."""

    path: Path
    lines: tuple[dict[str, Any], ...]


def has_display() -> bool:
    """Whether a window can be shown."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def make_cases(folder: Path, progress: ProgressSink, cancel: CancelToken) -> tuple[Path, ...]:
    """Draw the sample cases below ``folder``, or keep those that are there (a job).

    A study of four views and a tomosynthesis series, the same woman's study two years before, and a piece of tissue.

    Raises:
        OutputError: the folder cannot be written.
        Cancelled: between two images.
    """
    from pathview.samples.mammogram import STUDY
    from pathview.samples.study import PRIOR_STUDY, PRIOR_VISIT, VISIT
    from pathview.samples.tissue import draw_tissue, write_patches
    from pathview.samples.tomosynthesis import write_tomosynthesis

    study, prior, tissue = cases = folder / MAMMOGRAMS, folder / PRIOR, folder / TISSUE
    finished = folder / TRUTH / FINDINGS
    if finished.is_file():
        return cases
    try:
        findings = {
            study.name: _make_study(folder, study.name, STUDY, VISIT, part_of(progress, 0, 3), cancel),
            prior.name: _make_study(folder, prior.name, PRIOR_STUDY, PRIOR_VISIT, part_of(progress, 1, 3), cancel),
        }
        progress(Progress(8, 10, "drawing tissue"))
        write_patches(draw_tissue(), tissue)
        checkpoint(cancel)
        progress(Progress(9, 10, "drawing tomosynthesis"))
        write_tomosynthesis(study)
        finished.write_text(json.dumps(findings, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"The sample cases cannot be written to {folder}: {error.strerror}.") from error
    return cases


def _make_study(
    folder: Path, name: str, views: Sequence[PhantomView], visit: Visit, progress: ProgressSink, cancel: CancelToken
) -> dict[str, dict[str, int]]:
    """Draw one visit's views, and apart from them what is in them; how much that is, by file."""
    from pathview.samples.mammogram import draw
    from pathview.samples.study import write_study

    truth = folder / TRUTH / name
    truth.mkdir(parents=True, exist_ok=True)
    images = []
    for index, view in enumerate(views):
        checkpoint(cancel)
        progress(Progress(index, len(views), f"drawing {view.laterality} {view.view}"))
        images.append(draw(view))
    paths = write_study(images, folder / name, visit)
    for image, path in zip(images, paths, strict=True):
        Image.fromarray(image.truth).save(truth / f"{path.stem}.png")
    return {
        path.stem: {"masses": len(image.view.masses), "clusters": len(image.view.clusters)}
        for image, path in zip(images, paths, strict=True)
    }


def write_demo_report(session: Session, cases: tuple[Path, ...], folder: Path, progress: ProgressSink) -> DemoReport:
    """Analyse the sample cases, keep the results in the session's store, and write ``report.html``."""
    from pathview.export.files import outcome_json, write_files
    from pathview.export.report import ReportEntry, write_report
    from pathview.review.reading.veil import veiled_outcome

    added = session.add(cases, worklist=SAMPLES)
    images = [image for case_id in added.case_ids for image in session.protocol.case(case_id).images]
    entries, lines = [], []
    for index, image in enumerate(images):
        model = session.catalogue.default_for(image.info["kind"])
        options = AnalyseOptions(explain=(model.recipe.heat_layer or None) if model else None)
        outcome = session.analyse_image(image, options, part_of(progress, index, len(images), image.title), None)
        sight = session.protocol.sight(image.case_id)
        if not sight.model:  # a store where somebody moved the phantoms into a list that hides the model
            lines.append({"path": str(image.path), **vars(veiled_outcome(outcome, sight))})
            continue
        files = None
        if isinstance(outcome, AnalysisResult):
            target = folder / "report" / image.path.parent.name / image.path.stem
            files = write_files(image.path, outcome, target, session.settings)
        entries.append(ReportEntry(image.title, outcome, files, _against_truth(folder, image.path, outcome)))
        lines.append(outcome_json(image.path, outcome, files))
    path = write_report(folder / "report.html", "PathView demonstration on phantoms", entries)
    return DemoReport(path, tuple(lines))


def _against_truth(folder: Path, path: Path, outcome: Outcome) -> str:
    """What the phantom really holds, and how well the mask meets it."""
    visit = path.parent.name
    truth_path = folder / TRUTH / visit / f"{path.stem}.png"
    if not truth_path.is_file():
        return _patch_truth(path, outcome) if path.is_dir() else ""
    findings = json.loads((folder / TRUTH / FINDINGS).read_text(encoding="utf-8"))[visit][path.stem]
    there = " and ".join(
        f"{count} {name if count == 1 else name + 'es' * (name == 'mass') + 's' * (name != 'mass')}"
        for name, count in (("mass", findings["masses"]), ("calcification cluster", findings["clusters"]))
        if count
    )
    sentence = f"Drawn into this phantom: {there or 'nothing'}."
    if isinstance(outcome, AnalysisResult):
        truth = np.asarray(Image.open(truth_path)) > 0
        mask = full_mask(outcome.probability, outcome.threshold, outcome.size) > 0
        sentence += f" Dice of the mask against what was drawn: {overlap(mask, truth).dice:.2f}."
    return sentence


def _patch_truth(folder: Path, outcome: Outcome) -> str:
    positive, negative = (len(list((folder / name).glob("*.png"))) for name in ("1", "0"))
    sentence = f"Drawn into this phantom: {positive} tumour patches and {negative} others."
    if isinstance(outcome, AnalysisResult):
        known = outcome.probability.values[~np.isnan(outcome.probability.values)]
        sentence += f" The model calls {int((known >= outcome.threshold).sum())} of them positive."
    return sentence
