"""What all networks share. Keras is imported inside the build functions only."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Options of one network; frozen, and unknown ones are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class InputShape:
    """Rows, columns and channels that a network sees; None where any number will do."""

    height: int | None
    width: int | None
    channels: int
