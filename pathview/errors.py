"""Known errors: each carries one sentence that a user can act on.

Anything else that is raised is a bug: it is logged with its traceback and shown as one.
Messages name files by their base name at most; they never carry a patient's name or id.
"""

from __future__ import annotations


class PathViewError(Exception):
    """A known error; ``str(error)`` is the sentence for the user."""


class ImageError(PathViewError):
    """An image that cannot be read, with the reason."""


class NotAnalysable(PathViewError):
    """An image that was read but that the chosen recipe must not score, with the reason."""


class RecipeError(PathViewError):
    """A recipe file that is missing or wrong."""


class HangingError(PathViewError):
    """A hanging protocol that is missing or wrong."""


class FormError(PathViewError):
    """An assessment form that is missing or wrong, or that is not filled in as it must be."""


class ReadingError(PathViewError):
    """What the reading protocol does not allow: to see the model's result too early, to lock twice, and the like."""


class ModelError(PathViewError):
    """Weights that are missing, damaged, swapped or of another network."""


class DataError(PathViewError):
    """A data set that cannot be trained or evaluated on as it stands."""


class AnnotationError(PathViewError):
    """An annotation that cannot be read, or not be changed in this way."""


class StoreError(PathViewError):
    """The case store cannot be opened, read or written."""


class StoreInUseError(StoreError):
    """The case store is being written by somebody else, who is named."""


class DamagedStoreError(StoreError):
    """The case store is not as it was written; a backup may be."""


class UnconfirmedError(StoreError):
    """Something that is done only where it is asked for explicitly."""

    def __init__(self, fact: str, then: str, option: str) -> None:
        """Why it is asked for.

        Args:
            fact: why it was not done, a sentence without its full stop.
            then: what follows where it is done all the same, likewise.
            option: that asks for it on the command line.
        """
        self.fact, self.then = f"{fact}.", f"{then}."
        super().__init__(f"{fact}; nothing was changed. With {option} it is done, and {then}.")


class OutputError(PathViewError):
    """A file that was asked for cannot be written."""


class WorkerDied(PathViewError):
    """The child process ended in the middle of a job."""
