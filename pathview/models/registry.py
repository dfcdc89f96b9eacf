"""Versions of local models on disk, and which one of each name is present.

A version is a folder that is never changed again but for its card. What was done with it stands in a history that only
grows; its last promotion or rollback says which version is present, so that a change of models is one line on the disk:
it is there or it is not. The same line says which kinds of image the model analyses from then on where nobody names
a model, see :mod:`pathview.models.defaults`.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field

from pathview.errors import ModelError, OutputError
from pathview.images.source import Kind
from pathview.models.journal import Journal
from pathview.models.weights import CARD, MANIFEST, SEEN, WEIGHTS, Manifest, check_folder, read_manifest
from pathview.settings import Settings

Action = Literal["registered", "promoted", "rolled_back", "withdrawn", "silent", "silent_ended"]
Origin = Literal["trained", "imported", "bundled", "found"]
"""``found``: it lay among the user's models before versions were kept."""
HISTORY = "history.jsonl"
REFERENCE = "reference.json"
"""How scores, stains and pixel sizes were distributed when it was trained, see
:mod:`pathview.training.publishing.reference`."""
REQUIRED, OPTIONAL = (MANIFEST, WEIGHTS), (SEEN, REFERENCE)
"""Files of a version that are never changed; the card gets a line for each thing that is done with it."""
CHOOSING: frozenset[Action] = frozenset({"promoted", "rolled_back"})
CHANGING: frozenset[Action] = CHOOSING | {"withdrawn"}
"""What changes which version is present."""
_TURNS = ".turns.lock"


