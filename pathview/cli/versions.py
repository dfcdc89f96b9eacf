"""``pathview models`` on versions of local models: which is present, and how it came to be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pathview.cli.base import ReaderOption, StderrProgress, StoreOption, emit, say, session
from pathview.errors import ModelError, StoreInUseError
from pathview.models.registry import Event, Registry, Version, silent_in
from pathview.models.weights import CARD
from pathview.session import Session

if TYPE_CHECKING:
    from pathview.training.measures.comparing import Comparison

app = typer.Typer(help="Recipes and their weights.", rich_markup_mode=None)
VersionOption = Annotated[int | None, typer.Option("--version", min=1, help="Number of a version.")]
_PLAN = "plan.json"
_IN_THE_WINDOW = (
    "Nothing was changed: what is done with models stands in its audit trail. "
    "Where a window has it, do it there: Training, Continue a training, and its last step, Publish."
)


@app.command("versions")
def models_versions(context: typer.Context, name: Annotated[str, typer.Argument(help="A model.")]) -> None:
    """The versions of a local model and what was done with them, one JSON line each."""
    from pathview.training.publishing.promoting import override_holds

    registry = Registry(context.obj.settings)
    present, events = registry.present(name), registry.events(name)
    if not events:
        raise ModelError(f"No version of {name} was registered.")
    running = silent_in(events)
    for version in registry.versions(name):
        own = [event for event in events if event.version == version.number]
        overrides = {event.at: override_holds(version, event) for event in own if event.override}
        emit({
            "name": name,
            "version": version.number,
            "title": version.title,
            "present": present is not None and present.number == version.number,
            "silent_beside": running.get(version.number),
            "sha256": version.manifest().sha256,
            "origin": version.registered.origin,
            "history": [_told(event) | {"override_signed": overrides.get(event.at)} for event in own],
        })  # fmt: skip


@app.command("register")
def models_register(
    context: typer.Context,
    run: Annotated[Path, typer.Argument(help="Folder of a finished training.")],
    silent: Annotated[bool, typer.Option("--silent", help="Run it silently from now on.")] = False,
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Keep the model of a training as a version; it is not used before it is promoted."""
    with _changing(context, store, reader) as work:
        version = _registered(work, run)
        if silent:
            say(work.promoting.run_silently(version).sentence)
        emit(_words(version))


