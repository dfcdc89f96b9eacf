"""Settings, and the only place that knows where resources and the user's data lie."""

from __future__ import annotations

import getpass
import os
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

APP_NAME = "PathView"
INVESTIGATIONAL = "Investigational use only: not for diagnosis"


def resource_dir() -> Path:
    """Recipes, bundled models, templates and styles: inside the wheel, or beside the package in a checkout.

    ``PATHVIEW_RESOURCES`` takes their place (a hospital's own set, tests).
    """
    override = os.environ.get("PATHVIEW_RESOURCES")
    if override:
        return Path(override)
    inside = Path(__file__).parent / "resources"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "resources"


def user_data_dir() -> Path:
    """Where the user's store and models live; ``PATHVIEW_HOME`` moves it (tests, shared stations)."""
    override = os.environ.get("PATHVIEW_HOME")
    return Path(override) if override else Path(platformdirs.user_data_dir(APP_NAME, appauthor=False))


def login_name() -> str:
    """Who is logged in, where nobody said who reads."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return "reader"


@dataclass(frozen=True)
class Settings:
    """Everything adjustable that is not a recipe; frozen, made once by the edge that starts the program."""

    data_dir: Path = field(default_factory=user_data_dir)
    """The user's folder: store, trained and imported models, samples, log."""

    resources: Path = field(default_factory=resource_dir)
    """Read-only files that come with the program."""

    max_image_bytes: int = 4 * 2**30
    """Largest decoded frame that is read into memory; a header that promises more is refused (4 GiB:
    a 65535 x 32768 16-bit image still opens, a damaged header does not take the machine down)."""

    slide_region_pixels: int = 64 * 2**20
    """Largest region read from a slide at once; larger ones are read at a coarser level."""

    slide_tables_bytes: int = 2 * 2**30
    """Disk space for the tile tables of slides (about 100 bytes a tile); beyond it the oldest are removed. No result
    depends on them: they are what an interrupted analysis goes on from."""

    frame_cache_bytes: int = 1 * 2**30
    """Decoded frames of a multi-frame image that the child keeps: 1 GiB holds 39 frames of 3328 x 4096 pixels,
    or 630 of them four times coarser, which is what a screen shows."""

    runtime: str = field(default_factory=lambda: os.environ.get("PATHVIEW_RUNTIME") or "auto")
    """What computes scores: one of :data:`pathview.models.runtimes.RUNTIMES`; ``PATHVIEW_RUNTIME`` names another."""

    store: str = field(default_factory=lambda: os.environ.get("PATHVIEW_STORE", ""), repr=False)
    """The case store that is used when none is named: a file, or the address of a PostgreSQL database
    (``postgresql://NAME:PASSWORD@HOST/DATABASE``); empty: a file in the user's folder. ``PATHVIEW_STORE`` sets it."""

    tables: Path | None = None
    """Where tile tables of slides are kept; None: in the user's folder."""

    cancel_grace_s: float = 1.0
    """How long a cancelled child may take to reach a checkpoint before it is ended and restarted."""

    @property
    def store_place(self) -> Path | str:
        """The case store that is used when none is named: a file's path, or an address."""
        if "://" in self.store:
            return self.store
        return Path(self.store) if self.store else self.data_dir / "cases.sqlite"

    @property
    def slides_dir(self) -> Path:
        """Tile tables of slides; no file there holds the name of an image."""
        return self.tables or self.data_dir / "slides"

    @property
    def versions_dir(self) -> Path:
        """Versions of local models, a folder for each name, see :mod:`pathview.models.registry`."""
        return self.data_dir / "versions"

    @property
    def recipe_dirs(self) -> tuple[Path, ...]:
        """Folders of recipe files, the bundled ones first."""
        return (self.resources / "recipes", self.data_dir / "recipes")

    @property
    def hanging_dirs(self) -> tuple[Path, ...]:
        """Folders of hanging protocols, the bundled ones first."""
        return (self.resources / "hanging", self.data_dir / "hanging")

    @property
    def form_dirs(self) -> tuple[Path, ...]:
        """Folders of assessment forms, the bundled ones first."""
        return (self.resources / "forms", self.data_dir / "forms")

    @property
    def model_dirs(self) -> tuple[Path, ...]:
        """Folders of weights, the bundled ones first."""
        return (self.resources / "models", self.data_dir / "models")

    @property
    def graph_dirs(self) -> tuple[Path, ...]:
        """Folders of networks' graphs: those that come with the program, and the user's cache, which is written to."""
        return (self.resources / "graphs", self.data_dir / "cache" / "graphs")

    @property
    def log_path(self) -> Path:
        """The rotating log; holds no patient's name, id or file name."""
        return self.data_dir / "pathview.log"
