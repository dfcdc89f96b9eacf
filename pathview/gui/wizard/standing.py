"""How a trained model stands among the versions of its name, and what can be done with it; all of it in threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pathview.errors import DataError
from pathview.gui.wizard.finished import COMPARISON
from pathview.jobs import CancelToken, ProgressSink
from pathview.session import Session
from pathview.training.runs.run_folder import RunFolder

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.models.registry import Event, Version
    from pathview.training.runs.plan import Override

Deed = Callable[[Session, ProgressSink, CancelToken], Any]
"""What somebody does with a model."""
_ORIGINS = {"trained": "trained here", "imported": "imported", "bundled": "came along", "found": "was here before"}


@dataclass(frozen=True)
class VersionLine:
    """One version, as the table tells it."""

    number: int
    state: str
    title: str
    """Of its training."""
    when: str
    about: str
    """Where it is from, and what was done with it last."""


@dataclass(frozen=True)
class Standing:
    """What is known of a model's versions."""

    name: str
    title: str
    reader: str
    version: Version | None = None
    """The one that this training became; None: it is not kept as one, or not with these thresholds."""
    present: int | None = None
    done: bool = False
    """Whether there is nothing that this training's version could still take the place of."""
    use: str = ""
    """What the present version is used for, in a clause."""
    would: str = ""
    """What this training's version would be used for, once it is published."""
    earlier: int | None = None
    """That can be gone back to; 0: to no version of the name, None: to nothing."""
    after: str = ""
    """What analyses images once it is gone back to no version of the name."""
    silent_beside: str = ""
    """The model beside which this version runs silently."""
    silent_said: tuple[str, ...] = ()
    """What it said beside that model so far, in sums over many patients."""
    rival: str = ""
    """The model whose place it would take; empty: there is none."""
    lines: tuple[VersionLine, ...] = ()
    card: str = ""
    """Markdown."""

    @property
    def is_present(self) -> bool:
        """Whether this training's version is the published one of its name."""
        return self.version is not None and self.version.number == self.present


def read_standing(folder: RunFolder, session: Session) -> Standing:
    """Read it.

    Raises:
        ModelError: a history or the model is damaged.
    """
    from pathview.models.registry import Registry, silent_in
    from pathview.models.weights import CARD, MANIFEST, read_manifest

    recipe = read_manifest(folder.model).recipe
    registry = Registry(session.settings)
    events, versions = registry.events(recipe.name), registry.versions(recipe.name)
    digest = _digest(folder.model / MANIFEST)
    own = next((one for one in versions if one.registered.files.get(MANIFEST) == digest), None)
    present, running = registry.present(recipe.name), silent_in(events)
    promoting = session.promoting
    rival = promoting.rival(recipe)
    number = present.number if present is not None else None
    done = own is not None and rival is not None and (rival.name, rival.version) == (own.name, own.number)
    earlier = registry.before(recipe.name)
    card = (own.folder if own is not None else folder.model) / CARD
    return Standing(
        recipe.name,
        recipe.title,
        session.reader,
        own,
        number,
        done,
        promoting.use(recipe) if number is not None else "",
        "" if done else promoting.use(recipe, promoted=True),
        earlier,
        "; ".join(promoting.after(recipe.name)) if earlier == 0 else "",
        running.get(own.number, "") if own is not None else "",
        _silent_said(own, session) if own is not None and own.number in running else (),
        rival.words if rival is not None else "",
        tuple(_line(one, events, number, running) for one in reversed(versions)),
        card.read_text(encoding="utf-8") if card.is_file() else "",
    )


def _silent_said(version: Version, session: Session) -> tuple[str, ...]:
    from pathview.training.publishing.silent_report import silent_report

    records = session.cases.silent.records(version.name, version.number, session.reader)
    try:
        return silent_report(version.name, version.number, records).sentences
    except DataError as error:  # too few patients to tell
        return (str(error),)


def _line(version: Version, events: tuple[Event, ...], present: int | None, running: dict[int, str]) -> VersionLine:
    first, last = version.registered, [event for event in events if event.version == version.number][-1]
    silent = f"silent beside {running[version.number]}" if version.number in running else "not used"
    origin = _ORIGINS.get(first.origin or "", "kept")
    about = f"{version.words[:1].upper()}{version.words[1:]}: {origin}, kept by {first.who} on {_when(first)}."
    later = (
        f" Last, {_when(last)}, {last.who}: {last.sentence.replace('**', '')}" if last.action != "registered" else ""
    )
    state = "present" if version.number == present else silent
    return VersionLine(version.number, state, version.title, _when(first), f"{about}{later}")


def _when(event: Event) -> str:
    return event.at[:16].replace("T", " ")


def _digest(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def registering(folder: RunFolder) -> Deed:
    """Keep the model of a training as a version; it is not used before it is published."""

    def deed(session: Session, progress: ProgressSink, cancel: CancelToken) -> Any:
        from pathview.training.publishing.publishing import prepare

        prepared = session.training_engine.run(prepare, folder.path, session.settings, progress=progress, cancel=cancel)
        return session.promoting.register(prepared.folder, prepared.sentence, prepared.title)

    return deed


def comparing(folder: RunFolder, version: Version, margin: float | None) -> Deed:
    """Compare a version with the present model on the locked test patients, which is counted; the outcome is kept."""

    def deed(session: Session, progress: ProgressSink, cancel: CancelToken) -> Any:
        from pathview.training.publishing.contest import contest, request_for

        rival = session.promoting.rival(version.manifest().recipe)
        request = request_for(version.folder, rival, folder.path, session.reader, margin)
        found = session.training_engine.run(contest, request, session.settings, progress=progress, cancel=cancel)
        folder.write(COMPARISON, found)
        return found

    return deed


def publishing(folder: RunFolder, version: Version, override: Override | None) -> Deed:
    """Let a version analyse images from now on: as its comparison says, or by a signed override."""

    def deed(session: Session, *_: Any) -> Any:
        from pathview.training.measures.comparing import Comparison

        comparison = folder.read(COMPARISON, Comparison) if folder.has(COMPARISON) else None
        if override is not None and comparison is not None and comparison.new_sha256 != version.manifest().sha256:
            comparison = None
        return session.promoting.promote(version, comparison, override)

    return deed


def silencing(version: Version, end: bool) -> Deed:
    """Let a version run silently beside the present model, or no longer."""

    def deed(session: Session, *_: Any) -> Any:
        return session.promoting.end_silent(version) if end else session.promoting.run_silently(version)

    return deed


def rolling_back(name: str, why: str) -> Deed:
    """Let the earlier version analyse images again, or the model before the first one."""
    return lambda session, *_: session.promoting.roll_back(name, None, why)


def exporting(version: Version, target: Path) -> Deed:
    """Write a version as one signed file."""

    def deed(session: Session, *_: Any) -> Any:
        from pathview.models.archive import export_version

        return export_version(version, target, session.reader, session.settings)

    return deed


def importing(source: Path, trusting: str) -> Deed:
    """Take the model of a file in as a new version."""
    return lambda session, *_: session.promoting.take_in(source, trusting)