@app.command("promote")
def models_promote(
    context: typer.Context,
    which: Annotated[str, typer.Argument(help="Folder of a finished training, or the name of a model.")],
    version: VersionOption = None,
    run: Annotated[
        Path | None, typer.Option("--run", help="Training whose locked test patients decide (default: its own).")
    ] = None,
    margin: Annotated[
        float | None, typer.Option("--margin", min=0.001, max=0.1, help="Enough if it is at most so much worse.")
    ] = None,
    override: Annotated[str, typer.Option("--override", help="Promote it whatever the figures say; why.")] = "",
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Let a version analyse images, if it is better than the present one on locked test patients, or by an override."""
    from pathview.training.runs.plan import Override

    with _changing(context, store, reader) as work:
        chosen = _registered(work, Path(which)) if (Path(which) / _PLAN).is_file() else _version(which, version, work)
        patients = run or (Path(which) if (Path(which) / _PLAN).is_file() else None)
        comparison = _compared(work, chosen, patients, margin) if patients is not None else None
        if comparison is not None:
            for notice in (comparison.sentence, *comparison.notices):
                say(notice)
        signed = Override(who=work.reader, why=override) if override else None
        event = work.promoting.promote(chosen, comparison, signed)
        emit({**_words(chosen), **_told(event)})


@app.command("rollback")
def models_rollback(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A model.")],
    to: Annotated[int | None, typer.Option("--to", min=0, help="One that was present before; 0: none.")] = None,
    why: Annotated[str, typer.Option("--why", help="For the card.")] = "",
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Let an earlier version analyse images again, or the model that did before the first one."""
    with _changing(context, store, reader) as work:
        event = work.promoting.roll_back(name, to, why)
        emit({"name": name, **_told(event)})


@app.command("silent")
def models_silent(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A model.")],
    version: VersionOption = None,
    beside: Annotated[
        str, typer.Option("--beside", help="The model whose images it sees (default: the present).")
    ] = "",
    end: Annotated[bool, typer.Option("--end", help="Let it run no longer.")] = False,
    report: Annotated[bool, typer.Option("--report", help="Compare what both said, in sums.")] = False,
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Have a version see every image that is analysed and show nothing of what it says; or compare afterwards."""
    from pathview.training.publishing.silent_report import silent_report

    if report:
        with session(context, store, keep=True, write=False, reader=reader) as work:
            number = _version(name, version, work).number
            found = silent_report(name, number, work.cases.silent.records(name, number, work.reader))
        for sentence in found.sentences:
            say(sentence)
        emit(found.model_dump(mode="json"))
        return
    with _changing(context, store, reader) as work:
        chosen = _version(name, version, work)
        event = work.promoting.end_silent(chosen) if end else work.promoting.run_silently(chosen, beside)
        emit({**_words(chosen), **_told(event)})


@app.command("export")
def models_export(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A model.")],
    file: Annotated[Path, typer.Argument(help="The file to write (.pathview-model).")],
    version: VersionOption = None,
    owner: Annotated[str, typer.Option("--owner", help="Whose it is, for whoever imports it.")] = "",
) -> None:
    """Write a version as one signed file for another machine."""
    from pathview.models.archive import export_version

    with session(context) as work:
        archive = export_version(_version(name, version, work), file, owner, work.settings)
    say(f"Whoever imports it is asked to trust the key {archive.fingerprint}: tell them these digits by another way.")
    emit({"file": str(file), "fingerprint": archive.fingerprint, **archive.contents.model_dump()})


@app.command("drift")
def models_drift(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A model.")],
    last: Annotated[int, typer.Option("--last", min=1, help="Images, the newest.")] = 500,
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Scores, stains, pixel sizes and overruling of late, against the training. Exit status 1 where one is red."""
    from pathview.training.publishing.drift import drift_of

    progress = StderrProgress()
    with session(context, store, keep=True, write=False, reader=reader) as work:
        model = work.catalogue.model(name)
        found = drift_of(model, work.cases.database, work.reader, last, work.engine, work.settings, progress)
    progress.clear()
    for sentence in (*found.sentences, *found.notices):
        say(sentence)
    emit({**found.model_dump(mode="json"), "level": found.level})
    raise typer.Exit(int(found.level == "red"))


def take_in(context: typer.Context, file: Path, trust: str, store: str | None, reader: str | None) -> None:
    """Import the archive of a model; ``trust``: fingerprint of its key, if it is trusted from now on."""
    with _changing(context, store, reader) as work:
        version = work.promoting.take_in(file, trust)
        say(f"It is {version.words}, and not used before it is promoted.")
        emit(_words(version))


@contextmanager
def _changing(context: typer.Context, store: str | None, reader: str | None) -> Iterator[Session]:
    """A session to change models in: each change stands in the store's audit trail, or is not made.

    Raises:
        StoreInUseError: a window has the store; the sentence says how to do it all the same.
    """
    try:
        with session(context, store, keep=True, reader=reader) as work:
            yield work
    except StoreInUseError as error:
        raise StoreInUseError(f"{error} {_IN_THE_WINDOW}") from error


def _registered(work: Session, run: Path) -> Version:
    from pathview.training.publishing.publishing import prepare

    progress = StderrProgress()
    prepared = work.engine.run(prepare, run.absolute(), work.settings, progress=progress)
    progress.clear()
    return work.promoting.register(prepared.folder, prepared.sentence, prepared.title)


def _compared(work: Session, version: Version, run: Path, margin: float | None) -> Comparison:
    from pathview.training.publishing.contest import contest, request_for

    progress = StderrProgress()
    rival = work.promoting.rival(version.manifest().recipe)
    request = request_for(version.folder, rival, run.absolute(), work.reader, margin)
    found: Comparison = work.engine.run(contest, request, work.settings, progress=progress)
    progress.clear()
    return found


def _version(name: str, number: int | None, work: Session) -> Version:
    """A version by number, else the newest.

    Raises:
        ModelError: there is none.
    """
    registry = Registry(work.settings)
    if number is not None:
        return registry.version(name, number)
    versions = registry.versions(name)
    if not versions:
        raise ModelError(f"No version of {name} was registered.")
    return versions[-1]


def _words(version: Version) -> dict[str, Any]:
    return {"name": version.name, "version": version.number, "title": version.title, "card": str(version.folder / CARD)}


def _told(event: Event) -> dict[str, Any]:
    return event.model_dump(mode="json", exclude={"version", "files"}, exclude_defaults=True)
