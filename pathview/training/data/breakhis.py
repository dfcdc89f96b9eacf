"""BreakHis as its authors publish it: everything is in the file names (Spanhol 2016; seed 1)."""

from __future__ import annotations

import re
from pathlib import Path

from pathview.training.data.samples import Sample

_NAME = re.compile(
    r"SOB_(?P<cls>[BM])_(?P<type>[A-Z]+)-(?P<year>\d+)-(?P<case>\d+)(?P<part>[A-Z]*)-(?P<mag>40|100|200|400)-(?P<seq>\d+)"
)
_TYPES = {
    "A": "adenosis",
    "F": "fibroadenoma",
    "PT": "phyllodes tumor",
    "TA": "tubular adenoma",
    "DC": "ductal carcinoma",
    "LC": "lobular carcinoma",
    "MC": "mucinous carcinoma",
    "PC": "papillary carcinoma",
}


def read_breakhis(folder: Path) -> list[Sample]:
    """All images of BreakHis below a folder, whatever folders they lie in; empty where there is none.

    ``SOB_B_TA-14-16184CD-400-024.png``: benign, tubular adenoma, slide 14-16184CD, 400x. The letters after a case's
    number tell its slides apart; the patient is the number, so that no two slides of one woman are ever split.
    Attributes: ``type``, ``slide``, ``magnification``.
    """
    samples = []
    for path in sorted(folder.rglob("SOB_*.png")):
        match = _NAME.fullmatch(path.stem)
        if match is None:
            continue
        patient = f"{match['year']}-{match['case']}"
        attributes = {
            "type": _TYPES.get(match["type"], match["type"]),
            "slide": patient + match["part"],
            "magnification": match["mag"],
        }
        samples.append(Sample(path, patient, int(match["cls"] == "M"), attributes=attributes))
    return samples
