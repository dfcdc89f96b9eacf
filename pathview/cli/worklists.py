"""``pathview worklists``: which cases are read together, in which mode, by which form, and by whom."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pathview.cli.base import ReaderOption, StderrProgress, StoreOption, emit, say, session
from pathview.review.records.forms import SIMPLE, find_forms
from pathview.review.records.modes import MODES, Mode
from pathview.session import Session

if TYPE_CHECKING:
    from pathview.review.reading.worklist import Worklist

app = typer.Typer(help="Worklists: their mode and form, and which cases are in them.", rich_markup_mode=None)
NameArgument = Annotated[str, typer.Argument(help="Name of the list, as `worklists list` prints it.")]
CasesArgument = Annotated[list[int], typer.Argument(help="Ids of cases.")]
ModeArgument = Annotated[str, typer.Argument(help=f"One of: {', '.join(MODES)}.")]
UnblindOption = Annotated[
    bool,
    typer.Option(
        "--unblind", help="Show all also of cases that are being read; unlocked readings then count as unblinded."
    ),
]
FormOption = Annotated[str | None, typer.Option("--form", help="Name of the assessment form.")]


@app.command("list")
def worklists_list(context: typer.Context, store: StoreOption = None, reader: ReaderOption = None) -> None:
    """The lists with how many cases of each state they have for this reader, one JSON line each."""
    with session(context, store, keep=True, write=False, reader=reader) as work:
        for each in work.cases.worklists.all():
            emit(_counted(work, each))


@app.command("create")
def worklists_create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="That no other list has.")],
    mode: Annotated[str, typer.Option("--mode", help=f"One of: {', '.join(MODES)}.")] = "assisted",
    form: FormOption = None,
    store: StoreOption = None,
    reader: ReaderOption = None,
) -> None:
    """Make an empty list."""
    with session(context, store, keep=True, reader=reader) as work:
        wanted = _form(work, form or SIMPLE)
        emit(_counted(work, work.cases.worklists.create(name, _mode(mode), wanted, work.reader)))


@app.command("mode")
def worklists_mode(
    context: typer.Context,
    name: NameArgument,
    mode: ModeArgument,
    form: FormOption = None,
    unblind: UnblindOption = False,
    store: StoreOption = None,
    reader: ReaderOption = None,
) -> None:
    """Have a list read in another mode, or by another form, from now on."""
    with session(context, store, keep=True, reader=reader) as work:
        lists, wanted = work.cases.worklists, _form(work, form) if form is not None else None
        changed = lists.set_mode(lists.named(name).id, _mode(mode), work.reader, unblind)
        if wanted is not None:
            changed = lists.set_form(changed.id, wanted, work.reader)
        emit(_counted(work, changed))


@app.command("rename")
def worklists_rename(
    context: typer.Context, name: NameArgument, new: str, store: StoreOption = None, reader: ReaderOption = None
) -> None:
    """Give a list another name."""
    with session(context, store, keep=True, reader=reader) as work:
        lists = work.cases.worklists
        emit(_counted(work, lists.rename(lists.named(name).id, new, work.reader)))


@app.command("move")
def worklists_move(
    context: typer.Context,
    name: NameArgument,
    cases: CasesArgument,
    unblind: UnblindOption = False,
    store: StoreOption = None,
    reader: ReaderOption = None,
) -> None:
    """Put cases into a list; each is in exactly one. What a list showed of a case counts as seen ever after."""
    with session(context, store, keep=True, reader=reader) as work:
        lists = work.cases.worklists
        emit({"worklist": name, "moved": lists.move(cases, lists.named(name).id, work.reader, unblind)})


@app.command("assign")
def worklists_assign(
    context: typer.Context,
    cases: CasesArgument,
    to: Annotated[str | None, typer.Option("--to", help="A reader's name (default: anybody may read them).")] = None,
    new: Annotated[bool, typer.Option("--new", help="The reader is new to the store.")] = False,
    store: StoreOption = None,
    reader: ReaderOption = None,
) -> None:
    """Say who is to read cases."""
    with session(context, store, keep=True, reader=reader) as work:
        emit({"assigned_to": to, "changed": work.cases.worklists.assign(cases, to, work.reader, new)})


@app.command("close")
def worklists_close(
    context: typer.Context,
    name: NameArgument,
    reopen: Annotated[bool, typer.Option("--reopen", help="Go on with the reading of a closed list.")] = False,
    store: StoreOption = None,
    reader: ReaderOption = None,
) -> None:
    """End the reading of a list: all is shown, and nothing is decided any more."""
    with session(context, store, keep=True, reader=reader) as work:
        lists = work.cases.worklists
        change = lists.reopen if reopen else lists.close
        emit(_counted(work, change(lists.named(name).id, work.reader)))


@app.command("arbitrate")
def worklists_arbitrate(
    context: typer.Context,
    name: NameArgument,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also cases that readers of the list have not read.")
    ] = False,
    store: StoreOption = None,
    reader: ReaderOption = None,
) -> None:
    """Move the cases on which readers' final decisions differ into the list's arbitration list."""
    with session(context, store, keep=True, reader=reader) as work:
        lists = work.cases.worklists
        home, moved = lists.send_to_arbitration(lists.named(name).id, work.reader, anyway)
        if home is None:
            say(f"No final decisions differ in the worklist {name}.")
        emit({"worklist": home.name if home else None, "cases": list(moved)})


@app.command("import")
def worklists_import(
    context: typer.Context,
    table: Annotated[Path, typer.Argument(help="A csv with the column path; see the handbook for further ones.")],
    worklist: Annotated[str | None, typer.Option("--worklist", help="For lines that name none.")] = None,
    new: Annotated[bool, typer.Option("--new", help="Readers that the store does not know are new to it.")] = False,
    store: StoreOption = None,
    reader: ReaderOption = None,
) -> None:
    """Put the images of a table into the store. Exit status 1 where a line was left out."""
    progress = StderrProgress()
    with session(context, store, keep=True, reader=reader) as work:
        if worklist is not None:
            work.cases.worklists.named(worklist)  # a wrong name ends here, before any image is read
        done = work.import_csv(table, worklist, progress, new_readers=new)
    progress.clear()
    for problem in done.problems:
        say(problem)
    emit({"cases": list(done.case_ids), "lines": done.lines, "left_out": done.left_out})
    raise typer.Exit(int(done.left_out > 0))


def _counted(work: Session, worklist: Worklist) -> dict[str, Any]:
    """A list with what is in it."""
    from pathview.review.reading.worklist_query import WorklistQuery

    counts = work.cases.worklists.counts(WorklistQuery(worklist.id), work.reader)
    return {**vars(worklist), "cases": counts.total, "states": dict(counts.states)}


def _form(work: Session, name: str) -> str:
    """A form's name that can be used.

    Raises:
        FormError: there is no such form.
    """
    return find_forms(work.settings).form(name).name


def _mode(text: str) -> Mode:
    normal = text.replace("-", "_")
    if normal not in MODES:
        raise typer.BadParameter(f"a mode is one of {', '.join(MODES)}")
    return normal
