"""What a training has left in its folder, as the pages after it show it; read in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pathview.training.runs.run_folder import RunFolder

if TYPE_CHECKING:  # the window starts without the libraries of figures
    from pathview.models.weights import Manifest
    from pathview.training.judging.challenge import Challenge, Challenges
    from pathview.training.judging.choosing import Operating
    from pathview.training.judging.result import Result
    from pathview.training.measures.comparing import Comparison
    from pathview.training.measures.figures import Prediction
    from pathview.training.measures.folds import CrossValidation
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

    @property
    def trained(self) -> bool:
        """Whether there is a model."""
        return self.manifest is not None


def read_finished(folder: RunFolder) -> Finished:
    """Read it; what is of a model that was trained anew since is left out.

    Raises:
        DataError, ModelError: something is damaged.
    """
    from pathview.models.weights import MANIFEST, read_manifest
    from pathview.training.judging.challenge import CHALLENGES, read_challenges
    from pathview.training.judging.choosing import OPERATING, read_operating
    from pathview.training.judging.result import read_predictions, read_result
    from pathview.training.measures.comparing import Comparison
    from pathview.training.measures.folds import folds_of
    from pathview.training.runs.locked_uses import told, uses_of_test
    from pathview.training.runs.run_folder import RESULT

    uses, (folds, about_folds) = uses_of_test(folder), folds_of(folder)
    if not (folder.model / MANIFEST).is_file():
        return Finished(uses=uses, about_uses=told(uses), about_folds=about_folds)
    manifest = read_manifest(folder.model)
    result = read_result(folder) if folder.has(RESULT) else None
    operating = read_operating(folder) if folder.has(OPERATING) else None
    challenges = read_challenges(folder) if folder.has(CHALLENGES) else None
    comparison = folder.read(COMPARISON, Comparison) if folder.has(COMPARISON) else None
    sha256 = manifest.sha256
    seen = result is not None and result.sha256 == sha256
    return Finished(
        manifest,
        result if seen else None,
        read_predictions(folder) if seen else (),
        operating if operating is not None and operating.sha256 == sha256 else None,
        challenges if challenges is not None and challenges.sha256 == sha256 else None,
        comparison if comparison is not None and comparison.new_sha256 == sha256 else None,
        uses,
        told(uses),
        folds,
        about_folds,
    )
