"""Files in TOML that a hospital may write itself, as models: what is wrong is a sentence that names file and field."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from pathview.errors import PathViewError

Model = TypeVar("Model", bound=BaseModel)


def read_model(path: Path, model: type[Model], thing: str, error: type[PathViewError]) -> Model:
    """Read one file.

    Args:
        path: of the file.
        model: that its fields make.
        thing: what such a file is, in two words; the second one names the whole file where no field is to blame.
        error: to raise.

    Raises:
        PathViewError: an ``error``: unreadable, no TOML, or a field is wrong.
    """
    try:
        status = path.stat()
    except OSError as missing:
        raise error(f"The {thing} {path.name} cannot be read.") from missing
    kinds: Any = (model, thing, error)  # classes are hashable, though mypy denies it
    return cast("Model", _read(path, (status.st_mtime_ns, status.st_size), *kinds))


def read_all(
    folders: Iterable[Path], load: Callable[[Path], Model], error: type[PathViewError]
) -> tuple[list[Model], tuple[str, ...]]:
    """What ``load`` makes of each file of folders, in their order, and a sentence for each file that is wrong."""
    found, problems = [], []
    for folder in folders:
        for path in sorted(folder.glob("*.toml")):
            try:
                found.append(load(path))
            except error as wrong:
                problems.append(str(wrong))
    return found, tuple(problems)


@lru_cache(maxsize=256)
def _read(
    path: Path, version: tuple[int, int], model: type[BaseModel], thing: str, error: type[PathViewError]
) -> BaseModel:
    """Kept, since every case asks for all of them; ``version`` makes a changed file a new entry."""
    try:
        return model.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as unreadable:
        raise error(f"The {thing} {path.name} cannot be read.") from unreadable
    except RecursionError as deep:
        raise error(f"The {thing} {path.name} is nested too deeply.") from deep
    except tomllib.TOMLDecodeError as wrong:
        raise error(f"The {thing} {path.name} is not valid TOML: {wrong}.") from wrong
    except ValidationError as wrong:
        first = wrong.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or thing.split()[-1]
        told = first["msg"].removeprefix("Value error, ")
        raise error(f"The {thing} {path.name} is wrong at {place}: {told}.") from wrong
