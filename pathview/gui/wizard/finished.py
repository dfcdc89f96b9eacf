"""What a training has left in its folder, as the pages after it show it; read in a thread."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pathview.settings import Settings
from pathview.training.runs.run_folder import RunFolder

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.models.weights import Manifest
    from pathview.training.judging.challenge import Challenge, Challenges
    from pathview.training.judging.choosing import Operating
    from pathview.training.judging.result import Result
    from pathview.training.measures.comparing import Comparison
    from pathview.training.measures.figures import Prediction
    from pathview.training.measures.folds import CrossValidation
    from pathview.training.measures.trials import Trials
    from pathview.training.runs.locked_uses import UseOfTest

NOT_TRAINED = "Nothing is trained yet: go back to Training and start it."
COMPARISON = "comparison.json"


@dataclass(frozen=True)
class Finished:
    """What is there; everything is of the model that is there now, or None."""

    manifest: Manifest | None = None
    result: Result | None = None
    predictions: tuple[Prediction, ...] = ()
    operating: Operating | None = None
    challenges: Challenges | None = None
    comparison: Comparison | None = None
    uses: tuple[UseOfTest, ...] = ()
    about_uses: str = ""
    """How often the test patients were looked at."""
    folds: CrossValidation | None = None
    about_folds: str = ""
    """Why there is no cross-validation."""
    trials: Trials | None = None
    about_trials: str = ""
    """Why there are no trials."""

    @property
    def failed(self) -> tuple[Challenge, ...]:
        """The challenges that the model did not stand."""
        found = self.challenges.challenges if self.challenges is not None else ()
        return tuple(one for one in found if one.passed is False)

    @property
    def doubt(self) -> str:
        """How many challenges the model did not stand, in a sentence; empty: none."""
        all_ = self.challenges.challenges if self.challenges is not None else ()
        return f"{len(self.failed)} of {len(all_)} challenges failed." if self.failed else ""

    def retold(self, notices: Iterable[str]) -> str:
        """Notices of an earlier look, a line each, with how often the test patients were looked at by now."""
        from pathview.training.runs.locked_uses import is_told

        return "\n".join([*(notice for notice in notices if not is_told(notice)), self.about_uses])

    @property
    def trained(self) -> bool:
        """Whether there is a model."""
        return self.manifest is not None


def read_finished(folder: RunFolder, settings: Settings) -> Finished:
    """Read it; what is of a model that was trained anew since is left out.

    Raises:
        DataError, ModelError: something is damaged.
    """
    from pathview.models.weights import MANIFEST, read_manifest
    from pathview.training.judging.choosing import OPERATING, read_operating
    from pathview.training.judging.result import read_predictions, read_result
    from pathview.training.measures.comparing import Comparison
    from pathview.training.measures.folds import folds_of
    from pathview.training.measures.trials import trials_of
    from pathview.training.runs.locked_uses import told, uses_of_test
    from pathview.training.runs.run_folder import RESULT

    uses, (folds, about_folds) = uses_of_test(folder), folds_of(folder)
    if not (folder.model / MANIFEST).is_file():
        return Finished(uses=uses, about_uses=told(uses), about_folds=about_folds)
    manifest = read_manifest(folder.model)
    result = read_result(folder) if folder.has(RESULT) else None
    operating = read_operating(folder) if folder.has(OPERATING) else None
    comparison = folder.read(COMPARISON, Comparison) if folder.has(COMPARISON) else None
    sha256 = manifest.sha256
    seen = result is not None and result.sha256 == sha256
    return Finished(
        manifest,
        _titled(result, settings) if seen else None,
        read_predictions(folder) if seen else (),
        operating if operating is not None and operating.sha256 == sha256 else None,
        _challenges(folder, sha256),
        comparison if comparison is not None and comparison.new_sha256 == sha256 else None,
        uses,
        told(uses),
        folds,
        about_folds,
        *trials_of(folder),
    )


def read_doubt(folder: RunFolder) -> str:
    """:attr:`Finished.doubt` of the model that is there now; in a thread.

    Raises:
        DataError, ModelError: something is damaged.
    """
    from pathview.models.weights import MANIFEST, read_manifest

    if not (folder.model / MANIFEST).is_file():
        return ""
    manifest = read_manifest(folder.model)
    return Finished(manifest, challenges=_challenges(folder, manifest.sha256)).doubt


def _challenges(folder: RunFolder, sha256: str) -> Challenges | None:
    """The challenges of a model with these weights."""
    from pathview.training.judging.challenge import CHALLENGES, read_challenges

    found = read_challenges(folder) if folder.has(CHALLENGES) else None
    return found if found is not None and found.sha256 == sha256 else None


def _titled(result: Result | None, settings: Settings) -> Result | None:
    """A result whose base model has its title instead of its name."""
    from pathview.models.catalogue import Catalogue

    if result is None or result.base is None:
        return result
    base = result.base.model_copy(update={"name": Catalogue(settings).title(result.base.name)})
    return result.model_copy(update={"base": base})
