"""``pathview demo``: sample cases made here, analysed with the bundled models, opened or reported."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pathview.errors import OutputError
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, part_of
from pathview.results.mask import full_mask, overlap
from pathview.results.result import AnalysisResult, Outcome
from pathview.session import AnalyseOptions, Session

MAMMOGRAMS = "phantom mammograms"
TISSUE = "phantom tissue"
TRUTH = "truth"


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

    Raises:
        OutputError: the folder cannot be written.
        Cancelled: between two images.
    """
    from pathview.samples.mammogram import STUDY, draw
    from pathview.samples.study import write_study
    from pathview.samples.tissue import draw_tissue, write_patches

    study, tissue, truth = folder / MAMMOGRAMS, folder / TISSUE, folder / TRUTH
    finished = truth / "findings.json"
    if finished.is_file():
        return study, tissue
    try:
        truth.mkdir(parents=True, exist_ok=True)
        images = []
        for index, view in enumerate(STUDY):
            checkpoint(cancel)
            progress(Progress(index, len(STUDY) + 1, f"drawing {view.laterality} {view.view}"))
            images.append(draw(view))
        paths = write_study(images, study)
        for image, path in zip(images, paths, strict=True):
            Image.fromarray(image.truth).save(truth / f"{path.stem}.png")
        write_patches(draw_tissue(), tissue)
        findings = {
            path.stem: {"masses": len(image.view.masses), "clusters": len(image.view.clusters)}
            for image, path in zip(images, paths, strict=True)
        }
        finished.write_text(json.dumps(findings, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"The sample cases cannot be written to {folder}: {error.strerror}.") from error
    return study, tissue


def write_demo_report(session: Session, cases: tuple[Path, ...], folder: Path, progress: ProgressSink) -> DemoReport:
    """Analyse the sample cases, keep the results in the session's store, and write ``report.html``."""
    from pathview.export.files import outcome_json, write_files
    from pathview.export.report import ReportEntry, write_report

    added = session.add(cases)
    images = [image for case_id in added.case_ids for image in session.cases.case(case_id).images]
    entries, lines = [], []
    for index, image in enumerate(images):
        model = session.catalogue.default_for(image.info["kind"])
        options = AnalyseOptions(explain=(model.recipe.heat_layer or None) if model else None)
        outcome = session.analyse_image(image, options, part_of(progress, index, len(images), image.title), None)
        files = None
        if isinstance(outcome, AnalysisResult):
            files = write_files(image.path, outcome, folder / "report" / image.path.stem, session.settings)
        entries.append(ReportEntry(image.title, outcome, files, _against_truth(folder, image.path, outcome)))
        lines.append(outcome_json(image.path, outcome, files))
    path = write_report(folder / "report.html", "PathView demonstration on phantoms", entries)
    return DemoReport(path, tuple(lines))


def _against_truth(folder: Path, path: Path, outcome: Outcome) -> str:
    """What the phantom really holds, and how well the mask meets it."""
    truth_path = folder / TRUTH / f"{path.stem}.png"
    if not truth_path.is_file():
        return _patch_truth(path, outcome)
    findings = json.loads((folder / TRUTH / "findings.json").read_text(encoding="utf-8"))[path.stem]
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
