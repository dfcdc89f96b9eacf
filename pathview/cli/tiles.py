"""``pathview cases tiles|answer|answers|export-labels``: what readers say of tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from pathview.cli.base import ReaderOption, StderrProgress, StoreOption, emit, numbers, say, session
from pathview.errors import StoreError
from pathview.geometry import Region
from pathview.results.regions import LIMIT, TILE_ORDERS, TileRegion
from pathview.review.records.answered import ANSWERS, AnswerValue
from pathview.review.records.case import CaseDetail, ImageRow
from pathview.session import Session

app = typer.Typer(rich_markup_mode=None)
ImageOption = Annotated[int | None, typer.Option("--image", help="Id of the image, where the case has several.")]


@app.command("tiles")
def cases_tiles(
    context: typer.Context,
    case_id: int,
    image: ImageOption = None,
    order: Annotated[str, typer.Option("--order", help=f"One of: {', '.join(TILE_ORDERS)}.")] = "uncertain",
    threshold: Annotated[float | None, typer.Option("--threshold", min=0, max=1)] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the random order.")] = 0,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Places without an answer, at most.")] = LIMIT,
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """The places of an image to look at, one JSON line each, with the answer where one stands."""
    wanted = order.replace("_", " ")
    if wanted not in TILE_ORDERS:
        raise typer.BadParameter(f"--order is one of {', '.join(TILE_ORDERS)}")
    with session(context, store, keep=True, write=False, reader=reader) as work:
        row = _shown(work, case_id, image)
        said = {answer.region: answer.value for answer in work.answering.answers_of(row.id)}
        for tile in work.answering.tiles(row, wanted, threshold, seed, limit):
            emit({"image": row.id, **tile.as_json(), "answer": said.get(tile.tile)})


@app.command("answer")
def cases_answer(
    context: typer.Context,
    case_id: int,
    region: Annotated[str, typer.Argument(help="X,Y,WIDTH,HEIGHT of a tile, as `cases tiles` prints it.")],
    value: Annotated[str, typer.Argument(help=f"{', '.join(ANSWERS)}; or withdraw.")],
    image: ImageOption = None,
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Say what a tile shows, or take the answer back."""
    normal = value.replace("-", "_")
    if normal not in (*ANSWERS, "withdraw"):
        raise typer.BadParameter(f"an answer is one of {', '.join(ANSWERS)}, withdraw")
    parts = [round(part) for part in numbers(region, 4, "REGION") or ()]
    with session(context, store, keep=True, reader=reader) as work:
        row = _shown(work, case_id, image)
        if normal == "withdraw":
            emit(work.answering.withdraw(row.id, Region(*parts)).as_json())
            return
        tile = _tile_at(work, row, Region(*parts))
        assert row.result is not None
        emit(work.answering.answer(row.id, row.result.id, tile, cast("AnswerValue", normal)).as_json())


@app.command("answers")
def cases_answers(
    context: typer.Context,
    case_id: int,
    score: Annotated[bool, typer.Option("--score", help="The score with the answers, a line an image.")] = False,
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """The answers that stand on a case's tiles, one JSON line each."""
    with session(context, store, keep=True, write=False, reader=reader) as work:
        work.protocol.require_model(case_id)
        for image in work.protocol.case(case_id).images:
            if score:
                found = work.answering.reviewed(image)
                emit({"image": image.id, "title": image.title, "reviewed": found.as_json() if found else None})
                continue
            for answer in work.answering.answers_of(image.id):
                emit(answer.as_json())


@app.command("export-labels")
def cases_export_labels(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="Folder for the tiles and labels.csv; it must be empty or new.")],
    case: Annotated[list[int] | None, typer.Option("--case", help="Only this case; may be given again.")] = None,
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Write the answers as a training set for `pathview train --data` and `pathview evaluate --data`."""
    progress = StderrProgress()
    with session(context, store, keep=True, write=False, reader=reader) as work:
        written = work.answering.export_labels(out, case or (), progress)
    progress.clear()
    for notice in written.notices:
        say(notice)
    emit(written.as_json())


def _shown(work: Session, case_id: int, image_id: int | None) -> ImageRow:
    """The image that is meant, of a case whose results this reader may see.

    Raises:
        ReadingError: they are hidden.
        StoreError: see :func:`image_of`.
    """
    work.protocol.require_model(case_id)
    return image_of(work.protocol.case(case_id), image_id)


def image_of(case: CaseDetail, image_id: int | None) -> ImageRow:
    """The image that is meant.

    Raises:
        StoreError: the case has no such image, or several and none is named.
    """
    if image_id is None and len(case.images) == 1:
        return case.images[0]
    found = next((image for image in case.images if image.id == image_id), None)
    if found is None:
        ids = ", ".join(str(image.id) for image in case.images)
        raise StoreError(f"Name one of the images of case {case.case.id} with --image: {ids}.")
    return found


def _tile_at(work: Session, image: ImageRow, region: Region) -> TileRegion:
    """The tile of an image's newest result that a region is.

    Raises:
        StoreError: it is none.
    """
    tiles = work.answering.tiles(image, "random", limit=None)
    found = next((tile for tile in tiles if tile.tile == region), None)
    if found is None:
        raise StoreError(f"{image.title} has no tile there; `pathview cases tiles {image.case_id}` lists them.")
    return found
