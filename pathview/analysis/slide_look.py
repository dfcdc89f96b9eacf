"""A network on a slide: tile by tile, only over tissue, kept as it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Any

from pathview.analysis import uncertainty
from pathview.analysis.slide_fine import Fields, Outline
from pathview.analysis.slide_heat import explain_slide
from pathview.analysis.slide_run import Patches, batch_size, run_patches
from pathview.analysis.slide_tiles import Bools, CellReader, TissueShares, cell_grid, tissue_to_analyse
from pathview.analysis.windows import check_stride
from pathview.errors import NotAnalysable
from pathview.images.digest import fingerprint
from pathview.images.source import ImageSource
from pathview.images.stain import normalised
from pathview.images.stain_sample import stains_of
from pathview.jobs import CancelToken, Progress, ProgressSink, part_of
from pathview.models.backend import Network
from pathview.results.growing_map import Cells
from pathview.results.mask import MaskStats
from pathview.results.result import Flag, ScoreMap, Stage
from pathview.results.tile_files import trim
from pathview.results.tile_table import Plan, TileStatus, TileTable, table_name
from pathview.settings import Settings

_METHOD = 1
"""Raised whenever the same slide, recipe and weights would give other numbers than before."""


@dataclass(frozen=True)
class _Laid:
    """How the tiles of a slide lie."""

    tissue: float
    """Share of the slide."""
    patches: Patches
    outline: Outline | None
    """Of a segmentation network."""
    fields: Fields | None
    """That overlap, where a stride is asked for."""

    @property
    def wanted(self) -> Bools:
        """Which tiles show tissue, bool [rows, columns]."""
        return self.patches.wanted if self.outline is None else self.outline.wanted

    @property
    def total(self) -> int:
        """How many tiles do."""
        return int(self.wanted.sum())

    def plan(self) -> Plan:
        """For the tile table."""
        grid = self.patches.reader.grid
        if self.outline is not None:
            return Plan(None, self.outline.cells, self.total)
        return Plan(Cells(grid.shape, grid.place), None if self.fields is None else self.fields.cells, self.total)


class SlideLook:
    """A patch classifier or a segmentation network over the tiles of a slide.

    The score is the recipe's own rule on the tiles side by side that show tissue and can be read; a finer map leaves it
    as it is.
    """

    within_breast = False

    def __init__(
        self,
        source: ImageSource,
        network: Network,
        frame: int,
        stride: int | None,
        image_sha256: str,
        settings: Settings | None,
        resume: bool = True,
    ) -> None:
        """Prepare a slide.

        Args:
            source: the slide.
            network: what looks at it.
            frame: 0-based.
            stride: working pixels between fields that overlap; None: side by side.
            image_sha256: of the slide's file.
            settings: where tables are kept; None: in memory only.
            resume: whether what was done before is taken over.

        Raises:
            NotAnalysable: it does not fit the recipe, or the recipe not the stride.
        """
        recipe = network.recipe
        self._source, self._network, self.stride = source, network, stride
        self.threshold = recipe.decision.threshold
        self._settings, self._resume = settings, resume
        self._name = table_name(image_sha256, recipe.name, network.weights_sha256, stride)
        self._identity = self._made_of(image_sha256, frame)
        self._reader = CellReader(source, cell_grid(source.info, recipe, frame), frame)
        if stride is not None:
            check_stride(recipe, stride)
        self._counts: dict[TileStatus, int] = {}
        self._resumed = 0
        self._coarse: ScoreMap | None = None
        self.stain_reason = ""
        """Why its stains were not normalised though the recipe asks for it, to be put after "because"."""
        self._laid: _Laid | None = None

    def _layout(self, cancel: CancelToken) -> _Laid:
        """Find tissue and lay out tiles, once.

        Raises:
            NotAnalysable: it shows no tissue, or there are too many fields.
            ImageError: the file cannot be read any more.
            Cancelled: after the user cancelled.
        """
        if self._laid is None:
            tissue = tissue_to_analyse(self._source, cancel)
            if self._network.recipe.input.stain:
                stains, self.stain_reason = stains_of(self._source, tissue, cancel)
                self._reader.adjust = partial(normalised, stains=stains)
            shares = TissueShares(self._reader.grid, tissue)
            patches = Patches(self._reader, shares, self._network.recipe.input.equalise)
            outlines = self._network.recipe.task == "segmentation"
            outline = Outline(self._network, self._reader, shares) if outlines else None
            fields = None if self.stride is None else Fields(self._network, self._reader, shares, self.stride)
            self._laid = _Laid(tissue.share, patches, outline, fields)
        if not self._laid.total:
            raise NotAnalysable("it shows no tissue, only empty glass")
        return self._laid

    def probability(self, progress: ProgressSink, cancel: CancelToken) -> ScoreMap:
        """One cell a tile, a field or a pixel of the outline; NaN over glass and what cannot be read.

        Raises:
            Cancelled: what was finished until then is kept, and resumed by the next run.
            NotAnalysable: it shows no tissue, no tile can be read, or the network's output is not a number.
            ImageError: the file cannot be read any more.
            StoreError: what is finished cannot be kept.
        """
        progress(Progress(0, 0, "looking for tissue"))
        laid = self._layout(cancel)
        path = None if self._settings is None else self._settings.slides_dir / self._name
        with closing(TileTable(path, self._identity, self._resume)) as table:
            before = table.statuses()
            table.begin(laid.plan(), {"fingerprint": fingerprint(self._source.info.path)})
            with self._reader.quickly():
                self._run(laid, table, progress, cancel)
            after = table.statuses()
            self._counts = {status: list(after.values()).count(status) for status in set(after.values())}
            self._resumed = sum(status == "analysed" for status in before.values())
            self._check_any()
            table.finish()
            self._coarse, fine = table.maps()
        if path is not None and self._settings is not None:
            trim(path.parent, self._settings.slide_tables_bytes, keep=path)
        found = fine or self._coarse
        assert found is not None  # planned above
        return found

    def verdict(self, probability: ScoreMap, mask: MaskStats, cancel: CancelToken) -> uncertainty.Verdict:
        """The share of tissue tiles that reach the threshold; of an outline, the mask-sum rule."""
        recipe = self._network.recipe
        if self._coarse is None:
            return uncertainty.judge_map(probability, recipe.input, recipe.decision)
        return uncertainty.judge_patches(self._coarse, recipe.decision, mask.threshold, "tissue tiles")

    def flags(self, verdict: uncertainty.Verdict, probability: ScoreMap, mask: MaskStats) -> list[Flag]:
        """As of a smaller image, and how much was tissue and how much could not be read."""
        decision = self._network.recipe.decision
        if self._coarse is None:
            found = uncertainty.map_flags(verdict, mask)
        else:
            found = uncertainty.share_flags(verdict, self._coarse, decision, mask, "tiles")
        if self._coarse is not None and self.stride is not None:
            fine = uncertainty.judge_patches(probability, decision, mask.threshold)
            found += uncertainty.fine_flags(verdict, fine)
        counts = self.facts["tiles"]
        area = self.facts["tissue"]["area_mm2"]
        found += uncertainty.stain_flags(self.stain_reason)
        return found + uncertainty.slide_flags(counts["analysed"], counts["skipped"], counts["unreadable"], area)

    def stages(self) -> tuple[Stage, ...]:
        """None."""
        return ()

    def heatmaps(self, layers: Sequence[str], progress: ProgressSink, cancel: CancelToken) -> Mapping[str, ScoreMap]:
        """Put together as the tiles lie, brought down to what a screen shows; see :mod:`.slide_heat` for one tile."""
        if not layers:
            return {}
        laid = self._layout(cancel)
        with self._reader.quickly():
            return explain_slide(self._network, laid.patches, laid.outline, layers, progress, cancel)

    @property
    def facts(self) -> Mapping[str, Any]:
        """How many tiles there were and what became of them, how much tissue, and the file of the tile table."""
        analysed, unreadable = self._counts.get("analysed", 0), self._counts.get("unreadable", 0)
        laid, spacing, place = self._laid, self._source.info.spacing, self._reader.grid.place
        assert laid is not None  # asked for after the analysis
        area = None if spacing is None else laid.tissue * self._source.info.size.pixels * spacing.pixel_area_mm2
        return {
            "tiles": {
                "analysed": analysed,
                "skipped": laid.wanted.size - analysed - unreadable,
                "unreadable": unreadable,
                "resumed": self._resumed,
            },
            "tissue": {"share": round(laid.tissue, 4), "area_mm2": None if area is None else round(area, 3)},
            "tile_px": [place.cell_width, place.cell_height],
            "tile_table": None if self._settings is None else self._name,
        }

    def _made_of(self, image_sha256: str, frame: int) -> dict[str, Any]:
        """All that decides the numbers."""
        network = self._network
        return {
            "method": _METHOD,
            "image": image_sha256,
            "recipe": network.recipe.digest,
            "weights": network.weights_sha256,
            "computes": [network.runtime, network.device, network.precision],
            "frame": frame,
            "mpp_um": self._source.info.mpp_um,
            "stride": self.stride,
            "batch": batch_size(network),
        }

    def _run(self, laid: _Laid, table: TileTable, progress: ProgressSink, cancel: CancelToken) -> None:
        if laid.outline is not None:
            laid.outline.run(table, progress, cancel)
        elif laid.fields is None:
            run_patches(self._network, laid.patches, table, progress, cancel)
        else:
            run_patches(self._network, laid.patches, table, part_of(progress, 0, 2), cancel)
            laid.fields.run(table, part_of(progress, 1, 2, "fine map"), cancel)

    def _check_any(self) -> None:
        if self._counts.get("analysed"):
            return
        if unreadable := self._counts.get("unreadable", 0):
            raise NotAnalysable(f"none of its {unreadable:,} tiles of tissue can be read")
        raise NotAnalysable("it shows no tissue, only empty glass")
