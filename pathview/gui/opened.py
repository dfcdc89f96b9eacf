"""A case with all that hangs with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pathview.review.records.case import CaseDetail, CaseRow, ImageRow

if TYPE_CHECKING:  # the window starts without their library
    from pathview.review.reading.reading import OpenedReading
    from pathview.review.records.hanging import HungStep, Protocol
    from pathview.session import Session


@dataclass(frozen=True)
class Opened:
    """A case and what hangs with it, as read from the store."""

    detail: CaseDetail
    """Under the reader's veil, as all that hangs with it."""
    priors: tuple[CaseRow, ...] = ()
    prior: CaseDetail | None = None
    protocols: tuple[Protocol, ...] = ()
    problems: tuple[str, ...] = ()
    """One sentence for each hanging protocol, or the list's form, that is wrong."""
    reading: OpenedReading | None = None
    """How far the reader is with it; None where it was only looked at."""

    @property
    def images(self) -> tuple[ImageRow, ...]:
        """Of the case, then of the prior."""
        return self.detail.images + (self.prior.images if self.prior is not None else ())

    def hung(self, wanted: str = "") -> tuple[tuple[HungStep, ...], str]:
        """The steps and the name of the protocol: the wanted one, else the one that the images ask for."""
        return _hung(self.detail.images, self.images[len(self.detail.images) :], self.protocols, wanted)

    def first_hung(self, wanted: str = "") -> tuple[ImageRow, ...]:
        """The images of the first step."""
        return _first_of(self.hung(wanted)[0], self.images)


def first_pictures(session: Session, case_id: int, wanted: str = "") -> tuple[ImageRow, ...]:
    """The images that a case hangs first where no earlier study hangs beside it, told sooner than :func:`look` can.

    Decoding takes longest of all, and another process can begin with it while the case is opened.
    """
    from pathview.review.records.hanging import load_protocols

    images = session.protocol.pictures(case_id)
    return _first_of(_hung(images, (), load_protocols(session.settings), wanted)[0], images)


def look(session: Session, case_id: int, reading: OpenedReading | None = None) -> Opened:
    """A case and what hangs with it, under the veil of a reading; nothing is written.

    Raises:
        StoreError: there is no such case.
    """
    from pathview.review.records.hanging import find_protocols

    protocol = session.protocol
    detail = reading.detail if reading is not None else protocol.case(case_id)
    if detail.case.kind != "mammogram":
        return Opened(detail, reading=reading)
    priors = protocol.priors(case_id)
    prior = protocol.case(priors[0].id, beside=case_id) if priors else None
    found = find_protocols(session.settings)
    return Opened(detail, priors, prior, found.protocols, found.problems, reading)


def _hung(
    own: Sequence[ImageRow], earlier: Sequence[ImageRow], protocols: Sequence[Protocol], wanted: str
) -> tuple[tuple[HungStep, ...], str]:
    from pathview.review.records.hanging import HangingImage, choose_protocol, hang

    current = [HangingImage.from_info(image.id, image.info) for image in own]
    before = [HangingImage.from_info(image.id, image.info) for image in earlier]
    named = next((protocol for protocol in protocols if protocol.name == wanted), None)
    protocol = named or choose_protocol(current, before, protocols)
    return hang(current, before, protocol), protocol.name


def _first_of(steps: Sequence[HungStep], images: Sequence[ImageRow]) -> tuple[ImageRow, ...]:
    by_id = {image.id: image for image in images}
    slots = steps[0].slots if steps else ()
    return tuple(by_id[slot.image_id] for slot in slots if slot.image_id is not None)