class Event(BaseModel):
    """One thing that was done with a version."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    action: Action
    version: int = Field(ge=1)
    who: str
    at: str
    """UTC, ISO 8601."""
    sentence: str = ""
    """What stands on the card."""
    origin: Origin | None = None
    """Of a version that is registered."""
    files: dict[str, str] = {}
    """SHA-256 of its files, when it is registered."""
    beside: str = ""
    """In silent mode: the name of the model whose images it sees."""
    override: str = ""
    """Why it was promoted although no comparison said so."""
    comparison: dict[str, Any] = {}
    """The figures that it was promoted on, see :class:`pathview.training.measures.comparing.Comparison`."""
    key: str = ""
    """Public key of whoever signed: an override, or an archive."""
    signature: str = ""
    """Of an override, over :func:`pathview.training.publishing.promoting.signed_words`."""
    title: str = ""
    """Of the training that a registered version came of."""
    default_for: tuple[Kind, ...] = ()
    """Kinds of image that its model analyses from now on where nobody names one, see
    :func:`pathview.models.defaults.claims_in`."""
    turn: int = Field(0, ge=0)
    """Of all changes of present versions in an installation the how manieth; 0: before these were counted."""


@dataclass(frozen=True)
class Version:
    """One version of one model."""

    name: str
    number: int
    folder: Path
    registered: Event

    @property
    def words(self) -> str:
        """What sentences call it."""
        return f"version {self.number} of {self.name}{f' ({self.title})' if self.title else ''}"

    @property
    def title(self) -> str:
        """Of the training that it came of, which tells it from others of the same recipe; may be empty."""
        return self.registered.title

    def manifest(self) -> Manifest:
        """Its manifest, if it is the one that was registered.

        Raises:
            ModelError: missing, damaged or another one.
        """
        if _digest(self.folder / MANIFEST) != self.registered.files.get(MANIFEST):
            raise ModelError(f"The {MANIFEST} of {self.words} is not the one that was registered.")
        return read_manifest(self.folder)

    def check(self) -> Manifest:
        """Every file against its registered hash, and the weights against the manifest.

        Raises:
            ModelError: the first file that is missing or another one.
        """
        for name, digest in self.registered.files.items():
            if _digest(self.folder / name) != digest:
                raise ModelError(f"The {name} of {self.words} is not the one that was registered.")
        return check_folder(self.folder, self.manifest().recipe.network.parameters)


class Registry:
    """The versions of all local models of an installation."""

    def __init__(self, settings: Settings) -> None:
        """Look where the settings say."""
        self._base = settings.versions_dir

    def names(self) -> tuple[str, ...]:
        """Models with a history."""
        return tuple(sorted(path.parent.name for path in self._base.glob(f"*/{HISTORY}")))

    def events(self, name: str) -> tuple[Event, ...]:
        """All that was done with a model's versions, the oldest first; none where it has no history.

        Raises:
            ModelError: the history is damaged or was changed.
        """
        return self._journal(name).records()

    def versions(self, name: str) -> tuple[Version, ...]:
        """All versions by number.

        Raises:
            ModelError: the history is damaged or was changed.
        """
        found = (event for event in self.events(name) if event.action == "registered")
        return tuple(Version(name, event.version, self._folder(name, event.version), event) for event in found)

    def version(self, name: str, number: int) -> Version:
        """One version.

        Raises:
            ModelError: there is none of this number, or the history is damaged.
        """
        known = {version.number: version for version in self.versions(name)}
        if number not in known:
            have = f"it has {', '.join(map(str, known))}" if known else "none of it was registered"
            raise ModelError(f"There is no version {number} of {name}; {have}.")
        return known[number]

    def present(self, name: str) -> Version | None:
        """The version that analyses images; None where none was promoted, or it was withdrawn.

        Raises:
            ModelError: the history is damaged or was changed.
        """
        chosen = self.chosen(name)
        return self.version(name, chosen[-1]) if chosen and chosen[-1] else None

    def chosen(self, name: str) -> tuple[int, ...]:
        """The versions that were present, the present one last; 0: none, so that there was no model of the name.

        A model that was there before versions were kept begins with its own version; any other with 0.

        Raises:
            ModelError: the history is damaged or was changed.
        """
        events = self.events(name)
        numbers = [0 if event.action == "withdrawn" else event.version for event in events if event.action in CHANGING]
        origins = {event.version: event.origin for event in events if event.action == "registered"}
        was_there = bool(numbers) and origins.get(numbers[0]) in ("bundled", "found")
        return tuple(numbers if was_there or not numbers else [0, *numbers])

    def before(self, name: str) -> int | None:
        """What going back leads to: an earlier version, or 0, no model of the name; None: there is no way back.

        Raises:
            ModelError: the history is damaged or was changed.
        """
        chosen = self.chosen(name)
        return next((number for number in reversed(chosen) if number != chosen[-1]), None)

    def turns(self) -> tuple[tuple[str, Event], ...]:
        """All that changed which version of a model is present, the oldest first; damaged histories say nothing."""
        found: list[tuple[str, Event]] = []
        for name in self.names():
            try:
                found += [(name, event) for event in self.events(name) if event.action in CHANGING]
            except ModelError:
                continue
        return tuple(sorted(found, key=lambda one: one[1].turn))

    def silent(self, beside: str) -> tuple[Version, ...]:
        """The versions that run silently on the images of a model.

        Raises:
            ModelError: a history is damaged or was changed.
        """
        found = []
        for name in self.names():
            running = silent_in(self.events(name))
            found += [self.version(name, number) for number, model in running.items() if model == beside]
        return tuple(found)

    def register(
        self, folder: Path, who: str, origin: Origin, sentence: str = "", key: str = "", title: str = ""
    ) -> Version:
        """Take a model's files in as a new version; one that is there already stays the version that it is.

        Args:
            folder: of the model.
            who: does it.
            origin: where it is from.
            sentence: for its card.
            key: public key of who signed its archive.
            title: of the training that it came of.

        Raises:
            ModelError: the model is damaged.
            OutputError: it cannot be kept.
        """
        manifest = check_folder(folder, read_manifest(folder).recipe.network.parameters)
        name = manifest.recipe.name
        with self._journal(name).locked():
            digest = _digest(folder / MANIFEST)
            for known in self.versions(name):
                if known.registered.files.get(MANIFEST) == digest:
                    return known
            number = 1 + max((version.number for version in self.versions(name)), default=0)
            files = self._copy(folder, self._folder(name, number))
            event = Event(
                action="registered", version=number, who=who, at=now(), sentence=sentence, origin=origin, files=files,
                key=key, title=title,
            )  # fmt: skip
            self._journal(name).append(lambda _: event)
        found = self.version(name, number)
        self._print(found)
        return found

    def record(self, name: str, event: Event) -> Event:
        """Keep that something was done with a version, and print it on its card.

        Raises:
            ModelError: the version is not whole, or the history is damaged.
            OutputError: it cannot be kept.
        """
        version = self.version(name, event.version)
        if event.action in CHOOSING:
            version.check()
        with self._next_turn(event) as numbered:
            kept = self._journal(name).append(lambda _: numbered)
        self._print(version)
        return kept

    @contextmanager
    def _next_turn(self, event: Event) -> Iterator[Event]:
        """An event with its turn, if it changes what is present; nobody else takes one meanwhile."""
        if event.action not in CHANGING:
            yield event
            return
        try:
            with FileLock(self._base / _TURNS, is_singleton=True):
                last = max((known.turn for _, known in self.turns()), default=0)
                yield event.model_copy(update={"turn": last + 1})
        except OSError as error:
            raise OutputError(f"What is present cannot be written to {self._base.name}.") from error

    def _print(self, version: Version) -> None:
        path = version.folder / CARD
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else f"# {version.name}\n"
            beside = path.with_suffix(".new")
            beside.write_text(card_with_history(text, version, self.events(version.name)), encoding="utf-8")
            beside.replace(path)
        except (OSError, UnicodeDecodeError) as error:
            raise OutputError(f"The card of {version.words} cannot be written.") from error

    def _copy(self, source: Path, target: Path) -> dict[str, str]:
        """Copy a model's files into a folder that is there as a whole or not at all; their hashes."""
        names = [*REQUIRED, *(name for name in (*OPTIONAL, CARD) if (source / name).is_file())]
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with folder_beside(target) as partial:
                for name in names:
                    shutil.copyfile(source / name, partial / name)
                if target.exists():  # left by a crash before its line was written: nobody knows of it
                    shutil.rmtree(target)
                partial.rename(target)
        except OSError as error:
            raise OutputError(f"The model cannot be kept as {target.parent.name} {target.name}: {error}.") from error
        return {name: _digest(target / name) for name in names if name != CARD}

    def _folder(self, name: str, number: int) -> Path:
        return self._base / name / f"{number:04}"

    def _journal(self, name: str) -> Journal[Event]:
        return Journal(self._base / name / HISTORY, Event)


