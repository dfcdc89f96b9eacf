"""What the results of a study's views come to: a line for each view, each breast and the study, by one stated rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pathview.results.result import Flag
from pathview.review.records.case import CaseLabel, ImageRow, ResultRow, position_in_band, summary, worry
from pathview.review.records.views import SIDE_WORDS, SIDES, SPECIAL, Side, modifiers_of, side_of, view_of

RULE = (
    "A breast has the most worrying result of its views (positive, not sure, not analysed, negative), and the study "
    "that of its breasts. Magnification, spot and specimen views and earlier studies do not count."
)
"""The rule as the screen states it."""
DISAGREE = "views_disagree"
_CRANIOCAUDAL = frozenset({"CC", "XCC", "XCCL", "XCCM", "FB"})
_OBLIQUE = frozenset({"MLO", "LMO", "ML", "LM", "SIO", "ISO"})
_APART = 1 / 3 + 1e-9
"""Positions further apart than this have a limit between them."""
_WORDS = {"positive": "positive", "not_sure": "not sure", "negative": "negative"}


@dataclass(frozen=True)
class StudyRow:
    """One line of a study's results."""

    kind: Literal["view", "breast", "case"]
    title: str
    image_id: int | None
    """Of a view."""
    label: CaseLabel | None
    """None: not analysed yet."""
    score: float | None
    position: float | None
    """See :attr:`pathview.review.records.case.CaseRow.position`."""
    flags: tuple[Flag, ...] = ()
    side: Side | None = None
    counts: bool = True
    """Whether a view counts for its breast and the study."""
    reason: str | None = None
    """Why a view is not analysed."""


def study_rows(images: Sequence[ImageRow]) -> tuple[StudyRow, ...]:
    """The lines of a case, as they are read: the case, then each breast with its views below it, then other images.

    ``images`` are those of one case, with their newest results; priors never count. What is no mammogram has no
    line for a breast.
    """
    label, score, position, _ = study_summary(images)
    rows = [StudyRow("case", "Study" if len(images) > 1 else "Image", None, label, score, position)]
    counted = {image.id for image in counting(images)}
    for side in SIDES if _is_mammography(images) else ():
        views = [image for image in images if side_of(image.info) == side]
        if views:
            rows.append(_breast_row(side, views, counted))
            rows += [_view_row(image, image.id in counted) for image in views]
    done = {row.image_id for row in rows}
    rows += [_view_row(image, image.id in counted) for image in images if image.id not in done]
    return tuple(rows)


def study_summary(images: Sequence[ImageRow]) -> tuple[CaseLabel | None, float | None, float | None, int]:
    """Label, score, position and number of flags of a case by :data:`RULE`.

    The flags are those of all images and of the breasts.
    """
    label, score, position, _ = summary([image.result for image in counting(images)])
    flags = sum(len(image.result.flags) for image in images if image.result is not None)
    return label, score, position, flags + len(study_flags(images))


def study_flags(images: Sequence[ImageRow]) -> tuple[Flag, ...]:
    """What is remarkable about breasts rather than single images."""
    if not _is_mammography(images):
        return ()
    views = counting(images)
    found = (_disagreement(side, [image for image in views if side_of(image.info) == side]) for side in SIDES)
    return tuple(flag for flag in found if flag is not None)


def counting(images: Sequence[ImageRow]) -> tuple[ImageRow, ...]:
    """The images whose results count.

    Views of a part of the breast count only where a breast was taken in no other view: it would pass as read
    otherwise. A raw image does not count beside the one that was made of it to be read.
    """
    if not _is_mammography(images):
        return tuple(images)
    shown = {_exposure(image) for image in images if not image.info.get("for_processing")}
    kept = [image for image in images if not (image.info.get("for_processing") and _exposure(image) in shown)]
    whole = [image for image in kept if not SPECIAL & modifiers_of(image.info)]
    sides = {side_of(image.info) for image in whole}
    alone = [
        image
        for image in kept
        if side_of(image.info) not in sides | {None}
        and SPECIAL & modifiers_of(image.info)
        and "specimen" not in modifiers_of(image.info)
    ]
    return tuple(whole + alone) or tuple(images)


def _is_mammography(images: Sequence[ImageRow]) -> bool:
    return any(image.info.get("kind") == "mammogram" for image in images)


def _exposure(image: ImageRow) -> tuple[Any, ...]:
    """What a raw image has in common with the one to be read; its own where the header says too little."""
    info = image.info
    if side_of(info) is None or not view_of(info):
        return (image.id,)
    return side_of(info), view_of(info), modifiers_of(info), info.get("acquisition") or "2D"


def _breast_row(side: Side, views: Sequence[ImageRow], counted: set[int]) -> StudyRow:
    count = [view for view in views if view.id in counted]
    label, score, position, _ = summary([view.result for view in count])
    flag = _disagreement(side, count)
    title = SIDE_WORDS[side].capitalize()
    return StudyRow("breast", title, None, label, score, position, (flag,) if flag else (), side, bool(count))


def _view_row(image: ImageRow, counts: bool) -> StudyRow:
    label, score, position, _ = summary([image.result])
    result = image.result
    flags = tuple(Flag(code, sentence) for code, sentence in result.flags) if result else ()
    reason = result.reason if result else None
    return StudyRow("view", image.title, image.id, label, score, position, flags, side_of(image.info), counts, reason)


def _disagreement(side: Side, views: Sequence[ImageRow]) -> Flag | None:
    """The flag of a breast whose two projections say different things."""
    pair = [_most_worrying(views, names) for names in (_CRANIOCAUDAL, _OBLIQUE)]
    if pair[0] is None or pair[1] is None:
        return None
    (one, first), (other, second) = pair[0], pair[1]
    opposite = {first.label, second.label} == {"positive", "negative"}
    if not opposite and abs(position_in_band(first) - position_in_band(second)) <= _APART:
        return None
    said, then = _WORDS.get(first.label or "", "not sure"), _WORDS.get(second.label or "", "not sure")
    told = f"{one.title} is {said}, {other.title} {then}" if said != then else f"both {said}, but far apart"
    pair_words = "" if said != then else f" {one.title} and {other.title} are"
    sentence = f"The views of the {SIDE_WORDS[side]} disagree:{pair_words} {told}; look at both."
    return Flag(DISAGREE, sentence)


def _most_worrying(views: Sequence[ImageRow], names: frozenset[str]) -> tuple[ImageRow, ResultRow] | None:
    found = [
        (image, image.result)
        for image in views
        if view_of(image.info) in names and image.result is not None and image.result.status == "analysed"
    ]
    return max(found, key=lambda pair: worry(pair[1]), default=None)
