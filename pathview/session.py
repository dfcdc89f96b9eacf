"""The use cases, once, for the window and the command line."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pathview.analysis.pipeline import AnalysisRequest, analyse_path, explain_path, explain_tile
from pathview.compute.engine import Engine, JobFailed
from pathview.errors import ImageError, NotAnalysable, PathViewError, StoreError, WorkerDied
from pathview.images.digest import fingerprint, require_unchanged
from pathview.images.formats import SUFFIXES, images_at, open_image
from pathview.images.source import ImageInfo
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, never, no_progress, part_of
from pathview.models.catalogue import Catalogue, Model, require_weights
from pathview.results.result import NotAnalysed, Outcome, ResultKept, ScoreMap
from pathview.results.tile_files import GrowingMaps, table_of
from pathview.review.case import CaseDetail, CaseRow, DecisionRow, DecisionValue, ImageRow, NewImage, ResultRow
from pathview.review.grouping import Group, grouped, without_copies
from pathview.settings import Settings
from pathview.training.answering import Answering

if TYPE_CHECKING:
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
    store: Path | None = None
    analyse: bool = False
    """Whether to analyse what was not analysed yet."""


@dataclass(frozen=True)
class Added:
    """What came of adding paths."""

    case_ids: tuple[int, ...]
    """In the order of the paths; cases that were there already count too."""
    problems: tuple[str, ...]
    """One sentence for each path that could not be opened, each copy that was left out, and the like."""


@dataclass(frozen=True)
class Studies:
    """What paths hold, sorted into studies."""

    groups: tuple[Group, ...]
    problems: tuple[str, ...]
    """One sentence for each path that could not be opened."""


@dataclass
class Session:
    """One sitting: settings, an engine, and (where decisions are kept) a store."""

    settings: Settings
    engine: Engine
    """Runs networks."""
    opener: Engine
    """Opens images; apart from ``engine`` in the window, so that looking never waits for an analysis."""
    store: Store | None = None
    reader: str = field(default_factory=lambda: _user_name())

    def __post_init__(self) -> None:
        """Nothing grows yet."""
        self._growing = GrowingMaps(self.settings.slides_dir)

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
            request = AnalysisRequest(
                folder.absolute(),
                options.threshold,
                options.explain,
                options.frame,
                options.mpp_um,
                options.stride,
                options.resume,
            )
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

    def analyse_and_keep(self, path: Path, options: AnalyseOptions, progress: ProgressSink = no_progress) -> Outcome:
        """Analyse one image, and keep image and outcome where this session has a store."""
        if self.store is None:
            return self.analyse_path(path, options, progress)
        added = self.add([path])
        images = [image for case_id in added.case_ids for image in self.store.case(case_id).images]
        image = next((image for image in reversed(images) if image.path == path.absolute()), None)
        if image is None:
            return NotAnalysed(added.problems[-1], options.recipe or "")
        return self.analyse_image(image, options, progress, None)

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
        self, paths: Iterable[Path], progress: ProgressSink = no_progress, cancel: CancelToken | None = None
    ) -> Added:
        """Put images into the store: a patient's DICOM study, a slide, a mosaic or a single image is one case each.

        An image that cannot be opened becomes a case that is not analysed, with the reason, so that it is
        never silently missing; a file that is no image at all is only reported.
        """
        files, problems = expand(paths)
        case_ids: list[int] = []
        for _, folder in groupby(enumerate(files), key=lambda step: step[1].parent):
            images: list[NewImage] = []
            for index, path in folder:
                checkpoint(cancel or never())
                progress(Progress(index, len(files), "opening"))
                images += self._described(path, problems)
            case_ids += self._keep(images, problems)
        return Added(tuple(dict.fromkeys(case_ids)), tuple(dict.fromkeys(problems)))

    def studies(self, paths: Iterable[Path], progress: ProgressSink = no_progress) -> Studies:
        """What :meth:`add` would make cases of, without a store."""
        files, problems = expand(paths)
        images: list[NewImage] = []
        for index, path in enumerate(files):
            progress(Progress(index, len(files), "opening"))
            images += self._described(path, problems)
        return Studies(tuple(grouped(images)), tuple(problems))

    def priors(self, case_id: int) -> tuple[CaseRow, ...]:
        """See :meth:`pathview.review.store.Store.priors`."""
        return self.cases.priors(case_id)

    def _described(self, path: Path, problems: list[str]) -> list[NewImage]:
        """The image at a path, also one that cannot be read; none where it is no image at all."""
        mark = fingerprint(path)
        try:
            return [NewImage(path, self.info(path).as_json(), mark)]
        except PathViewError as error:
            problems.append(str(error))
            if path.suffix.lower() in SUFFIXES or path.is_dir():
                return [NewImage(path, {"kind": "unreadable", "reason": str(error)}, mark)]
            return []

    def _keep(self, images: list[NewImage], problems: list[str]) -> list[int]:
        """Put one folder's images into the store, each once."""
        case_ids = []
        for group in grouped(images):
            key, case = self._home(group)
            if group.several_patients or key != group.key:
                problems.append(group.mixed)
            known = [NewImage(row.path, row.info, row.fingerprint) for row in case.images] if case else []
            kept, copies = without_copies(group.images, known)
            problems += copies
            if kept:
                case_ids.append(self.cases.add_case(key, group.title, kept[0].info["kind"], kept, self.reader))
                self._keep_reasons(case_ids[-1], kept)
            elif case:
                case_ids.append(case.case.id)
        return case_ids

    def _home(self, group: Group) -> tuple[str, CaseDetail | None]:
        """The key of a group's case, and the case where the store has it; never one of another patient."""
        case = self.cases.find(group.key)
        if case is None or None in (group.patient_key, case.patient_key) or group.patient_key == case.patient_key:
            return group.key, case
        key = f"{group.key} of {group.patient_key}"
        return key, self.cases.find(key)

    def _keep_reasons(self, case_id: int, images: list[NewImage]) -> None:
        """Save why images cannot be read, as their results."""
        reasons = {image.path: image.info["reason"] for image in images if image.info["kind"] == "unreadable"}
        for row in self.cases.case(case_id).images if reasons else ():
            if row.path in reasons and row.result is None:
                self.cases.save_result(row.id, NotAnalysed(reasons[row.path], ""), self.reader)

    def analyse_cases(
        self,
        case_ids: Sequence[int],
        options: AnalyseOptions,
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
        on_saved: Callable[[int, Outcome], None] = lambda _, __: None,
    ) -> None:
        """Analyse all images of cases, saving each outcome before the next one starts.

        Raises:
            Cancelled: what was finished until then is saved.
        """
        images = [image for case_id in case_ids for image in self.cases.case(case_id).images]
        for index, image in enumerate(images):
            checkpoint(cancel or never())
            label = f"{image.title}, image {index + 1} of {len(images)}" if len(images) > 1 else image.title
            outcome = self.analyse_image(image, options, part_of(progress, index, len(images), label), cancel)
            on_saved(image.case_id, outcome)

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
        """
        return self._growing.of(image.fingerprint)

    def tile_table(self, result: ResultRow) -> Path | None:
        """The tile table of a slide's result, see :mod:`pathview.results.tile_files`; None: there is none any more."""
        return table_of(self.settings.slides_dir, result.provenance.get("settings", {}))

    def _explaining(self, image: ImageRow, layer: str | None) -> AnalysisRequest:
        """The request of an image's newest result, to explain it.

        Raises:
            PathViewError: the image or its model has gone, or the model was replaced since.
        """
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
        """Record a decision (None withdraws the last one); committed when this returns."""
        return self.cases.decide(
            case_id, value, note, self.reader, {**_results_of(self.cases.case(case_id)), **(context or {})}
        )

    @property
    def answering(self) -> Answering:
        """What readers say of tiles, and what follows."""
        return Answering(self.cases, self.catalogue, self.opener, self.settings, self.reader)

    def close(self) -> None:
        """Let engine and store go."""
        self.engine.close()
        self.opener.close()
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


def expand(paths: Iterable[Path]) -> tuple[list[Path], list[str]]:
    """Images at or below paths or named by a DICOMDIR, and a sentence for each path or named image without one."""
    files: list[Path] = []
    problems: list[str] = []
    for path in paths:
        try:
            found, told = images_at(path)
        except ImageError as error:
            problems.append(str(error))
            continue
        except OSError as error:
            problems.append(f"{path.name} cannot be read: {error.strerror or 'input/output error'}.")
            continue
        files += found
        problems += told
    return list(dict.fromkeys(file.absolute() for file in files)), problems


def _told(bug: JobFailed) -> str:
    """A bug in a job: where it was goes to the log, the rest of a sentence to the user."""
    log.error("a job failed: %s\n%s", bug, bug.trace)
    return f"PathView has a bug here ({bug}); please report what its log says."


def _results_of(case: CaseDetail) -> dict[str, Any]:
    """Which results a decision was made on."""
    return {"results": [image.result.id for image in case.images if image.result is not None]}


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "reader"
