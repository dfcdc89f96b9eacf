"""Hanging protocols: which image of a study goes where on the screen, as data.

A protocol is one TOML file of steps; a step is a grid with places. An image gets its place by laterality, view code,
modifiers and acquisition, never by its file's name. Rows and columns count from 0 at the left upper corner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pathview.errors import HangingError
from pathview.images.source import Acquisition
from pathview.review.records.toml_files import read_all, read_model
from pathview.review.records.views import SIDES, SPOT, Side, modifiers_of, side_of, usual_order, view_of, view_title
from pathview.settings import Settings

Condition = Literal["implant", "tomosynthesis", "spot", "prior", "both sides", "one side", "right", "left"]
"""What a study may have; ``spot`` is a magnification or spot compression view."""
NOT_STANDARD = (*sorted(SPOT), "implant displaced", "specimen")
"""Modifiers that an image must not have unless its place wants them."""
FURTHER = "Further images"
_FURTHER_SIDE = 2


class Part(BaseModel):
    """Base of all parts: frozen, and an unknown key is an error, not a silent nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class HangingImage:
    """What hanging needs to know of an image."""

    id: int
    """Another one for every image, priors included."""
    kind: str = "mammogram"
    laterality: Side | None = None
    view: str = ""
    modifiers: frozenset[str] = frozenset()
    implant: bool = False
    acquisition: str = "2D"
    for_processing: bool = False
    acquired: str = ""
    """ISO date, and time where it is known."""
    instance: str = ""
    title: str = ""
    order: tuple[Any, ...] = ()
    """See :func:`pathview.review.records.views.usual_order`."""

    @classmethod
    def from_info(cls, image_id: int, info: Mapping[str, Any]) -> HangingImage:
        """Of the fields of ``pathview info``; older ones may be missing."""
        return cls(
            id=image_id,
            kind=str(info.get("kind") or ""),
            laterality=side_of(info),
            view=view_of(info),
            modifiers=modifiers_of(info),
            implant=bool(info.get("implant")),
            acquisition=str(info.get("acquisition") or "2D"),
            for_processing=bool(info.get("for_processing")),
            acquired=str(info.get("acquired") or info.get("study_date") or ""),
            instance=str(info.get("instance_key") or ""),
            title=view_title(info),
            order=usual_order(info),
        )


class Slot(Part):
    """One place of a step, and which image belongs there."""

    row: int = Field(ge=0)
    column: int = Field(ge=0)
    row_span: int = Field(1, ge=1)
    column_span: int = Field(1, ge=1)
    laterality: Side | None = None
    """None: either side."""
    views: tuple[str, ...] = ()
    """The most wanted first; none: any."""
    acquisition: tuple[Acquisition, ...] = ("2D", "synthesised 2D")
    """The most wanted first."""
    modifiers: tuple[str, ...] = ()
    """The image has at least one of these."""
    without: tuple[str, ...] = NOT_STANDARD
    """The image has none of these; what ``modifiers`` names is left out of the usual ones."""
    time: Literal["current", "prior"] = "current"
    essential: bool = False
    """The step is there only where one of its essential places is filled."""
    title: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> Slot:
        both = set(self.modifiers) & set(self.without) if "without" in self.model_fields_set else ()
        if both:
            raise ValueError(f"{', '.join(sorted(both))!r} is both wanted and forbidden")
        return self

    @property
    def name(self) -> str:
        """What stands in the empty place."""
        parts = [" ".join(part for part in (self.laterality or "", *self.views[:1]) if part) or "Any view"]
        parts += [*self.modifiers[:1], *([] if "2D" in self.acquisition else self.acquisition[:1])]
        return self.title or ", ".join([*parts, *(["prior"] if self.time == "prior" else [])])

    @property
    def cells(self) -> Iterator[tuple[int, int]]:
        """(row, column) of what it covers."""
        for row in range(self.row, self.row + self.row_span):
            for column in range(self.column, self.column + self.column_span):
                yield row, column

    def fitting(self, newest_first: Sequence[HangingImage]) -> list[HangingImage]:
        """The images that belong there, the best first."""
        ranked = [(rank, image) for image in newest_first if (rank := self._rank(image)) is not None]
        return [image for _, image in sorted(ranked, key=lambda pair: pair[0])]

    def _rank(self, image: HangingImage) -> tuple[int, ...] | None:
        """How well an image fits, the best lowest; None: not at all."""
        forbidden = set(self.without) - set(self.modifiers)
        if (
            image.acquisition not in self.acquisition
            or (self.laterality and image.laterality != self.laterality)
            or (self.views and image.view not in self.views)
            or (self.modifiers and image.modifiers.isdisjoint(self.modifiers))
            or not image.modifiers.isdisjoint(forbidden)
        ):
            return None
        return (
            self.views.index(image.view) if self.views else 0,
            len(image.modifiers - set(self.modifiers)),
            self.acquisition.index(image.acquisition),
            int(image.for_processing),
        )


