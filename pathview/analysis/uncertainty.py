"""From maps to a decision with three outcomes, and to flags that name their reason.

Measured on the data at hand, the plain margin and the mask's own score find errors as well as costlier
methods do, so they are the reasons; no guarantee is claimed across patients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pathview.analysis.predict import PatchGrid
from pathview.images.source import ImageInfo
from pathview.models.backend import Batch
from pathview.models.recipe import DecisionSpec, InputSpec, Recipe
from pathview.results.mask import MaskStats
from pathview.results.result import Flag, Label, ScoreMap, score_words

_NEVER_NEGATIVE = frozenset(
    {"one_frame", "part_of_a_field", "no_breast_found", "unreadable_parts", "fine_map_above", "implant"}
    | {"unreadable_tiles"}
)
_NAME = 60
"""Letters of a class' name that stand beside a score."""
_NEVER_SURE = "no_class_sure"
_NOT_CALLED = "so it is not called negative"


@dataclass(frozen=True)
class Verdict:
    """A score, the limits of its not-sure band, and what follows."""

    score: float
    name: str
    lower: float
    upper: float
    label: Label


def label_of(score: float, lower: float, upper: float) -> Label:
    """Negative below ``lower``, positive from ``upper`` on, not sure between."""
    if score >= upper:
        return "positive"
    return "negative" if score < lower else "not_sure"


def label_beside(label: Label, flags: Sequence[Flag]) -> Label:
    """The label of an image: not negative where a flag says that not all was seen, not sure where no class is sure."""
    codes = {flag.code for flag in flags}
    return "not_sure" if _NEVER_SURE in codes or (label == "negative" and codes & _NEVER_NEGATIVE) else label


def mask_sum(probability: ScoreMap, spec: InputSpec, side: int) -> float:
    """Seed 2's score: the sum of probabilities over the whole input, resampled to ``side`` x ``side``.

    Summed in double precision, since half precision or uint8 turns the seed's limit of 1e-4 into 0.
    Averaging over areas keeps the sum in proportion, so it is the map's sum scaled by the pixels.
    """
    total = float(np.nansum(probability.values, dtype=np.float64))
    input_pixels = max(probability.values.shape[0], spec.height) * max(probability.values.shape[1], spec.width)
    return total * float(side * side / input_pixels)


def judge_map(probability: ScoreMap, spec: InputSpec, decision: DecisionSpec) -> Verdict:
    """The mask-sum rule."""
    score = mask_sum(probability, spec, decision.sum_side)
    name = f"sum of probabilities over {decision.sum_side} x {decision.sum_side} pixels"
    return Verdict(score, name, decision.lower, decision.upper, label_of(score, decision.lower, decision.upper))


def judge_patches(probability: ScoreMap, decision: DecisionSpec, threshold: float, what: str = "patches") -> Verdict:
    """The margin rule: one patch by its probability, many by the share of positive ones; ``what`` is their name."""
    known = probability.values[~np.isnan(probability.values)]
    if known.size == 1:
        score = float(known[0])
        return Verdict(
            score, "probability", decision.lower, decision.upper, label_of(score, decision.lower, decision.upper)
        )
    score = float((known >= np.float32(threshold)).mean())
    lower, upper = decision.share
    return Verdict(score, f"share of {what} at {threshold:g} or more", lower, upper, label_of(score, lower, upper))


def class_words(outputs: Batch, recipe: Recipe) -> str:
    """Of one patch (outputs [1, classes]) of more than two classes: which is the most probable; else nothing."""
    if len(recipe.classes) <= 2 or len(outputs) != 1:
        return ""
    most, names = int(outputs[0].argmax()), [name[:_NAME] for name in recipe.classes]
    likelier = f"; {names[most]} is likelier ({outputs[0, most]:.2f})" if most < len(names) - 1 else ""
    return f" of {names[-1]}{likelier}"


def class_flags(outputs: Batch, recipe: Recipe) -> list[Flag]:
    """Of more than two classes: patches (outputs [n, classes]) whose most probable class does not reach the least."""
    least, most = recipe.decision.least, outputs.max(axis=-1)
    unsure = int((most < least).sum()) if len(recipe.classes) > 2 else 0
    if not unsure:
        return []
    if len(outputs) == 1:
        named = recipe.classes[int(outputs[0].argmax())]
        sentence = f"Its most probable class, {named}, has {most[0]:.2f}, less than {least:.2f}: look for yourself."
        return [Flag(_NEVER_SURE, sentence)]
    sentence = f"Of {unsure:,} of {len(outputs):,} patches no class reaches {least:.2f}: look at those first."
    return [Flag("patches_of_no_class", sentence)]


def map_flags(verdict: Verdict, mask: MaskStats, breast_found: bool = True) -> list[Flag]:
    """Reasons to look at a segmented image."""
    flags = []
    if not breast_found:
        sentence = f"No breast stands out from its background, {_NOT_CALLED}: is it a mammogram?"
        flags.append(Flag("no_breast_found", sentence))
    if verdict.label == "not_sure":
        band = f"{score_words(verdict.lower)} and {score_words(verdict.upper)}"
        sentence = f"Score {score_words(verdict.score)} lies between {band}"
        where = "the partial mask is the place to look" if mask.area_px else "no pixel reaches the threshold"
        flags.append(Flag("score_in_band", f"{sentence}: {where}."))
    if verdict.label == "positive" and not mask.area_px:
        flags.append(Flag("empty_mask", f"The score is high but no pixel reaches the threshold {mask.threshold:g}."))
    return [*flags, *_mask_below_limit(verdict, mask)]


