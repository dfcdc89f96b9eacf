"""``pathview hang``: how the window would lay out studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from pathview.cli.base import Paths, StderrProgress, emit, say, session
from pathview.errors import HangingError
from pathview.review.intake import Studies
from pathview.review.records.case import NewImage
from pathview.review.records.grouping import Group, without_copies
from pathview.review.records.hanging import HangingImage, HungSlot, Protocol, choose_protocol, find_protocols, hang

app = typer.Typer(rich_markup_mode=None)


@app.command("hang")
def hang_(
    context: typer.Context,
    paths: Paths,
    protocol: Annotated[str | None, typer.Option("--protocol", help="Name (default: chosen by the study).")] = None,
    prior: Annotated[
        list[Path] | None, typer.Option("--prior", help="An earlier study of the same patient; may be repeated.")
    ] = None,
) -> None:
    """Say how studies hang: one JSON line each."""
    found = find_protocols(context.obj.settings)
    for problem in found.problems:
        say(problem)
    protocols = found.protocols if protocol is None else (_named(protocol, found.protocols),)
    progress = StderrProgress()
    with session(context) as work:
        studies = work.studies(paths, progress)
        earlier = work.studies(prior or [], progress)
    progress.clear()
    for problem in (*studies.problems, *earlier.problems):
        say(problem)
    for group in studies.groups:
        line = _line(group, earlier, protocols, is_given=protocol is not None)
        for sentence in (*line["duplicates"], *line["problems"]):
            if sentence not in studies.problems:
                say(sentence)
        emit(line)
    raise typer.Exit(int(bool(studies.problems or earlier.problems)))


@dataclass(frozen=True)
class _Priors:
    """Images of a study's priors, and a sentence for each study that is none."""

    images: list[NewImage]
    problems: list[str]


def _named(name: str, protocols: Sequence[Protocol]) -> Protocol:
    chosen = next((protocol for protocol in protocols if protocol.name == name), None)
    if chosen is None:
        names = ", ".join(protocol.name for protocol in protocols) or "none"
        raise HangingError(f"There is no hanging protocol {name!r}; there are {names}.")
    return chosen


def _line(group: Group, earlier: Studies, protocols: Sequence[Protocol], is_given: bool) -> dict[str, Any]:
    kept, copies = without_copies(group.images, ())
    priors = _priors_of(group, earlier)
    images = [HangingImage.from_info(number, image.info) for number, image in enumerate(kept)]
    before = [HangingImage.from_info(n, image.info) for n, image in enumerate(priors.images, start=len(kept))]
    chosen = protocols[0] if is_given else choose_protocol(images, before, protocols)
    by_number = dict(enumerate([*kept, *priors.images]))
    told = [image.info["reason"] for image in kept if image.info["kind"] == "unreadable"]
    return {
        "study_key": group.study_key,
        "patient_key": group.patient_key,
        "images": len(kept),
        "protocol": chosen.name,
        "steps": [
            {
                "title": step.title,
                "rows": step.rows,
                "columns": step.columns,
                "slots": [_place(slot, by_number) for slot in step.slots],
            }
            for step in hang(images, before, chosen)
        ],
        "duplicates": copies,
        "problems": [*told, *([group.mixed] if group.several_patients else []), *priors.problems],
    }


def _place(slot: HungSlot, images: Mapping[int, NewImage]) -> dict[str, Any]:
    image = images[slot.image_id] if slot.image_id is not None else None
    info = image.info if image else {}
    return {
        "row": slot.row,
        "column": slot.column,
        "row_span": slot.row_span,
        "column_span": slot.column_span,
        "title": slot.title or (image.path.name if image else ""),
        "path": str(image.path) if image else None,
        "laterality": info.get("laterality") if image else slot.laterality,
        "view": (info.get("view") if image else slot.view) or None,
        "prior": slot.prior,
        "turn": info.get("turn"),
        "chest_wall": info.get("chest_wall"),
    }


def _priors_of(group: Group, earlier: Studies) -> _Priors:
    """Of the studies that were named: those of this patient, and earlier than this one where both dates are known."""
    found = _Priors([], [])
    date = _date(group)
    for prior in earlier.groups:
        name = prior.images[0].path.parent.name
        then = _date(prior)
        if group.patient_key is None or prior.patient_key != group.patient_key:
            found.problems.append(f"The study in {name} is not known to be of the same patient; it does not hang.")
        elif date is not None and then is not None and then >= date:
            found.problems.append(f"The study in {name} is not earlier; it does not hang as a prior.")
        else:
            kept, _ = without_copies(prior.images, ())
            found.images.extend(kept)
    return found


def _date(group: Group) -> str | None:
    return next((image.info["study_date"] for image in group.images if image.info.get("study_date")), None)