def version_problems(settings: Settings) -> Iterator[tuple[str, int, str | None]]:
    """Each version with what is wrong with its files in one sentence, or None; a damaged history is the catalogue's."""
    registry = Registry(settings)
    for name in registry.names():
        try:
            versions = registry.versions(name)
        except ModelError:
            continue
        for version in versions:
            try:
                version.check()
                yield name, version.number, None
            except ModelError as error:
                yield name, version.number, str(error)


def silent_in(events: Iterable[Event]) -> dict[int, str]:
    """Which versions run silently, and beside which model; a promotion ends it."""
    running: dict[int, str] = {}
    for event in events:
        if event.action == "silent":
            running[event.version] = event.beside
        elif event.action == "silent_ended" or event.action in CHOOSING:
            running.pop(event.version, None)
    return running


_MARK = "<!-- What was done with this version: written by PathView -->"


def card_with_history(card: str, version: Version, events: Iterable[Event]) -> str:
    """A model card with what was done with the version at its end, in place of what stood there."""
    lines = [
        f"- {event.at}, {event.who}: {event.sentence or event.action.replace('_', ' ')}"
        for event in events
        if event.version == version.number
    ]
    own = card.split(_MARK)[0].rstrip()
    return "\n".join([own, "", _MARK, f"## Version {version.number}", "", *lines, ""])


@contextmanager
def folder_beside(target: Path) -> Iterator[Path]:
    """A new folder on the same disk as ``target``, gone afterwards if it was not renamed."""
    partial = Path(tempfile.mkdtemp(dir=target.parent, prefix=".partial-"))
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def now() -> str:
    """The time, UTC, ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
