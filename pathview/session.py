"""The use cases, once, for the window and the command line."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pathview.analysis.pipeline import AnalysisRequest, analyse_path, explain_path, explain_tile
from pathview.compute.engine import Engine, JobFailed
from pathview.errors import ImageError, NotAnalysable, PathViewError, StoreError, WorkerDied
from pathview.images.digest import require_unchanged
from pathview.images.formats import open_image
from pathview.images.source import ImageInfo
from pathview.jobs import CancelToken, ProgressSink, checkpoint, never, no_progress, part_of
from pathview.models.catalogue import Catalogue, Model, require_weights
from pathview.results.result import NotAnalysed, Outcome, ResultKept, ScoreMap
from pathview.results.tile_files import GrowingMaps, table_of
from pathview.review.csv_import import Imported, import_csv
from pathview.review.intake import Added, Intake, Studies, studies
from pathview.review.reading.reading import Assessment
from pathview.review.reading.veil import ResultHidden
from pathview.review.records.case import DecisionRow, DecisionValue, ImageRow, ResultRow
from pathview.settings import Settings, login_name
from pathview.training.preparing.answering import Answering
from pathview.training.publishing.promoting import Promoting
from pathview.training.publishing.silent_running import SilentRuns

if TYPE_CHECKING:
    from pathview.review.protocol import ReadingProtocol
    from pathview.review.store import Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AnalyseOptions:
    """How to analyse; None anywhere: what the recipe says."""

    recipe: str | None = None
    """A model's name; None: the one that ``by_kind`` or else the installation offers for the image's kind."""
    threshold: float | None = None
    explain: str | None = None
    frame: int = 0
    mpp_um: float | None = None
    stride: int | None = None
    """See :class:`pathview.analysis.pipeline.AnalysisRequest`."""
    by_kind: Mapping[str, str] = field(default_factory=dict)
    resume: bool = True
    """Whether what an earlier analysis of the same slide finished is taken over."""


@dataclass(frozen=True)
class WindowRequest:
    """What the window is to open with."""

    paths: tuple[Path, ...] = ()
    store: Path | str | None = None
    """A file, or the address of a PostgreSQL database; None: the user's own."""
    analyse: bool = False
    """Whether to analyse what was not analysed yet."""
    worklist: str | None = None
    """Name of the list that the paths come to; None: that of their kind."""


