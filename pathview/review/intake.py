"""Images on their way into the store: what paths hold, what belongs together, and in which case it comes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from pathview.errors import ImageError, PathViewError
from pathview.images.digest import fingerprint
from pathview.images.formats import SUFFIXES, images_at
from pathview.images.source import ImageInfo
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, never, no_progress
from pathview.results.result import NotAnalysed
from pathview.review.records.case import CaseDetail, NewImage
from pathview.review.records.grouping import Group, grouped, without_copies

if TYPE_CHECKING:  # the command line starts without its libraries
    from pathview.review.store import Store

UNREADABLE = "unreadable"
"""The kind of what cannot be opened; it makes no case of its own kind, so that its study comes where it belongs."""


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


@dataclass(frozen=True)
class Intake:
    """Puts images into one store for one reader."""

    store: Store
    describe: Callable[[Path], ImageInfo]
    """Says what an image is."""
    reader: str
    worklist: str | None = None
    """Name of the list that new cases come to; None: that of their kind."""

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
                images += described(path, self.describe, problems)
            case_ids += self._keep(images, problems)
        return Added(tuple(dict.fromkeys(case_ids)), tuple(dict.fromkeys(problems)))

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
                kinds = [image.info["kind"] for image in kept]
                kind = next((kind for kind in kinds if kind != UNREADABLE), UNREADABLE)
                case_ids.append(self.store.add_case(key, group.title, kind, kept, self.reader, self.worklist))
                self._keep_reasons(case_ids[-1], kept)
            elif case:
                case_ids.append(case.case.id)
        return case_ids

    def _home(self, group: Group) -> tuple[str, CaseDetail | None]:
        """The key of a group's case, and the case where the store has it; never one of another patient."""
        case = self.store.find(group.key)
        if case is None or None in (group.patient_key, case.patient_key) or group.patient_key == case.patient_key:
            return group.key, case
        key = f"{group.key} of {group.patient_key}"
        return key, self.store.find(key)

    def _keep_reasons(self, case_id: int, images: list[NewImage]) -> None:
        """Save why images cannot be read, as their results."""
        reasons = {image.path: image.info["reason"] for image in images if image.info["kind"] == UNREADABLE}
        for row in self.store.case(case_id).images if reasons else ():
            if row.path in reasons and row.result is None:
                self.store.save_result(row.id, NotAnalysed(reasons[row.path], ""), self.reader)


def studies(
    paths: Iterable[Path], describe: Callable[[Path], ImageInfo], progress: ProgressSink = no_progress
) -> Studies:
    """What :meth:`Intake.add` would make cases of, without a store."""
    files, problems = expand(paths)
    images: list[NewImage] = []
    for index, path in enumerate(files):
        progress(Progress(index, len(files), "opening"))
        images += described(path, describe, problems)
    return Studies(tuple(grouped(images)), tuple(problems))


def described(path: Path, describe: Callable[[Path], ImageInfo], problems: list[str]) -> list[NewImage]:
    """The image at a path, also one that cannot be read; none where it is no image at all."""
    mark = fingerprint(path)
    try:
        return [NewImage(path, describe(path).as_json(), mark)]
    except PathViewError as error:
        problems.append(str(error))
        if path.suffix.lower() in SUFFIXES or path.is_dir():
            return [NewImage(path, {"kind": UNREADABLE, "reason": str(error)}, mark)]
        return []


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