def _mask_below_limit(verdict: Verdict, mask: MaskStats) -> list[Flag]:
    if verdict.label != "negative" or not mask.area_px:
        return []
    return [Flag("mask_below_limit", f"The score is low, yet {len(mask.components)} place(s) reach the threshold.")]


def fine_flags(verdict: Verdict, fine: Verdict) -> list[Flag]:
    """Where the finer map of an image speaks against what its patches side by side say."""
    if verdict.label != "negative" or fine.score < verdict.lower:
        return []
    share = f"{fine.score:.2f} of the fine map reaches the threshold, {verdict.score:.2f} of the patches side by side"
    return [Flag("fine_map_above", f"{share}, {_NOT_CALLED}.")]


def patch_flags(
    verdict: Verdict, probability: ScoreMap, decision: DecisionSpec, grid: PatchGrid, mask: MaskStats
) -> list[Flag]:
    """Reasons to look at classified patches."""
    flags = share_flags(verdict, probability, decision, mask)
    if grid.mirrored:
        sentence = f"It is smaller than one field of the network and filled up by its mirror image, {_NOT_CALLED}."
        flags.append(Flag("part_of_a_field", sentence))
    if grid.skipped:
        flags.append(Flag("glass_left_out", f"{grid.skipped} fields are empty glass and were not scored."))
    return flags


def share_flags(
    verdict: Verdict, probability: ScoreMap, decision: DecisionSpec, mask: MaskStats, what: str = "patches"
) -> list[Flag]:
    """Reasons to look that lie in the probabilities of patches; ``what`` is their name."""
    flags = _mask_below_limit(verdict, mask)
    known = probability.values[~np.isnan(probability.values)]
    if verdict.label == "not_sure":
        sentence = f"Score {verdict.score:.2f} lies between {verdict.lower:.2f} and {verdict.upper:.2f}"
        flags.append(Flag("score_in_band", f"{sentence}: too near the limit to call."))
    uncertain = int(((known >= decision.lower) & (known < decision.upper)).sum())
    if known.size > 1 and uncertain:
        band = f"{decision.lower:.2f} and {decision.upper:.2f}"
        sentence = f"{uncertain:,} of {known.size:,} {what} lie between {band}: look at those first."
        flags.append(Flag("uncertain_patches", sentence))
    return flags


def slide_flags(analysed: int, skipped: int, unreadable: int, tissue_mm2: float | None) -> list[Flag]:
    """How much of a slide was seen: numbers of its tiles, and the area of what was analysed."""
    flags = []
    if unreadable:
        sentence = f"{unreadable:,} of {analysed + unreadable:,} tiles of tissue cannot be read, {_NOT_CALLED}."
        flags.append(Flag("unreadable_tiles", sentence))
    if skipped:
        area = "" if tissue_mm2 is None else f", {tissue_mm2:,.3g} mm²,"
        all_of_them = analysed + skipped + unreadable
        sentence = f"{analysed:,} of {all_of_them:,} tiles{area} show tissue; the rest is glass and was not scored."
        flags.append(Flag("glass_left_out", sentence))
    return flags


def stain_flags(reason: str) -> list[Flag]:
    """That stains were not normalised though the recipe asks for it: the reason, after "because"; empty: they were."""
    return [Flag("stain_not_normalised", f"Its stains were not normalised, because {reason}.")] if reason else []


def image_flags(info: ImageInfo, seen_part: str | None, frame: int) -> list[Flag]:
    """Reasons that lie in the image itself, not in the score of its frame."""
    flags = []
    if info.frames > 1:
        sentence = f"Only frame {frame + 1} of {info.frames} was analysed, {_NOT_CALLED}: the others may show more."
        flags.append(Flag("one_frame", sentence))
    if seen_part in ("train", "validation"):
        used = "trained on" if seen_part == "train" else "tuned on"
        flags.append(Flag("seen_in_training", f"This model was {used} this very image: its score proves nothing."))
    if info.spacing_source == "user" and info.mpp_um is not None:
        flags.append(Flag("pixel_size_stated", f"Its pixel size, {info.mpp_um:.3g} µm, was stated by a person."))
    if info.implant:
        flags.append(Flag("implant", f"An implant hides part of the breast, {_NOT_CALLED}."))
    if info.acquisition == "synthesised 2D":
        sentence = "It is synthesised from tomosynthesis slices, and models are trained on plain 2D images."
        flags.append(Flag("synthesised", sentence))
    if info.phantom:
        flags.append(Flag("phantom", "This is a phantom, not a patient."))
    if any("cannot be read" in notice for notice in info.notices):
        flags.append(Flag("unreadable_parts", f"Parts of the image could not be read or scored, {_NOT_CALLED}."))
    return flags
