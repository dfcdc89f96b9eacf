from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pathview.errors import OutputError
from pathview.export.rendering import RenderRequest, render_png
from pathview.settings import Settings
from tests.makers import breast_pixels, write_dicom

LEFT = breast_pixels(60, 40)


@pytest.fixture
def stored_mirrored(tmp_path: Path) -> Path:
    """A left MLO, stored with its chest wall at the right and its head down."""
    tags = {"ImageLaterality": "L", "ViewPosition": "MLO", "PatientOrientation": ["P", "H"]}
    return write_dicom(tmp_path / "a.dcm", LEFT[::-1, ::-1], **tags, WindowCenter=2048, WindowWidth=4096)


def rendered(path: Path, settings: Settings, **options) -> tuple[np.ndarray, dict]:
    out = path.with_suffix(".png")
    said = render_png(RenderRequest(path, out, **options), settings)
    with Image.open(out) as picture:
        return np.asarray(picture).astype(int), said


def test_that_a_mammogram_is_rendered_as_it_hangs(stored_mirrored: Path, settings: Settings) -> None:
    shown, said = rendered(stored_mirrored, settings)
    stored, unsaid = rendered(stored_mirrored, settings, as_stored=True)
    assert np.array_equal(shown, stored[::-1, ::-1])
    assert np.abs(shown - LEFT / 4095 * 255).max() <= 1
    assert said["turn"] == {"transpose": False, "mirror_x": True, "mirror_y": True}
    assert unsaid["turn"] == {"transpose": False, "mirror_x": False, "mirror_y": False}


def test_that_a_region_is_in_stored_pixels(stored_mirrored: Path, settings: Settings) -> None:
    whole, _ = rendered(stored_mirrored, settings, as_stored=True)
    part, said = rendered(stored_mirrored, settings, region=(20, 10, 15, 30))
    assert np.array_equal(part, whole[10:40, 20:35][::-1, ::-1])
    assert said["region"] == [20, 10, 15, 30]


def test_that_a_transposed_mammogram_is_rendered_upright(tmp_path: Path, settings: Settings) -> None:
    tags = {"ImageLaterality": "L", "ViewPosition": "MLO", "PatientOrientation": ["F", "A"]}
    path = write_dicom(tmp_path / "a.dcm", LEFT.T, **tags)
    shown, said = rendered(path, settings, side=30)
    assert shown.shape == (30, 20)
    assert (said["width"], said["height"]) == (20, 30)


def test_that_an_image_is_never_overwritten_by_its_picture(stored_mirrored: Path, settings: Settings) -> None:
    before = stored_mirrored.read_bytes()
    with pytest.raises(OutputError, match=r"a\.dcm is the image itself"):
        render_png(RenderRequest(stored_mirrored, stored_mirrored.parent / "." / "a.dcm"), settings)
    assert stored_mirrored.read_bytes() == before
