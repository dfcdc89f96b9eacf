"""The use cases, once, for the window and the command line."""

from __future__ import annotations

import getpass
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pathview.analysis.pipeline import AnalysisRequest, analyse_path, explain_path
from pathview.compute.engine import Engine, JobFailed
from pathview.errors import ImageError, NotAnalysable, PathViewError, StoreError, WorkerDied
from pathview.images.digest import fingerprint, require_unchanged
from pathview.images.formats import SUFFIXES, find_images, open_image
from pathview.images.source import ImageInfo
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, never, no_progress, part_of
from pathview.models.catalogue import Catalogue, Model, require_weights
from pathview.results.result import NotAnalysed, Outcome, ScoreMap
from pathview.review.case import CaseDetail, DecisionRow, DecisionValue, ImageRow, NewImage
from pathview.settings import Settings

if TYPE_CHECKING:
    from pathview.review.store import Store

log = logging.getLogger(__name__)
_STUDY = "study "


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
            return NotAnalysed(added.problems[0], options.recipe or "")
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
        """Put images into the store: a DICOM study, a slide, a mosaic or a single image is one case each.

        An image that cannot be opened becomes a case that is not analysed, with the reason, so that it is
        never silently missing; a file that is no image at all is only reported.
        """
        files, problems = expand(paths)
        steps = enumerate(files)
        case_ids: list[int] = []
        for _, folder in groupby(steps, key=lambda step: step[1].parent):
            groups: dict[str, list[NewImage]] = {}
            unreadable: list[NewImage] = []
            for index, path in folder:
                checkpoint(cancel or never())
                progress(Progress(index, len(files), "opening"))
                mark = fingerprint(path)
                try:
                    info = self.info(path)
                    groups.setdefault(_case_key(info, mark), []).append(NewImage(path, info.as_json(), mark))
                except PathViewError as error:
                    problems.append(str(error))
                    if path.suffix.lower() in SUFFIXES or path.is_dir():
                        unreadable.append(NewImage(path, {"kind": "unreadable", "reason": str(error)}, mark))
            case_ids += self._keep(groups, unreadable)
        return Added(tuple(dict.fromkeys(case_ids)), tuple(problems))

    def _keep(self, groups: dict[str, list[NewImage]], unreadable: list[NewImage]) -> list[int]:
        """Put one folder's images into the store; a view that cannot be read belongs to the folder's one study."""
        studies = [key for key in groups if key.startswith(_STUDY)]
        for image in unreadable:
            key = studies[0] if len(studies) == 1 else _file_key(image.path, image.fingerprint)
            groups.setdefault(key, []).append(image)
        case_ids = []
        for key, images in groups.items():
            images.sort(key=_hanging)
            case_id = self.cases.add_case(key, _case_title(images), images[0].info["kind"], images, self.reader)
            case_ids.append(case_id)
            reasons = {image.path: image.info["reason"] for image in images if image.info["kind"] == "unreadable"}
            for row in self.cases.case(case_id).images if reasons else ():
                if row.path in reasons and row.result is None:
                    self.cases.save_result(row.id, NotAnalysed(reasons[row.path], ""), self.reader)
        return case_ids

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
        """Analyse one stored image and save the outcome."""
        if image.mpp_um is not None and options.mpp_um is None:
            options = replace(options, mpp_um=image.mpp_um)
        try:
            require_unchanged(image.path, image.fingerprint)
            outcome = self.analyse_path(image.path, options, progress, cancel)
        except ImageError as error:
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
        request = AnalysisRequest(
            folder,
            threshold=result.threshold,
            explain=layer,
            frame=int(result.provenance["settings"].get("frame", 0)),
            mpp_um=image.mpp_um,
        )
        maps: Mapping[str, ScoreMap] = self.engine.run(
            explain_path, image.path, request, self.settings, progress=progress, cancel=cancel
        )
        self.cases.add_maps(result.id, maps)
        return maps

    def decide(
        self, case_id: int, value: DecisionValue | None, note: str = "", context: Mapping[str, Any] | None = None
    ) -> DecisionRow:
        """Record a decision (None withdraws the last one); committed when this returns."""
        return self.cases.decide(
            case_id, value, note, self.reader, {**_results_of(self.cases.case(case_id)), **(context or {})}
        )

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
    """Images at or below paths, and one sentence for each path that gives none."""
    files: list[Path] = []
    problems = []
    for path in paths:
        try:
            found = find_images(path)
        except OSError as error:
            problems.append(f"{path.name} cannot be read: {error.strerror or 'input/output error'}.")
            continue
        if not found:
            problems.append(f"The folder {path.name} holds no image that PathView reads.")
        files += found
    return list(dict.fromkeys(file.absolute() for file in files)), problems


def _told(bug: JobFailed) -> str:
    """A bug in a job: where it was goes to the log, the rest of a sentence to the user."""
    log.error("a job failed: %s\n%s", bug, bug.trace)
    return f"PathView has a bug here ({bug}); please report what its log says."


def _case_key(info: ImageInfo, mark: str) -> str:
    return f"{_STUDY}{info.study_key}" if info.study_key else _file_key(info.path, mark)


def _file_key(path: Path, mark: str) -> str:
    return f"file {mark} {path}"


def _case_title(images: Sequence[NewImage]) -> str:
    """The name of a file or folder; a study is called by its folder."""
    first = images[0].path
    return first.parent.name if len(images) > 1 else first.name


def _hanging(image: NewImage) -> tuple[int, int, str]:
    """R CC, L CC, R MLO, L MLO, then the rest by file name."""
    views, sides = ["CC", "MLO"], ["R", "L"]
    view, side = image.info.get("view"), image.info.get("laterality")
    return (
        views.index(view) if view in views else len(views),
        sides.index(side) if side in sides else len(sides),
        image.path.name,
    )


def _results_of(case: CaseDetail) -> dict[str, Any]:
    """Which results a decision was made on."""
    return {"results": [image.result.id for image in case.images if image.result is not None]}


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "reader"
