"""``pathview cases export``: what readers drew, for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathview.cli.base import ReaderOption, StoreOption, emit, session
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