@dataclass
class Session:
    """One sitting: settings, an engine, and (where decisions are kept) a store."""

    settings: Settings
    engine: Engine
    """Runs networks."""
    opener: Engine
    """Opens images; apart from ``engine`` in the window, so that looking never waits for an analysis."""
    store: Store | None = None
    reader: str = field(default_factory=login_name)
    trainer: Engine | None = None
    """Looks through training data, and trains; apart from ``engine`` in the window, so that no analysis waits for it.
    None: ``engine`` does."""

    def __post_init__(self) -> None:
        """Nothing grows yet."""
        self._growing = GrowingMaps(self.settings.slides_dir)

    @property
    def training_engine(self) -> Engine:
        """What looks through training data, and trains."""
        return self.trainer or self.engine

    @property
    def catalogue(self) -> Catalogue:
        """The models of this installation."""
        return Catalogue(self.settings)

    @property
    def cases(self) -> Store:
        """The store.

        Raises:
            StoreError: this session has none.
        """
        if self.store is None:
            raise StoreError("No case store is open.")
        return self.store

    @property
    def protocol(self) -> ReadingProtocol:
        """What this reader gets to see of cases, and how they decide.

        Raises:
            StoreError: this session has no store.
        """
        from pathview.review.protocol import ReadingProtocol  # a short command starts without the store's libraries

        return ReadingProtocol(self.cases, self.reader, self.settings)

    def info(self, path: Path, mpp_um: float | None = None) -> ImageInfo:
        """What an image is."""
        try:
            found: ImageInfo = self.opener.run(read_info, path, self.settings, mpp_um)
        except JobFailed as bug:
            raise ImageError(f"{path.name} cannot be read: {_told(bug)}") from bug
        return found

    def analyse_path(
        self,
        path: Path,
        options: AnalyseOptions,
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
    ) -> Outcome:
        """Analyse one image; an image that cannot be is an outcome, never an error.

        Raises:
            Cancelled: the user cancelled.
            PathViewError: the model that was asked for is missing or damaged.
        """
        name = options.recipe or ""
        try:
            model = self.model_for(path, options, cancel)
            name = model.name
            folder = require_weights(model)
            request = replace(_request(options), model_folder=folder.absolute())
            outcome: Outcome = self.engine.run(
                analyse_path, path, request, self.settings, progress=progress, cancel=cancel
            )
            return outcome
        except WorkerDied as error:
            return NotAnalysed(f"{path.name} is not analysed: {str(error)[0].lower()}{str(error)[1:]}", name)
        except JobFailed as error:
            return NotAnalysed(f"{path.name} is not analysed: {_told(error)}", name)
        except PathViewError as error:
            return NotAnalysed(str(error), name)

    def analyse_and_keep(
        self,
        path: Path,
        options: AnalyseOptions,
        progress: ProgressSink = no_progress,
        reveal: bool = False,
        worklist: str | None = None,
    ) -> Outcome | ResultHidden:
        """Analyse one image, and keep image and outcome where this session has a store.

        What the reading protocol hides from this reader, in this store or else in their own, is not given back, unless
        ``reveal`` asks for it; then that stands in the audit trail, and the reading counts as unblinded.
        ``worklist``: see :meth:`add`.
        """
        if self.store is None:
            return self._told_outside(path, self.analyse_path(path, options, progress), reveal)
        added = self.add([path], worklist=worklist)
        images = [image for case_id in added.case_ids for image in self.store.case(case_id).images]
        image = next((image for image in reversed(images) if image.path == path.absolute()), None)
        if image is None:
            return NotAnalysed(added.problems[-1], options.recipe or "")
        outcome = self.analyse_image(image, options, progress, None)
        self._silent_runs.run(image, outcome, _request(options, image), progress, None)
        if not reveal:
            return self.protocol.outcome(image.case_id, outcome)
        self.protocol.reveal(image.case_id, "asked for with the analysis")
        return outcome

    def _told_outside(self, path: Path, outcome: Outcome, reveal: bool) -> Outcome | ResultHidden:
        """What may be told of an analysis without a store, see :class:`pathview.review.own_store.OwnStore`."""
        place = self.settings.store_place
        if isinstance(place, Path) and not place.exists():
            return outcome
        from pathview.review.own_store import OwnStore  # a short command starts without the store's libraries

        return OwnStore(self.settings, self.reader).told(path, outcome, reveal)

    def model_folder(self, name: str) -> Path:
        """The folder of a model's weights, by name or path.

        Raises:
            PathViewError: no such model, or it has no weights.
        """
        return require_weights(self.catalogue.model(name)).absolute()

    def model_for(self, path: Path, options: AnalyseOptions, cancel: CancelToken | None = None) -> Model:
        """The model that is asked for, or the default for the image.

        Raises:
            PathViewError: there is none, or the image cannot be read.
        """
        if options.recipe:
            return self.catalogue.model(options.recipe)
        kind = self.engine.run(read_info, path, self.settings, options.mpp_um, cancel=cancel).kind
        if kind in options.by_kind:
            return self.catalogue.model(options.by_kind[kind])
        model = self.catalogue.default_for(kind)
        if model is None:
            raise NotAnalysable(f"{path.name} is not analysed: there is no trained model for a {kind} image.")
        return model

    def add(
        self,
        paths: Iterable[Path],
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
        worklist: str | None = None,
    ) -> Added:
        """Put images into the store, see :meth:`pathview.review.intake.Intake.add`.

        ``worklist``: name of the list that new cases come to; None: that of their kind.
        """
        return Intake(self.cases, self.info, self.reader, worklist).add(paths, progress, cancel)

    def import_csv(
        self,
        path: Path,
        worklist: str | None = None,
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
        new_readers: bool = False,
    ) -> Imported:
        """Put the images of a table into the store, see :func:`pathview.review.csv_import.import_csv`."""
        return import_csv(path, self.cases, self.info, self.reader, worklist, progress, cancel, new_readers)

    def studies(self, paths: Iterable[Path], progress: ProgressSink = no_progress) -> Studies:
        """What :meth:`add` would make cases of, without a store."""
        return studies(paths, self.info, progress)

    def analyse_cases(
        self,
        case_ids: Sequence[int],
        options: AnalyseOptions,
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
        on_saved: Callable[[int, Outcome | ResultHidden], None] = lambda _, __: None,
    ) -> None:
        """Analyse all images of cases, saving each outcome before the next one starts.

        ``on_saved`` is told of each, but not what the reading protocol hides from this reader.

        Raises:
            Cancelled: what was finished until then is saved.
        """
        images = [image for case_id in case_ids for image in self.cases.case(case_id).images]
        for index, image in enumerate(images):
            checkpoint(cancel or never())
            label = f"{image.title}, image {index + 1} of {len(images)}" if len(images) > 1 else image.title
            step = part_of(progress, index, len(images), label)
            outcome = self.analyse_image(image, options, step, cancel)
            on_saved(image.case_id, self.protocol.outcome(image.case_id, outcome))
            self._silent_runs.run(image, outcome, _request(options, image), step, cancel)

    def analyse_image(
        self, image: ImageRow, options: AnalyseOptions, progress: ProgressSink, cancel: CancelToken | None
    ) -> Outcome:
        """Analyse one stored image and save the outcome; a file that has gone since leaves the result that there is."""
        if image.mpp_um is not None and options.mpp_um is None:
            options = replace(options, mpp_um=image.mpp_um)
        try:
            require_unchanged(image.path, image.fingerprint)
            outcome = self.analyse_path(image.path, options, progress, cancel)
        except ImageError as error:
            if image.result is not None and image.result.status == "analysed":
                return ResultKept(f"{error} Its earlier result stays.", image.result.recipe)
            outcome = NotAnalysed(str(error), options.recipe or "")
        self.cases.save_result(image.id, outcome, self.reader)
        return outcome

    def explain_image(
        self, image: ImageRow, layer: str, progress: ProgressSink, cancel: CancelToken | None
    ) -> Mapping[str, ScoreMap]:
        """Make and keep the heat map of a layer for an image's newest result.

        Raises:
            PathViewError: the image or its model has gone, or the model was replaced since.
        """
        request = self._explaining(image, layer)
        assert image.result is not None  # just asked for
        maps: Mapping[str, ScoreMap] = self.engine.run(
            explain_path, image.path, request, self.settings, progress=progress, cancel=cancel
        )
        self.cases.add_maps(image.result.id, maps)
        return maps

    def explain_tile(
        self,
        image: ImageRow,
        x: float,
        y: float,
        layers: Sequence[str],
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
    ) -> Mapping[str, ScoreMap]:
        """Heat maps of the tile of an image's newest result that a level-0 point lies in; they are not kept.

        See :func:`pathview.analysis.pipeline.explain_tile`.

        Raises:
            PathViewError: the image or its model has gone, or the model was replaced since.
        """
        request = self._explaining(image, None)
        maps: Mapping[str, ScoreMap] = self.engine.run(
            explain_tile, image.path, request, x, y, tuple(layers), self.settings, progress=progress, cancel=cancel
        )
        return maps

    def slide_progress(self, image: ImageRow) -> ScoreMap | None:
        """The map so far of a slide whose analysis goes on or was interrupted, NaN where it has not been: no result.

        Cheap enough for each second. None where there is no such analysis, or it is finished: its result has the map.
        None too where the model is hidden from this reader.
        """
        return self._growing.of(image.fingerprint) if self.protocol.sight(image.case_id).model else None

    def tile_table(self, result: ResultRow) -> Path | None:
        """The tile table of a slide's result, see :mod:`pathview.results.tile_files`; None: there is none any more.

        Raises:
            ReadingError: the model is hidden from this reader.
        """
        self.protocol.require_result(result.id)
        return table_of(self.settings.slides_dir, result.provenance.get("settings", {}))

    def _explaining(self, image: ImageRow, layer: str | None) -> AnalysisRequest:
        """The request of an image's newest result, to explain it.

        Raises:
            PathViewError: the image or its model has gone, the model was replaced since, or it is hidden from this
                reader.
        """
        self.protocol.require_model(image.case_id)
        result = image.result
        if result is None or result.status != "analysed":
            raise NotAnalysable(f"{image.title} has no result to explain; analyse it first.")
        require_unchanged(image.path, image.fingerprint)
        model = self.catalogue.model(result.recipe)
        folder = require_weights(model).absolute()
        if model.manifest is None or model.manifest.sha256 != result.provenance.get("weights_sha256"):
            raise NotAnalysable(
                f"The model {result.recipe} was replaced since {image.title} was analysed; analyse it again."
            )
        frame = int(result.provenance["settings"].get("frame", 0))
        return AnalysisRequest(folder, result.threshold, layer, frame, image.mpp_um)

    def decide(
        self, case_id: int, value: DecisionValue | None, note: str = "", context: Mapping[str, Any] | None = None
    ) -> DecisionRow:
        """Say a value alone of a case (None takes back this reader's decision); committed when this returns.

        Raises:
            ReadingError: the reading protocol does not allow it.
        """
        if value is None:
            return self.protocol.withdraw(case_id, note)
        return self.protocol.assess(case_id, Assessment(value=value, note=note), context)

    @property
    def answering(self) -> Answering:
        """What readers say of tiles, and what follows."""
        return Answering(self.protocol, self.cases, self.catalogue, self.opener, self.settings)

    @property
    def promoting(self) -> Promoting:
        """What this reader does with models: promote, go back, run silently."""
        return Promoting(self.settings, self.reader, self.store.database if self.store is not None else None)

    @property
    def _silent_runs(self) -> SilentRuns:
        return SilentRuns(self.cases, self.catalogue, self.engine, self.settings, self.reader)

    def close(self) -> None:
        """Let engine and store go."""
        self.engine.close()
        self.opener.close()
        if self.trainer is not None:
            self.trainer.close()
        if self.store is not None:
            self.store.close()


def read_info(
    path: Path, settings: Settings, mpp_um: float | None, progress: ProgressSink, cancel: CancelToken
) -> ImageInfo:
    """Open an image just to say what it is (a job for the engine)."""
    source = open_image(path, settings, mpp_um)
    try:
        return source.info
    finally:
        source.close()


def _request(options: AnalyseOptions, image: ImageRow | None = None) -> AnalysisRequest:
    """Options as a request whose model is not chosen yet; the pixel size that was stated of an image goes with it."""
    mpp_um = options.mpp_um if options.mpp_um is not None or image is None else image.mpp_um
    return AnalysisRequest(
        Path(), options.threshold, options.explain, options.frame, mpp_um, options.stride, options.resume
    )


def _told(bug: JobFailed) -> str:
    """A bug in a job: where it was goes to the log, the rest of a sentence to the user."""
    log.error("a job failed: %s\n%s", bug, bug.trace)
    return f"PathView has a bug here ({bug}); please report what its log says."
