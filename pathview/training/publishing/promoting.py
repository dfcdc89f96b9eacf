"""Which model analyses images: promotion by a paired comparison or a signed override, silent mode first, rollback.

A version that is promoted analyses what the model analysed that it was compared with, whatever that one is called, and
going back gives it back.
What is done stands in the model's own history, on its card and in the store's audit trail.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pathview.errors import ModelError
from pathview.images.source import Kind
from pathview.models.archive import import_archive, read_archive
from pathview.models.catalogue import Catalogue, Found, Model
from pathview.models.defaults import had_before
from pathview.models.recipe import Recipe
from pathview.models.registry import Event, Origin, Registry, Version, now, silent_in
from pathview.models.signing import MachineKey, fingerprint, is_signed
from pathview.models.weights import MANIFEST, read_manifest
from pathview.settings import Settings
from pathview.training.runs.plan import Override

if TYPE_CHECKING:  # the command line starts without the libraries of the store and of figures
    from pathview.review.sql.database import Database
    from pathview.training.measures.comparing import Comparison


@dataclass(frozen=True)
class Promoting:
    """One person's deeds with the models of an installation."""

    settings: Settings
    who: str
    database: Database | None = None
    """Of the store whose audit trail they stand in; None: they stand in the history alone."""

    @property
    def registry(self) -> Registry:
        """The versions."""
        return Registry(self.settings)

    def rival(self, recipe: Recipe) -> Model | None:
        """The model whose place one of this recipe would take: see :func:`rival_of`."""
        return rival_of(self._found, recipe)

    @property
    def _found(self) -> Found:
        return Catalogue(self.settings).found()

    def register(self, folder: Path, sentence: str = "trained here.", title: str = "") -> Version:
        """Take a trained model in as a new version, which is not present before it is promoted.

        Args:
            folder: the model's, such as :attr:`pathview.training.runs.run_folder.RunFolder.model`.
            sentence: for its card: how it came about.
            title: of the training, which tells its model from others of the same recipe.

        Raises:
            ModelError: the model is damaged.
            OutputError, StoreError: it cannot be kept.
        """
        self._keep_what_was(read_manifest(folder).recipe.name)
        return self._told(self.registry.register(folder, self.who, "trained", sentence, title=title))

    def take_in(self, archive: Path, trusting: str = "") -> Version:
        """Import an archive, see :func:`pathview.models.archive.import_archive`."""
        self._keep_what_was(read_archive(archive, self.settings).contents.name)
        return self._told(import_archive(archive, self.settings, self.who, trusting))

    def promote(self, version: Version, comparison: Comparison | None, override: Override | None = None) -> Event:
        """Let a version analyse images from now on: those that the model analyses whose place it takes.

        Args:
            version: which.
            comparison: with the model that is present now, see :mod:`pathview.training.publishing.contest`.
            override: who promotes it whatever the comparison says, and why; signed by this machine's key.

        Raises:
            ModelError: neither says that it may, the comparison is of other models, or the version is not whole.
            OutputError: it cannot be kept.
            StoreError: the audit trail cannot be written.
        """
        manifest = version.check()
        present = self.rival(manifest.recipe)
        if present is not None and (present.name, present.version) == (version.name, version.number):
            raise ModelError(f"{_upper(version.words)} is present already.")
        if comparison is not None:
            _require_same(comparison, manifest.sha256, present)
        if override is None and (comparison is None or not comparison.promotes):
            why = comparison.sentence if comparison else "It was not compared with the present model."
            raise ModelError(f"{_upper(version.words)} is not promoted. {why}")
        event = _promotion(version, comparison, override, self.who, self.settings)
        told = {
            "sentence": f"{event.sentence} {_upper(self.use(manifest.recipe, promoted=True))}.",
            "default_for": _would_take(self._found, manifest.recipe),
        }
        return self._record(version, event.model_copy(update=told))

    def use(self, recipe: Recipe, promoted: bool = False) -> str:
        """What the present model of a recipe is used for, in a clause; ``promoted``: or one that is promoted would be.

        Raises:
            ModelError: a history is damaged.
        """
        found = self._found
        rival = rival_of(found, recipe) if promoted else None
        taken = _would_take(found, recipe) if promoted else ()
        defaults = {kind: found.default_for(kind) for kind in recipe.kinds}
        own = [kind for kind, one in defaults.items() if kind in taken or (one is not None and one.name == recipe.name)]
        if own:
            place = f" in place of {rival.words}" if rival is not None else ""
            return f"it analyses {' and '.join(own)} images{place}"
        others = [f"{model.words} analyses {kind} images" for kind, model in defaults.items() if model is not None]
        return "; ".join(["it is used only where somebody chooses it by name", *others])

    def roll_back(self, name: str, number: int | None = None, why: str = "") -> Event:
        """Let an earlier version analyse images again, to the byte as it was, or the model before the first version.

        Kinds of image that the model took over from another one go back to whoever had them.

        Args:
            name: of the model.
            number: of a version that was present before; 0: none of them, so that what analysed images before the
                first one does again; None: whatever was present before the present version.
            why: for the card.

        Raises:
            ModelError: there is none, it was never present, or it is not whole any more.
            OutputError, StoreError: as in :meth:`promote`.
        """
        chosen = self.registry.chosen(name)
        wanted = self.registry.before(name) if number is None else number
        if wanted is None or not chosen:
            raise ModelError(f"There is no earlier version of {name} to go back to.")
        if wanted == 0:
            return self._withdraw(name, chosen, why)
        earlier = self.registry.version(name, wanted)
        if wanted == chosen[-1]:
            raise ModelError(f"{_upper(earlier.words)} is present already.")
        if wanted not in chosen:
            raise ModelError(f"{_upper(earlier.words)} was never present; promote it instead.")
        place = f", in place of version {chosen[-1]}" if chosen[-1] else ""
        event = self._event("rolled_back", earlier, f"present again{place}{_reason(why)}.")
        kinds = had_before(self.registry.turns(), name, event)
        use = f" It analyses {' and '.join(kinds)} images again." if kinds else ""
        told = {"sentence": f"{event.sentence}{use}", "default_for": kinds}
        return self._record(earlier, event.model_copy(update=told))

    def _withdraw(self, name: str, chosen: Sequence[int], why: str) -> Event:
        """Let none of a model's versions analyse images; what did before does again."""
        if chosen[0] != 0:
            raise ModelError(f"{name} was there before versions were kept: go back to version {chosen[0]} instead.")
        present = self.registry.present(name)
        if present is None:
            raise ModelError(f"No version of {name} is present.")
        after = "; ".join(self.after(name))
        sentence = f"withdrawn: no version of {name} is used{f', and {after}' if after else ''}{_reason(why)}."
        return self._record(present, self._event("withdrawn", present, sentence))

    def after(self, name: str) -> tuple[str, ...]:
        """Who would analyse the kinds of image that a model analyses now if it were withdrawn, a clause each."""
        found, clauses = self._found, []
        for kind in get_args(Kind):
            default, then = found.default_for(kind), found.default_for(kind, without=name)
            if default is not None and default.name == name:
                again = f"{then.words} analyses {kind} images again" if then is not None else ""
                clauses.append(again or f"no model analyses {kind} images any more")
        return tuple(clauses)

    def run_silently(self, version: Version, beside: str = "") -> Event:
        """Let a version see the images that the present model sees, and show nothing of what it says.

        Args:
            version: which.
            beside: name of the model whose images it sees; empty: that whose place it would take.

        Raises:
            ModelError: it is present, runs already, or there is no model beside which it could run.
            RecipeError: there is no model of that name.
            OutputError, StoreError: as in :meth:`promote`.
        """
        recipe = version.check().recipe
        model = Catalogue(self.settings).model(beside) if beside else self.rival(recipe)
        if model is None or model.folder is None:
            raise ModelError(f"There is no model beside which {version.words} could run silently.")
        if (model.name, model.version) == (version.name, version.number):
            raise ModelError(f"{_upper(version.words)} is present: what it says is shown.")
        running = silent_in(self.registry.events(version.name))
        if running.get(version.number) == model.name:
            raise ModelError(f"{_upper(version.words)} runs silently already.")
        sentence = f"runs silently beside {model.name}: its results are kept and shown nowhere."
        return self._record(version, self._event("silent", version, sentence, beside=model.name))

    def end_silent(self, version: Version) -> Event:
        """Let a version run no longer.

        Raises:
            ModelError: it does not run silently.
            OutputError, StoreError: as in :meth:`promote`.
        """
        if version.number not in silent_in(self.registry.events(version.name)):
            raise ModelError(f"{_upper(version.words)} does not run silently.")
        return self._record(version, self._event("silent_ended", version, "no longer runs silently."))

    def _event(self, action: Any, version: Version, sentence: str, **more: Any) -> Event:
        return Event(action=action, version=version.number, who=self.who, at=now(), sentence=sentence, **more)

    def _keep_what_was(self, name: str) -> None:
        """Before a name's first version, the model that has it becomes a version, to go back to."""
        present = self._found.named(name)
        if present is None or present.folder is None or present.version is not None:
            return
        origin: Origin = "bundled" if present.weights == "bundled" else "found"
        was = "came with the program" if origin == "bundled" else "lay among the models before versions were kept"
        kept = self.registry.register(present.folder, self.who, origin, f"kept to go back to; it {was}.")
        self._record(kept, self._event("promoted", kept, "was present before versions were kept."))

    def _told(self, version: Version) -> Version:
        """A version that was just registered, in the audit trail too."""
        with self._audited(version, version.registered):
            return version

    def _record(self, version: Version, event: Event) -> Event:
        with self._audited(version, event):
            return self.registry.record(version.name, event)

    def _audited(self, version: Version, event: Event) -> AbstractContextManager[None]:
        if self.database is None:
            return nullcontext()
        from pathview.review.cases.model_trail import audited

        detail = {
            "model": version.name,
            "version": version.number,
            "manifest_sha256": version.registered.files[MANIFEST],
            "sentence": event.sentence,
            "default_for": list(event.default_for) or None,
            "override": event.override or None,
            "signature": event.signature or None,
        }
        return audited(self.database, self.who, f"model_{event.action}", detail)


