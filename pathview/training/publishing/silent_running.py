"""Models in silent mode: they see what the present model sees, and nothing that they say reaches a reader."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pathview.analysis.pipeline import AnalysisRequest, analyse_path
from pathview.compute.engine import Engine, JobFailed
from pathview.errors import ModelError, PathViewError
from pathview.jobs import CancelToken, ProgressSink, part_of
from pathview.models.catalogue import Catalogue
from pathview.models.registry import Registry, Version
from pathview.results.result import AnalysisResult, NotAnalysed, Outcome
from pathview.review.records.case import ImageRow
from pathview.settings import Settings

if TYPE_CHECKING:  # a short command starts without its libraries
    from pathview.review.store import Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SilentRuns:
    """What runs beside one reader's analyses."""

    store: Store
    catalogue: Catalogue
    engine: Engine
    settings: Settings
    reader: str

    def run(
        self,
        image: ImageRow,
        outcome: Outcome,
        request: AnalysisRequest,
        progress: ProgressSink,
        cancel: CancelToken | None,
    ) -> None:
        """Have the versions that run beside the model of a saved result see its image, and keep what they say.

        An image that one of them cannot analyse is kept as such, and nobody is told.

        Args:
            image: as it was analysed.
            outcome: the present model's, saved already; where it is none, nothing runs.
            request: the present model's; frame, pixel size and stride are the same for all.
            progress: tells that something runs, and nothing of what it finds.
            cancel: asked at checkpoints.

        Raises:
            Cancelled: what was finished until then is kept.
            StoreError: the store cannot be written.
        """
        if not isinstance(outcome, AnalysisResult):
            return
        for version in self._beside(outcome):
            step = part_of(progress, 0, 1, "a model in silent mode")
            found = self._analysed(version, image, request, step, cancel)
            number = self.store.silent.newest_result(image.id)
            weights = version.registered.files.get("weights.safetensors", "")
            self.store.silent.save(image.id, number, version.name, version.number, weights, found, self.reader)

    def _beside(self, outcome: AnalysisResult) -> tuple[Version, ...]:
        """The silent versions beside a result's model, if that is the present one."""
        try:
            versions = Registry(self.settings).silent(outcome.recipe)
        except ModelError as error:  # the catalogue tells of it where models are listed
            _log.info("no model runs silently: %s", type(error).__name__)
            return ()
        if not versions:
            return ()
        present = self.catalogue.found().named(outcome.recipe)
        manifest = present.manifest if present is not None else None
        return versions if manifest and manifest.sha256 == outcome.provenance.weights_sha256 else ()

    def _analysed(
        self,
        version: Version,
        image: ImageRow,
        request: AnalysisRequest,
        progress: ProgressSink,
        cancel: CancelToken | None,
    ) -> Outcome:
        own = replace(request, model_folder=version.folder.absolute(), threshold=None, explain=None)
        apart = replace(self.settings, tables=self.settings.data_dir / "slides-silent")  # maps that grow are looked at
        try:
            version.manifest()
            found: Outcome = self.engine.run(analyse_path, image.path, own, apart, progress=progress, cancel=cancel)
            return found
        except JobFailed as bug:
            _log.info("a silent analysis failed: %s", bug)
            return NotAnalysed(f"PathView has a bug here ({bug}).", version.name)
        except PathViewError as error:
            return NotAnalysed(str(error), version.name)
