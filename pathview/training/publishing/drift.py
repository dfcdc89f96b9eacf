"""Whether what a model sees now is what it was trained on: scores, stains, pixel sizes, and how often it is overruled.

The unit is the patient. The population stability index (PSI) says how far two distributions are apart, Kolmogorov and
Smirnov's test (KS) whether chance would put them as far; a warning needs both, since with few patients PSI is large by
chance alone, and with many KS finds what does not matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import numpy as np

from pathview.compute.engine import Engine
from pathview.errors import ImageError, ModelError
from pathview.images.digest import fingerprint
from pathview.images.formats import open_image
from pathview.images.stain_sample import stains_of
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint, no_progress
from pathview.models.catalogue import Model
from pathview.models.registry import Registry
from pathview.results.statistics import Float, patient_weights, percentile_interval, quotient
from pathview.review.cases.recent import RecentAnalyses, RecentDecision, RecentImage, recent_analyses
from pathview.review.sql.database import Database
from pathview.settings import Settings
from pathview.training.publishing.light import LIGHT, SLIDE_LIGHT, is_slide, measured, why_not_compared
from pathview.training.publishing.reference import (
    SCORE,
    SHARE,
    SPACING,
    STAIN,
    Reference,
    read_reference,
    stain_numbers,
)
from pathview.training.runs.plan import Fields

Level = Literal["ok", "amber", "red", "too_few"]
ENOUGH = 20
"""Patients on both sides below which nothing is said."""
PSI_AMBER, PSI_RED = 0.1, 0.25
"""The usual limits of the index."""
P_AMBER, P_RED = 0.05, 0.01
OVERRULED_MORE = 0.1
"""By how much more often than in the test the model is surely overruled where that is red."""
_BINS, _BIN_PATIENTS, _DISTINCT = 10, 5, 10
_WORDS = {
    SCORE: "The scores",
    SHARE: "The scores (shares of positive places)",
    SPACING: "The pixel sizes",
    "haematoxylin": "The strength of haematoxylin",
    "eosin": "The strength of eosin",
    "stain angle": "The angle between the stains",
    LIGHT: "The brightness of the empty glass",
    SLIDE_LIGHT: "The brightness of the empty glass (slides)",
}
_TITLES = {
    SCORE: "Score",
    SHARE: "Share of positive places",
    SPACING: "Pixel size, µm",
    "haematoxylin": "Haematoxylin",
    "eosin": "Eosin",
    "stain angle": "Angle of the stains, degrees",
    LIGHT: "Brightness of the glass",
    SLIDE_LIGHT: "Brightness of the glass (slides)",
}
_ADVICE = {
    SCORE: "another mix of patients does this too",
    SHARE: "another mix of patients does this too",
    SPACING: "look for another scanner or setting",
}


class Drifted(Fields):
    """One quantity, then and now."""

    name: str
    level: Level
    sentence: str
    then_patients: int
    now_patients: int
    then_median: float | None = None
    now_median: float | None = None
    psi: float | None = None
    ks: float | None = None
    """Largest distance of the cumulative distributions, 0 to 1."""
    p: float | None = None
    """Of KS, corrected for the number of quantities (Holm)."""

    @property
    def title(self) -> str:
        """What a table calls it."""
        return _TITLES[self.name]


class Overruled(Fields):
    """How often readers decide otherwise than the model, which had said positive or negative."""

    level: Level
    sentence: str
    decisions: int
    patients: int
    rate: float | None = None
    low: float | None = None
    """Of the 95 % interval, patients drawn with replacement."""
    high: float | None = None
    expected: float | None = None
    """Share of its locked test images that the model called wrongly."""


class Drift(Fields):
    """All of it, for one model."""

    model: str
    version: int | None
    images: int
    quantities: tuple[Drifted, ...]
    overruled: Overruled
    notices: tuple[str, ...] = ()

    @property
    def level(self) -> Level:
        """The worst of all that can be told."""
        levels = [*(quantity.level for quantity in self.quantities), self.overruled.level]
        ranked: tuple[Level, ...] = ("red", "amber", "ok")
        return next((level for level in ranked if level in levels), "too_few")

    @property
    def sentences(self) -> tuple[str, ...]:
        """One for each quantity, the worst first."""
        order = ("red", "amber", "ok", "too_few")
        rows = [(row.level, row.sentence) for row in self.quantities]
        rows.append((self.overruled.level, self.overruled.sentence))
        return tuple(sentence for _, sentence in sorted(rows, key=lambda row: order.index(row[0])))


def drift(
    model: str,
    version: int | None,
    recent: RecentAnalyses,
    reference: Reference | None,
    settings: Settings,
    progress: ProgressSink,
    cancel: CancelToken,
) -> Drift:
    """Compare what was analysed lately with what a model was trained on; opens images for their stains (a job).

    Args:
        model: its name.
        version: its number.
        recent: see :func:`pathview.review.cases.recent.recent_analyses`.
        reference: see :mod:`pathview.training.publishing.reference`; None: the model came without one.
        settings: limits for images.
        progress: gets a step for each patient.
        cancel: is asked between patients.

    Raises:
        Cancelled: at a checkpoint.
    """
    notices = []
    then = measured(reference.values) if reference is not None else {}
    if reference is None:
        notices.append(f"{model} came without the numbers of its training, so that nothing can be compared with them.")
    now = _scores(recent.images) | _spacings(recent.images)
    if any(name in then for name in STAIN):
        now |= _stains(recent.images, settings, progress, cancel)
    if recent.hidden:
        notices.append(f"{recent.hidden:,} images are left out: their cases hide the model from you.")
    if reference is not None and reference.positives is not None:
        notices.append(f"Of the patients that its training kept for testing, {reference.positives:.0%} were positive.")
    pairs = {name: (then[name], now.get(name, ())) for name in _WORDS if then.get(name) and now.get(name)}
    return Drift(
        model=model,
        version=version,
        images=len(recent.images),
        quantities=(*compared(pairs), *_light_apart(then, now)),
        overruled=overruled(recent.decisions, reference.error if reference is not None else None),
        notices=tuple(notices),
    )


def drift_of(
    model: Model,
    database: Database,
    asker: str,
    last: int,
    engine: Engine,
    settings: Settings,
    progress: ProgressSink = no_progress,
    cancel: CancelToken | None = None,
) -> Drift:
    """Drift of a model's last analyses in a store; see :func:`drift`, which ``engine`` runs.

    Raises:
        ModelError: it has no weights.
        DataError: the numbers of its training are damaged.
        StoreError: the store cannot be read.
        Cancelled: at a checkpoint.
    """
    if model.manifest is None:
        raise ModelError(f"{model.name} has no weights, so that it has analysed nothing.")
    version = Registry(settings).version(model.name, model.version) if model.version else None
    reference = read_reference(version) if version is not None else None
    recent = recent_analyses(database, model.manifest.sha256, asker, last)
    found: Drift = engine.run(
        drift, model.name, model.version, recent, reference, settings, progress=progress, cancel=cancel
    )
    return found


def compared(pairs: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> tuple[Drifted, ...]:
    """Quantities then and now, a number a patient each; p values are corrected for how many there are."""
    enough = {name for name, both in pairs.items() if min(map(len, both)) >= ENOUGH}
    raw = {name: _ks(*map(_array, pairs[name])) for name in pairs if name in enough}
    corrected = _holm({name: p for name, (_, p) in raw.items()})
    return tuple(
        _drifted(name, _array(then), _array(now), raw[name][0], corrected[name])
        if name in enough
        else _untold(name, len(then), len(now))
        for name, (then, now) in pairs.items()
    )


def _untold(name: str, then: int, now: int) -> Drifted:
    sentence = f"{_WORDS[name]}: too few cases to tell ({now:,} patients now, {then:,} then; {ENOUGH} needed)."
    return Drifted(name=name, level="too_few", sentence=sentence, then_patients=then, now_patients=now)


def _light_apart(then: Mapping[str, Sequence[float]], now: Mapping[str, Sequence[float]]) -> list[Drifted]:
    """What stands for the light where it cannot be compared, though the stains were measured."""
    why = why_not_compared(then, now) if all(any(side.get(name) for name in STAIN) for side in (then, now)) else ""
    if not why:
        return []
    counts = [len(side.get(LIGHT, ())) + len(side.get(SLIDE_LIGHT, ())) for side in (then, now)]
    sentence = f"{_WORDS[LIGHT]} cannot be compared: {why}."
    return [Drifted(name=LIGHT, level="too_few", sentence=sentence, then_patients=counts[0], now_patients=counts[1])]


def _drifted(name: str, then: Float, now: Float, distance: float, p: float) -> Drifted:
    index = psi(then, now)
    level: Level = "ok"
    if index > PSI_AMBER and p < P_AMBER:
        level = "red" if index > PSI_RED and p < P_RED else "amber"
    medians = float(np.median(then)), float(np.median(now))
    return Drifted(
        name=name,
        level=level,
        sentence=_sentence(name, level, medians, index, p, len(now)),
        then_patients=len(then),
        now_patients=len(now),
        then_median=medians[0],
        now_median=medians[1],
        psi=index,
        ks=distance,
        p=p,
    )


def psi(then: Float, now: Float) -> float:
    """The population stability index over tenths of ``then`` (fewer of few patients; single values of few values).

    Half a patient is added to each bin, so that an empty one does not make it infinite.
    """
    distinct = np.unique(then)
    if len(distinct) <= _DISTINCT:
        edges = distinct
        places = [
            np.searchsorted(edges, values, "left") + np.searchsorted(edges, values, "right") for values in (then, now)
        ]
        count = 2 * len(edges) + 1
    else:
        bins = int(np.clip(min(len(then), len(now)) // _BIN_PATIENTS, 2, _BINS))
        edges = np.unique(np.quantile(then, np.linspace(0, 1, bins + 1)[1:-1]))
        places = [np.searchsorted(edges, values, "right") for values in (then, now)]
        count = len(edges) + 1
    counts = np.stack([np.bincount(place, minlength=count) for place in places]).astype(np.float64)
    counts = counts[:, counts.sum(axis=0) > 0] + 0.5
    shares = counts / counts.sum(axis=1, keepdims=True)
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())


def overruled(
    decisions: Sequence[RecentDecision], expected: float | None, runs: int = 2000, seed: int = 0
) -> Overruled:
    """How often readers overruled the model, beside how often it was wrong in its test."""
    patients = np.array([one.patient for one in decisions], np.str_)
    count = len(np.unique(patients))
    if count < ENOUGH:
        sentence = f"How often readers overrule it: too few cases to tell ({count:,} patients, {ENOUGH} needed)."
        return Overruled(
            level="too_few", sentence=sentence, decisions=len(decisions), patients=count, expected=expected
        )
    against = np.array([one.overridden for one in decisions], np.float64)
    drawn = np.concatenate([quotient(w @ against, w.sum(axis=1)) for w in patient_weights(patients, runs, seed)])
    low, high = percentile_interval(drawn)
    rate = float(against.mean())
    level: Level = "ok"
    if expected is not None and low > expected:
        level = "red" if low > expected + OVERRULED_MORE else "amber"
    told = f"Readers overrule it in {rate:.0%} ({low:.0%} to {high:.0%}) of {len(decisions):,} decisions"
    beside = f"; in its test it was wrong in {expected:.0%}" if expected is not None else ""
    ends = {
        "ok": ".",
        "amber": ": more often. Look at these cases.",
        "red": ": far more often. Measure it anew before it is relied on.",
    }
    return Overruled(
        level=level,
        sentence=f"{told}{beside}{ends[level]}",
        decisions=len(decisions),
        patients=count,
        rate=rate,
        low=low,
        high=high,
        expected=expected,
    )


def _sentence(name: str, level: Level, medians: tuple[float, float], index: float, p: float, patients: int) -> str:
    words = _WORDS[name]
    verb = "are" if name in (SCORE, SHARE, SPACING) else "is"
    numbers = f"median {medians[1]:.3g} now, {medians[0]:.3g} in training; PSI {index:.2f}, p {p:.2g}"
    if level == "ok":
        return f"{words} of the last {patients:,} patients {verb} as in training ({numbers})."
    advice = _ADVICE.get(name, "look for another stain, laboratory or scanner")
    if level == "amber":
        return f"{words} {verb} not quite as in training any more ({numbers}): {advice}."
    return f"{words} {verb} not as in training ({numbers}): {advice}; measure the model anew before it is relied on."


def _scores(images: Iterable[RecentImage]) -> dict[str, tuple[float, ...]]:
    """A mean a patient, of single scores and of shares of many places."""
    by_name: dict[str, list[RecentImage]] = defaultdict(list)
    for image in images:
        by_name[SHARE if image.score_name.startswith("share") else SCORE].append(image)
    return {name: _by_patient((one.patient, one.score) for one in found) for name, found in by_name.items()}


def _spacings(images: Iterable[RecentImage]) -> dict[str, tuple[float, ...]]:
    return {SPACING: _by_patient((one.patient, one.mpp_um) for one in images if one.mpp_um is not None)}


def _stains(
    images: Sequence[RecentImage], settings: Settings, progress: ProgressSink, cancel: CancelToken
) -> dict[str, tuple[float, ...]]:
    """Stains of one image of each patient, the newest whose file is still the one that was analysed."""
    firsts: dict[str, RecentImage] = {}
    for image in images:
        firsts.setdefault(image.patient, image)
    found: dict[str, list[float]] = defaultdict(list)
    for index, image in enumerate(firsts.values()):
        checkpoint(cancel)
        progress(Progress(index, len(firsts), "measuring stains"))
        for name, value in _stain_of(image, settings, cancel).items():
            found[name].append(value)
    return {name: tuple(values) for name, values in found.items()}


def _stain_of(image: RecentImage, settings: Settings, cancel: CancelToken) -> dict[str, float]:
    if image.fingerprint and fingerprint(image.path) != image.fingerprint:
        return {}
    try:
        source = open_image(image.path, settings)
        try:
            return stain_numbers(stains_of(source, cancel=cancel)[0], is_slide(source))
        finally:
            source.close()
    except ImageError:
        return {}


def _by_patient(pairs: Iterable[tuple[str, float]]) -> tuple[float, ...]:
    found: dict[str, list[float]] = defaultdict(list)
    for patient, value in pairs:
        found[patient].append(value)
    return tuple(float(f"{np.mean(values):.6g}") for values in found.values())


def _array(values: Sequence[float]) -> Float:
    return np.array(values, np.float64)


def _ks(then: Float, now: Float) -> tuple[float, float]:
    """Largest distance of the cumulative distributions, and how likely chance makes as large a one."""
    from scipy.stats import ks_2samp  # takes seconds to import

    found = ks_2samp(then, now)
    return float(found.statistic), float(found.pvalue)


def _holm(values: Mapping[str, float]) -> dict[str, float]:
    """Values of p corrected for their number (Holm 1979)."""
    found, largest = {}, 0.0
    for index, name in enumerate(sorted(values, key=lambda name: values[name])):
        largest = max(largest, min(1.0, values[name] * (len(values) - index)))
        found[name] = largest
    return found
