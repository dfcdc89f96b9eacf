"""``pathview cases``: the worklist, cases as a reader may see them, what they decide, and what turned out true."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from pathview.cli import drawn, tiles
from pathview.cli.base import ReaderOption, StoreOption, conditions, emit, session
from pathview.review.reading.reading import Assessment, OpenedReading
from pathview.review.records.case import DECISIONS, Order

ORDERS: tuple[Order, ...] = get_args(Order)
app = typer.Typer(help="The worklist, its decisions, and what readers say of tiles.", rich_markup_mode=None)


@app.command("list")
def cases_list(
    context: typer.Context,
    store: StoreOption = None,
    worklist: Annotated[str | None, typer.Option("--worklist", help="Only this list (default: all cases).")] = None,
    order: Annotated[
        str | None,
        typer.Option("--order", help=f"{', '.join(ORDERS)} (default: uncertain, or newest where that is hidden)."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1)] = 1000,
    reader: ReaderOption = None,
) -> None:
    """The worklist, one JSON line a case, without what is hidden from this reader."""
    if order is not None and order not in ORDERS:
        raise typer.BadParameter(f"--order is one of {', '.join(ORDERS)}")
    with session(context, store, keep=True, write=False, reader=reader) as work:
        from pathview.review.reading.worklist_query import WorklistQuery

        lists = work.cases.worklists
        worklist_id = lists.named(worklist).id if worklist is not None else None
        wanted = order or lists.orders(worklist_id)[0]
        for row in lists.page(WorklistQuery(worklist_id, order=wanted), work.reader, limit):
            emit(vars(row))


@app.command("show")
def cases_show(context: typer.Context, case_id: int, store: StoreOption = None, reader: ReaderOption = None) -> None:
    """One case: images, results, decisions, without what is hidden from this reader."""
    with session(context, store, keep=True, write=False, reader=reader) as work:
        emit(work.protocol.case(case_id).as_json())


@app.command("read")
def cases_read(context: typer.Context, case_id: int, store: StoreOption = None, reader: ReaderOption = None) -> None:
    """Begin to read a case, or go on: as `show`, with the form to fill in; it stands in the audit trail."""
    with session(context, store, keep=True, reader=reader) as work:
        emit(_opened(work.protocol.open(case_id)))


@app.command("decide")
def cases_decide(
    context: typer.Context,
    case_id: int,
    value: Annotated[str | None, typer.Argument(help="positive, negative or cant_tell; or fill in the form.")] = None,
    answers: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=VALUE of the list's form; may be given again.")
    ] = None,
    keep: Annotated[
        bool | None, typer.Option("--keep/--change", help="Of a second read: the first assessment, or another one.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why the first assessment is kept or changed.")] = "",
    note: Annotated[str, typer.Option("--note")] = "",
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Say what a case is: in a second read first to be locked, then, with the model shown, to be kept or changed."""
    normal = value.replace("-", "_") if value is not None else None
    if normal not in (*DECISIONS, None):
        raise typer.BadParameter(f"a decision is one of {', '.join(DECISIONS)}")
    typed = conditions(answers or [], "--set", "FIELD")
    with session(context, store, keep=True, reader=reader) as work:
        filled = work.protocol.form_of(case_id).parsed(typed) if typed else {}
        said = Assessment(filled, normal, note, reason, keep)
        emit(vars(work.protocol.assess(case_id, said)))


@app.command("withdraw")
def cases_withdraw(
    context: typer.Context,
    case_id: int,
    note: Annotated[str, typer.Option("--note")] = "",
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Take back this reader's decision; a locked first assessment stays."""
    with session(context, store, keep=True, reader=reader) as work:
        emit(vars(work.protocol.withdraw(case_id, note)))


@app.command("replay")
def cases_replay(
    context: typer.Context, decision_id: int, store: StoreOption = None, reader: ReaderOption = None
) -> None:
    """What was seen when a decision was made: images, results, thresholds, overlays."""
    with session(context, store, keep=True, write=False, reader=reader) as work:
        found = work.protocol.replay(decision_id)
        images = [
            {**vars(one), "result": vars(one.result) if one.result else None, "threshold": found.threshold_of(one)}
            for one in found.shown
        ]
        emit({"decision": vars(found.decision), "images": images, "overlays": found.overlays, "window": found.window})


@app.command("truth")
def cases_truth(
    context: typer.Context,
    case_id: Annotated[int | None, typer.Argument()] = None,
    value: Annotated[str | None, typer.Argument(help="positive or negative.")] = None,
    source: Annotated[str, typer.Option("--source", help="Where it is known from, in words.")] = "",
    table: Annotated[
        Path | None, typer.Option("--csv", help="A table: value, source, and one of case, path, patient.")
    ] = None,
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Keep what cases turned out to be; one JSON line each."""
    if (table is None) == (case_id is None) or (case_id is None) != (value is None):
        raise typer.BadParameter("give a case and what it turned out to be, or --csv")
    with session(context, store, keep=True, reader=reader) as work:
        if table is not None:
            kept = work.cases.truths.read_csv(table, work.reader)
        else:
            kept = (work.cases.truths.add(cast("int", case_id), cast("Any", value), source, work.reader),)
        for truth in kept:
            emit(vars(truth))


def _opened(reading: OpenedReading) -> dict[str, Any]:
    """One line of ``pathview cases read``."""
    return {
        **reading.detail.as_json(),
        "worklist": reading.worklist.name,
        "stage": reading.stage,
        "form": reading.form.model_dump(),
        "reading": vars(reading.reading),
        "draft": dict(reading.draft),
        "problems": reading.problems,
    }


app.add_typer(tiles.app)
app.add_typer(drawn.app)
