"""``pathview cases``: the worklist and its decisions."""

from __future__ import annotations

from typing import Annotated, cast

import typer

from pathview.cli.base import StoreOption, emit, session
from pathview.review.case import DECISIONS, Order

app = typer.Typer(help="The worklist and its decisions.", rich_markup_mode=None)


@app.command("list")
def cases_list(
    context: typer.Context,
    store: StoreOption = None,
    order: Annotated[str, typer.Option("--order", help="uncertain, score, newest or name.")] = "uncertain",
    limit: Annotated[int, typer.Option("--limit", min=1)] = 1000,
) -> None:
    """The worklist, one JSON line a case."""
    if order not in ("uncertain", "score", "newest", "name"):
        raise typer.BadParameter("--order is one of uncertain, score, newest, name")
    with session(context, store, keep=True, write=False) as work:
        for row in work.cases.worklist(cast("Order", order), limit):
            emit(vars(row))


@app.command("show")
def cases_show(context: typer.Context, case_id: int, store: StoreOption = None) -> None:
    """One case: images, results, decisions."""
    with session(context, store, keep=True, write=False) as work:
        emit(work.cases.case(case_id).as_json())


@app.command("decide")
def cases_decide(
    context: typer.Context,
    case_id: int,
    value: Annotated[str, typer.Argument(help="positive, negative or cant_tell.")],
    note: Annotated[str, typer.Option("--note")] = "",
    reader: Annotated[str | None, typer.Option("--reader", help="Who decides (default: the login name).")] = None,
    store: StoreOption = None,
) -> None:
    """Record a decision."""
    normal = value.replace("-", "_")
    if normal not in DECISIONS:
        raise typer.BadParameter(f"a decision is one of {', '.join(DECISIONS)}")
    with session(context, store, keep=True) as work:
        if reader:
            work.reader = reader
        emit(vars(work.decide(case_id, normal, note)))
