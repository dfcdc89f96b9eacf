"""Which files are one study: by study and patient, each image once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathview.images.digest import fingerprint
from pathview.review.records.case import NewImage
from pathview.review.records.views import usual_order, view_title

_SAME = ("laterality", "view", "modifiers", "acquisition", "size", "frames", "acquired")
"""Copies of an image agree in these; where they do not, two images carry one number by mistake."""


@dataclass(frozen=True)
class Group:
    """The images of one case to be: a DICOM study of one patient, or a single image."""

    key: str
    title: str
    study_key: str | None
    patient_key: str | None
    images: tuple[NewImage, ...]
    """As they are listed."""
    several_patients: bool = False
    """Whether its study number came with several patients."""

    @property
    def mixed(self) -> str:
        """The sentence about a study number of several patients."""
        return (
            f"The images in {self.images[0].path.parent.name} carry one study number for several patients; "
            "each patient's images are a case of their own."
        )


def grouped(images: Sequence[NewImage]) -> list[Group]:
    """Images by study and patient; a file that cannot be read joins the one study of its folder, if there is one.

    An image that names no patient joins the study's patient where there is only one.
    """
    patients: dict[str, set[str]] = {}
    for image in images:
        if (study := image.info.get("study_key")) and (patient := image.info.get("patient_key")):
            patients.setdefault(study, set()).add(patient)
    found: dict[tuple[str, str | None], list[NewImage]] = {}
    for image in (image for image in images if not _unreadable(image)):
        found.setdefault(_study_of(image, patients), []).append(image)
    homes: dict[Path, set[tuple[str, str | None]]] = {}
    for key, members in found.items():
        if members[0].info.get("study_key"):
            for folder in {image.path.parent for image in members}:
                homes.setdefault(folder, set()).add(key)
    for image in (image for image in images if _unreadable(image)):
        studies = homes.get(image.path.parent, set())
        key = next(iter(studies)) if len(studies) == 1 else (_file_key(image), None)
        found.setdefault(key, []).append(image)
    return _titled([_group(key, patient, members, patients) for (key, patient), members in found.items()])


def without_copies(images: Iterable[NewImage], known: Sequence[NewImage]) -> tuple[list[NewImage], list[str]]:
    """The images of a study without copies of one another or of known ones, and a sentence for each copy.

    A known image that lies there no more does not stand in the way of its copy.
    """
    originals: dict[str, list[NewImage]] = {}
    for image in known:
        originals.setdefault(_number(image), []).append(image)
    places = {(image.path, image.fingerprint) for image in known}
    kept, sentences = [], []
    for image in images:
        same = originals.setdefault(_number(image), []) if _number(image) else []
        others = [other for other in same if other.path != image.path and _is_there(other)]
        is_known = (image.path, image.fingerprint) in places
        if not is_known and (twin := next((o for o in others if _same_picture(o, image)), None)):
            sentences.append(f"{_told(image, twin)} is a copy of {_told(twin, image)}; it is listed once.")
            continue
        if not is_known and others:
            sentences.append(
                f"{_told(image, others[0])} carries the number of {_told(others[0], image)} but is another image; "
                "both are listed."
            )
        kept.append(image)
        same.append(image)
    return kept, sentences


def _group(key: str, patient: str | None, images: list[NewImage], patients: dict[str, set[str]]) -> Group:
    images = sorted(images, key=lambda image: (*usual_order(image.info), image.path.name, image.path))
    study = images[0].info.get("study_key")
    patient = patient or next((i.info["patient_key"] for i in images if i.info.get("patient_key")), None)
    return Group(key, _title(images), study, patient, tuple(images), len(patients.get(study or "", ())) > 1)


def _title(images: Sequence[NewImage]) -> str:
    """The folder's name for several images, the file's for one; what it shows where a file's name says nothing."""
    first = images[0]
    if len(images) > 1:
        return first.path.parent.name
    shown = view_title(first.info)
    if first.path.suffix or not shown:
        return first.path.name
    return ", ".join(part for part in (shown, first.info.get("study_date")) if part)


def _titled(groups: list[Group]) -> list[Group]:
    """The groups with the date of the study, then a number, where a folder's name stands for several."""
    count = Counter(group.title for group in groups)
    names, used = [], Counter[str]()
    for group in groups:
        date = next((i.info["study_date"] for i in group.images if i.info.get("study_date")), None)
        title = f"{group.title}, {date}" if count[group.title] > 1 and len(group.images) > 1 and date else group.title
        used[title] += 1
        names.append(f"{title} ({used[title]})" if used[title] > 1 and len(group.images) > 1 else title)
    return [
        Group(g.key, name, g.study_key, g.patient_key, g.images, g.several_patients)
        for g, name in zip(groups, names, strict=True)
    ]


def _study_of(image: NewImage, patients: dict[str, set[str]]) -> tuple[str, str | None]:
    """Key and patient of an image's case."""
    study = image.info.get("study_key")
    if not study:
        return _file_key(image), None
    known = patients.get(study, set())
    patient = image.info.get("patient_key") or (next(iter(known)) if len(known) == 1 else None)
    nameless = len(known) > 1 and patient is None
    return (f"study {study} without a patient" if nameless else f"study {study}"), patient


def _file_key(image: NewImage) -> str:
    return f"file {image.fingerprint} {image.path}"


def _unreadable(image: NewImage) -> bool:
    return image.info.get("kind") == "unreadable"


def _number(image: NewImage) -> str:
    """What copies of an image have in common, or empty."""
    return image.info.get("instance_key") or image.fingerprint


def _same_picture(one: NewImage, other: NewImage) -> bool:
    alike = all(one.info.get(name) == other.info.get(name) for name in _SAME)
    return alike or (one.fingerprint != "" and one.fingerprint == other.fingerprint)


def _is_there(image: NewImage) -> bool:
    return image.path.exists() and fingerprint(image.path) == image.fingerprint


def _told(image: NewImage, beside: NewImage) -> str:
    """The file's name, with its folder's where both have one name."""
    return image.path.name if image.path.name != beside.path.name else f"{image.path.parent.name}/{image.path.name}"