class Step(Part):
    """One screenful: a grid and its places."""

    title: str = Field(min_length=1)
    rows: int = Field(ge=1, le=8)
    columns: int = Field(ge=1, le=8)
    needs: tuple[Condition, ...] = ()
    repeat: bool = False
    """Once more for each further image that fits an essential place."""
    slots: tuple[Slot, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Step:
        taken: set[tuple[int, int]] = set()
        for slot in self.slots:
            if slot.row + slot.row_span > self.rows or slot.column + slot.column_span > self.columns:
                raise ValueError(
                    f"the place at row {slot.row}, column {slot.column} of {self.title!r} reaches beyond "
                    f"{self.rows} x {self.columns}, counted from 0"
                )
            twice = taken.intersection(slot.cells)
            if twice:
                row, column = min(twice)
                raise ValueError(f"two places of {self.title!r} lie at row {row}, column {column}")
            taken.update(slot.cells)
        if self.repeat and not any(slot.essential for slot in self.slots):
            raise ValueError(f"{self.title!r} repeats, so it needs an essential place")
        return self


class Protocol(Part):
    """How a kind of study hangs."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    title: str = Field(min_length=1)
    priority: int = 0
    """Of all protocols whose needs are met the highest is chosen."""
    needs: tuple[Condition, ...] = ()
    steps: tuple[Step, ...] = Field(min_length=1)


PLAIN = Protocol.model_construct(name="plain", title="As they come", priority=0, needs=(), steps=())
"""Where no protocol's needs are met: everything is a further image."""


@dataclass(frozen=True)
class HungSlot:
    """A place of the screen and the image in it."""

    row: int
    column: int
    row_span: int
    column_span: int
    title: str
    """What the place is for; where nothing is there, this is shown."""
    image_id: int | None
    laterality: Side | None
    """Of the image, else of what is missing."""
    view: str
    prior: bool = False


@dataclass(frozen=True)
class HungStep:
    """One screenful as it is shown."""

    title: str
    rows: int
    columns: int
    slots: tuple[HungSlot, ...]


@dataclass(frozen=True)
class Found:
    """What the folders of protocols hold."""

    protocols: tuple[Protocol, ...]
    problems: tuple[str, ...]
    """One sentence for each file that is wrong."""


def conditions(images: Sequence[HangingImage], priors: Sequence[HangingImage]) -> frozenset[Condition]:
    """What a study has."""
    sides = {image.laterality for image in images if image.laterality}
    met: dict[Condition, bool] = {
        "implant": any(image.implant or "implant displaced" in image.modifiers for image in images),
        "tomosynthesis": any(image.acquisition == "tomosynthesis" for image in images),
        "spot": any(image.modifiers & SPOT for image in images),
        "prior": any(image.kind == "mammogram" for image in priors),
        "both sides": len(sides) == len(SIDES),
        "one side": len(sides) == 1,
        "right": "R" in sides,
        "left": "L" in sides,
    }
    return frozenset(condition for condition, is_met in met.items() if is_met)


def choose_protocol(
    images: Sequence[HangingImage], priors: Sequence[HangingImage], protocols: Sequence[Protocol]
) -> Protocol:
    """The protocol of the highest priority whose needs the study meets; the first by name among equals."""
    facts = conditions(images, priors)
    usable = sorted((p for p in protocols if facts.issuperset(p.needs)), key=lambda p: (-p.priority, p.name))
    return usable[0] if usable else PLAIN


def hang(images: Sequence[HangingImage], priors: Sequence[HangingImage], protocol: Protocol) -> tuple[HungStep, ...]:
    """The steps of a study.

    A place whose image is missing stays, empty and named. Steps of empty places alone, whose needs are not met, or
    without any of their essential images are left out. Current images that no step shows come last, as
    :data:`FURTHER`. What is no study of mammograms (a slide, a single image) hangs one image a step.
    """
    if not _is_study(images, priors):
        return tuple(HungStep(image.title, 1, 1, (_further_slot(image, 0),)) for image in images)
    pools = {"current": _newest_first(images), "prior": _newest_first(priors)}
    facts = conditions(images, priors)
    steps = [hung for step in protocol.steps if facts.issuperset(step.needs) for hung in _hung(step, pools)]
    shown = {slot.image_id for step in steps for slot in step.slots if not slot.prior}
    left = sorted((image for image in images if image.id not in shown), key=lambda i: (*i.order, i.id))
    return (*steps, *_further(left))


def find_protocols(settings: Settings) -> Found:
    """All protocols, by priority; the user's own take the place of bundled ones of the same name.

    A file that is wrong is a sentence, and the others still load.
    """
    protocols, problems = read_all(settings.hanging_dirs, load_protocol, HangingError)
    found = {protocol.name: protocol for protocol in protocols}
    return Found(tuple(sorted(found.values(), key=lambda p: (-p.priority, p.name))), problems)


def load_protocols(settings: Settings) -> tuple[Protocol, ...]:
    """The protocols that can be used, see :func:`find_protocols`."""
    return find_protocols(settings).protocols


def load_protocol(path: Path) -> Protocol:
    """Read one protocol file.

    Raises:
        HangingError: unreadable, no TOML, or a field is wrong; the sentence names file and field.
    """
    return read_model(path, Protocol, "hanging protocol", HangingError)


def _is_study(images: Sequence[HangingImage], priors: Sequence[HangingImage]) -> bool:
    mammograms = any(image.kind == "mammogram" for image in images)
    return mammograms and (len(images) > 1 or any(image.kind == "mammogram" for image in priors))


def _newest_first(images: Sequence[HangingImage]) -> list[HangingImage]:
    """Mammograms; of one time by instance, so that neither names nor the order of files matter."""
    mammograms = [image for image in images if image.kind == "mammogram"]
    return sorted(mammograms, key=lambda image: (image.acquired, image.instance, image.id), reverse=True)


def _hung(step: Step, pools: Mapping[str, Sequence[HangingImage]]) -> Iterator[HungStep]:
    """The step with its images: once, or as often as its essential places find others."""
    queues = [slot.fitting(pools[slot.time]) for slot in step.slots]
    essential = [index for index, slot in enumerate(step.slots) if slot.essential]
    seen: set[int] = set()
    while True:
        chosen = _choose(queues, seen)
        wanted = [chosen[index] for index in essential]
        if not any(chosen) or (essential and not any(wanted)):
            return
        slots = tuple(_hung_slot(slot, image) for slot, image in zip(step.slots, chosen, strict=True))
        yield HungStep(step.title, step.rows, step.columns, slots)
        if not step.repeat:
            return
        seen.update(image.id for image in wanted if image)


def _choose(queues: Sequence[Sequence[HangingImage]], seen: set[int]) -> list[HangingImage | None]:
    """The best image for each place that no place before it took."""
    taken = set(seen)
    chosen = []
    for queue in queues:
        image = next((image for image in queue if image.id not in taken), None)
        if image is not None:
            taken.add(image.id)
        chosen.append(image)
    return chosen


def _hung_slot(slot: Slot, image: HangingImage | None) -> HungSlot:
    return HungSlot(
        slot.row,
        slot.column,
        slot.row_span,
        slot.column_span,
        slot.name,
        image.id if image else None,
        image.laterality if image else slot.laterality,
        image.view if image else next(iter(slot.views), ""),
        slot.time == "prior",
    )


def _further(images: Sequence[HangingImage]) -> Iterator[HungStep]:
    """Steps of up to four images each."""
    size = _FURTHER_SIDE**2
    pages = [images[first : first + size] for first in range(0, len(images), size)]
    for number, page in enumerate(pages, start=1):
        title = f"{FURTHER} {number} of {len(pages)}" if len(pages) > 1 else FURTHER
        rows = 1 if len(page) <= _FURTHER_SIDE else _FURTHER_SIDE
        slots = tuple(_further_slot(image, place) for place, image in enumerate(page))
        yield HungStep(title, rows, min(len(page), _FURTHER_SIDE), slots)


def _further_slot(image: HangingImage, place: int) -> HungSlot:
    row, column = divmod(place, _FURTHER_SIDE)
    return HungSlot(row, column, 1, 1, image.title, image.id, image.laterality, image.view)
