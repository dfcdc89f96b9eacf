"""``pathview cases export`` and ``import``: what readers drew, for other programs and from them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathview.cli.base import ReaderOption, StoreOption, emit, say, session
from pathview.cli.tiles import ImageOption, image_of

app = typer.Typer(rich_markup_mode=None)


@app.command("export")
def cases_export(
    context: typer.Context,
    case_id: int,
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    form: Annotated[str, typer.Option("--format", help="geojson, which QuPath opens.")] = "geojson",
    image: ImageOption = None,
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Write the annotations of an image that this reader may see; it stands in the audit trail."""
    if form != "geojson":
        raise typer.BadParameter("--format is geojson")
    with session(context, store, keep=True, reader=reader) as work:
        from pathview.export.geojson import write_geojson

        row = image_of(work.protocol.case(case_id), image)
        marks = work.protocol.marks(case_id).get(row.id, ())
        work.cases.marks.note_export(row.id, len(marks), form, work.reader)
        written = write_geojson(out, marks, work.cases.labels.all())
        emit({"image": row.id, "format": form, "annotations": written, "file": str(out)})


@app.command("import")
def cases_import(
    context: typer.Context,
    case_id: int,
    source: Annotated[Path, typer.Argument(help="GeoJSON as QuPath writes it, in level-0 pixels.")],
    image: ImageOption = None,
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Put the annotations of a file on an image, as this reader's; those that are there already are left out."""
    with session(context, store, keep=True, reader=reader) as work:
        from pathview.export.geojson_reading import read_geojson

        row = image_of(work.protocol.case(case_id), image)
        found = read_geojson(source, row, work.cases.labels.all())
        fresh = found.beside(stored.mark for stored in work.protocol.marks(case_id).get(row.id, ()))
        for label in fresh.labels:
            work.cases.labels.add(label.name, label.color, work.reader)
        if fresh.marks:
            work.cases.marks.add_all(row.id, fresh.marks, work.reader, "geojson")
        there = len(found.marks) - len(fresh.marks)
        for told in fresh.left_out:
            say(told)
        counts = {"annotations": len(fresh.marks), "already_there": there, "left_out": len(fresh.left_out)}
        emit({"image": row.id, **counts, "labels": [label.name for label in fresh.labels]})