def rival_of(found: Found, recipe: Recipe) -> Model | None:
    """The model that analyses images of a recipe's kinds now and has its task; else the present one of its name.

    None: there is neither, so that a new model has only a baseline to beat.
    """
    defaults = (found.default_for(kind) for kind in recipe.kinds)
    default = next((model for model in defaults if model is not None and comparable(model.recipe, recipe)), None)
    own = found.named(recipe.name)
    return default or (own if own is not None and own.folder is not None else None)


def _would_take(found: Found, recipe: Recipe) -> tuple[Kind, ...]:
    rival, kinds = rival_of(found, recipe), []
    for kind in recipe.kinds:
        default = found.default_for(kind)
        of_rival = default is not None and rival is not None and default.name == rival.name != recipe.name
        if of_rival or (default is None and recipe.regions is None):
            kinds.append(kind)
    return tuple(kinds)


def comparable(one: Recipe, other: Recipe) -> bool:
    """Whether two models answer the same question, as far as their recipes tell."""
    return one.task == other.task and len(one.classes) == len(other.classes)


def signed_words(name: str, manifest_sha256: str, event: Event) -> bytes:
    """What the signature of an override is over."""
    content: Mapping[str, Any] = {
        "model": name,
        "version": event.version,
        "manifest_sha256": manifest_sha256,
        "who": event.who,
        "why": event.override,
        "at": event.at,
        "comparison": event.comparison,
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def override_holds(version: Version, event: Event) -> bool:
    """Whether an override is as it was signed."""
    words = signed_words(version.name, version.registered.files[MANIFEST], event)
    return is_signed(words, event.signature, event.key)


def _promotion(
    version: Version, comparison: Comparison | None, override: Override | None, who: str, settings: Settings
) -> Event:
    found = comparison.model_dump(mode="json") | {"verdict": comparison.verdict} if comparison else {}
    base = {"action": "promoted", "version": version.number, "comparison": found}
    if override is None or (comparison is not None and comparison.promotes):
        assert comparison is not None  # asked by the caller
        return Event(**base, who=who, at=now(), sentence=f"promoted. {comparison.sentence}")
    said = f" {comparison.sentence}" if comparison else " It was not compared with the present model."
    key = MachineKey(settings)
    sentence = (
        f'**promoted by override** of {override.who}: "{override.why}".{said} '
        f"Signed with the key {fingerprint(key.public)}."
    )
    event = Event(**base, who=override.who, at=now(), sentence=sentence, override=override.why, key=key.public)
    words = signed_words(version.name, version.registered.files[MANIFEST], event)
    return event.model_copy(update={"signature": key.sign(words)})


def _require_same(comparison: Comparison, new_sha256: str, present: Model | None) -> None:
    manifest = present.manifest if present is not None else None
    if comparison.new_sha256 != new_sha256 or comparison.against_sha256 != (manifest.sha256 if manifest else ""):
        raise ModelError("The comparison is of other models than these; compare them again.")


def _reason(why: str) -> str:
    return f": {why.strip()}" if why.strip() else ""


def _upper(words: str) -> str:
    return words[0].upper() + words[1:]
