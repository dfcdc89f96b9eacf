from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pathview.compute.engine import LocalEngine
from pathview.images.digest import fingerprint
from pathview.images.formats import open_image
from pathview.images.stain import REFERENCE
from pathview.images.stain_sample import stains_of
from pathview.jobs import never, no_progress
from pathview.models.catalogue import Model
from pathview.models.weights import Seen, write_model
from pathview.review.cases.recent import RecentAnalyses, RecentDecision, RecentImage
from pathview.review.records.case import NewImage
from pathview.review.sql.database import Database
from pathview.review.store import Store
from pathview.settings import Settings
from pathview.training.data.samples import Sample
from pathview.training.measures.figures import Prediction
from pathview.training.publishing.drift import ENOUGH, compared, drift, drift_of, overruled, psi
from pathview.training.publishing.reference import STAIN, Reference, looks_of, scores_of, stain_numbers
from tests.images.slides import tissue_pixels, write_pyramid
from tests.makers import tiny_unet_recipe
from tests.review.reading_makers import canary_result
from tests.training.runs import tissue, write_picture


def normal(count: int, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, count)


def one(then, now, name: str = "score"):
    return compared({name: (tuple(then), tuple(now))})[0]


def test_that_the_index_is_the_textbooks() -> None:
    then = np.repeat([1.0, 2.0], [60, 40])
    now = np.repeat([1.0, 2.0], [40, 60])
    a, b = 60.5 / 101, 40.5 / 101  # half a patient more in each of two bins
    assert psi(then, now) == pytest.approx(2 * (a - b) * np.log(a / b))
    assert psi(then, then) == 0.0


def test_that_a_new_pixel_size_is_seen_beside_ones_that_never_varied() -> None:
    found = one([70.0] * 50, [70.0] * 20 + [100.0] * 30, "spacing")
    assert found.level == "red"
    assert found.sentence.startswith("The pixel sizes are not as in training (median 100 now, 70 in training")
    assert "look for another scanner or setting" in found.sentence
    assert one([70.0] * 50, [70.0] * 50, "spacing").level == "ok"


@pytest.mark.parametrize(("shift", "level"), [(0.0, "ok"), (0.3, "amber"), (1.5, "red")])
def test_that_scores_that_moved_are_told_by_how_far(shift: float, level: str) -> None:
    found = one(normal(300), normal(150, shift, seed=1))
    assert found.level == level
    assert (found.then_patients, found.now_patients) == (300, 150)
    assert found.now_median - found.then_median == pytest.approx(shift, abs=0.3)


def test_that_chance_alone_seldom_warns_however_few_the_patients() -> None:
    warned = [one(normal(40, seed=seed), normal(25, seed=1000 + seed)).level != "ok" for seed in range(200)]
    large = [psi(normal(40, seed=seed), normal(25, seed=1000 + seed)) > 0.1 for seed in range(200)]
    assert np.mean(warned) < 0.08
    assert np.mean(large) > 0.3  # which is why the index alone does not warn


def test_that_too_few_cases_are_too_few_to_tell() -> None:
    found = one(normal(300), normal(ENOUGH - 1, 5))
    assert found.level == "too_few"
    assert found.sentence == "The scores: too few cases to tell (19 patients now, 300 then; 20 needed)."
    assert found.psi is None


def test_that_several_quantities_are_not_each_given_their_own_chance() -> None:
    then, now = tuple(normal(60)), tuple(normal(30, 1.2, seed=4))
    alone = compared({"eosin": (then, now)})[0]
    same = tuple(normal(60, seed=9))
    among = compared({"eosin": (then, now)} | dict.fromkeys(("haematoxylin", "light", "score"), (same, same)))[0]
    assert among.p == pytest.approx(4 * alone.p)


def decisions(count: int, overridden: float, each: int = 1) -> list[RecentDecision]:
    return [RecentDecision(f"p{i}", i < overridden * count) for i in range(count) for _ in range(each)]


@pytest.mark.parametrize(("share", "level"), [(0.1, "ok"), (0.22, "amber"), (0.5, "red")])
def test_that_overruling_more_often_than_the_test_was_wrong_is_told(share: float, level: str) -> None:
    found = overruled(decisions(100, share), expected=0.1)
    assert found.level == level
    assert found.rate == pytest.approx(share)
    assert found.low < share < found.high
    assert "in its test it was wrong in 10%" in found.sentence


def test_that_many_decisions_on_few_patients_are_few() -> None:
    assert overruled(decisions(10, 1.0, each=30), expected=0.1).level == "too_few"
    wide, often = overruled(decisions(40, 0.3), 0.1), overruled(decisions(40, 0.3, each=10), 0.1)
    assert often.high - often.low == pytest.approx(wide.high - wide.low, rel=0.2)


def recent(count: int, score: float = 0.0, images: int = 2, **more) -> RecentAnalyses:
    values = normal(count, score, seed=5)
    found = [
        RecentImage(f"p{i}", Path("/gone.png"), "", float(values[i]), more.get("name", "probability"), 70.0)
        for i in range(count)
        for _ in range(images)
    ]
    return RecentAnalyses(tuple(found), ())


def told(analyses: RecentAnalyses, reference: Reference | None):
    return drift("tiny", 2, analyses, reference, Settings(), no_progress, never())


def test_that_images_of_one_patient_count_once() -> None:
    reference = Reference(values={"score": tuple(normal(100)), "spacing": (70.0,) * 100})
    found = told(recent(15, 3.0, images=10), reference)
    assert [(row.name, row.level, row.now_patients) for row in found.quantities] == [
        ("score", "too_few", 15),
        ("spacing", "too_few", 15),
    ]
    assert found.level == "too_few"
    found = told(recent(60, 3.0), reference)
    assert {row.name: row.level for row in found.quantities} == {"score": "red", "spacing": "ok"}
    assert found.level == "red"
    assert found.sentences[0].startswith("The scores are not as in training")


def test_that_shares_are_held_against_shares() -> None:
    reference = Reference(values={"score": tuple(normal(100)), "share": tuple(normal(100, 3.0))})
    found = told(recent(60, 3.0, name="share of patches at 0.5 or more"), reference)
    assert [(row.name, row.level) for row in found.quantities] == [("share", "ok")]


def test_that_a_model_without_reference_says_so() -> None:
    found = told(recent(60), None)
    assert found.quantities == ()
    assert "came without the numbers of its training" in found.notices[0]


def test_that_stains_are_measured_on_the_files_that_were_analysed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    amounts = rng.uniform(0.2, 1.5, (80 * 80, 2))
    pixels = 240 * np.exp(-amounts @ np.array(REFERENCE.vectors))
    paths = [write_picture(tmp_path / f"{n}.png", pixels.reshape(80, 80, 3).astype(np.uint8)) for n in range(2)]
    own = stain_numbers(REFERENCE)
    images = [RecentImage(f"p{i}", paths[i % 2], fingerprint(paths[0]), 0.5, "p", None) for i in range(2)]
    write_picture(paths[1], tissue(4))  # another file now
    reference = Reference(values={name: (value,) * 30 for name, value in own.items()})
    found = told(RecentAnalyses(tuple(images), ()), reference)
    assert {row.name: row.now_patients for row in found.quantities} == dict.fromkeys(own, 1)
    trained = looks_of([Sample(paths[0], "p")], Settings(), no_progress, never())
    now = stain_numbers(stains_of(open_image(paths[0], Settings()))[0])
    assert trained == {name: (pytest.approx(value, rel=1e-4),) for name, value in now.items()}


def with_glass(lamp: int) -> np.ndarray:
    """Stained tissue beside empty glass that the lamp shines through: uint8 [50, 50, 3]."""
    amounts = np.random.default_rng(0).uniform(0.2, 1.5, (50 * 50, 2))
    pixels = (lamp * np.exp(-amounts @ np.array(REFERENCE.vectors))).reshape(50, 50, 3)
    pixels[:12] = lamp
    return pixels.astype(np.uint8)


def test_that_the_light_is_told_only_where_there_is_glass(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", with_glass(250))
    assert stain_numbers(stains_of(open_image(path, Settings()))[0])["light"] == 250
    assert set(stain_numbers(REFERENCE)) == set(STAIN)
    slide = write_pyramid(tmp_path / "slide.tif", tissue_pixels(800, 1200), mpp=4.0)
    (own,) = [name for name in looks_of([Sample(slide, "p")], Settings(), no_progress, never()) if "light" in name]
    assert own == "light of slides"
    assert stain_numbers(None) == {}


@pytest.mark.parametrize("then", [(), (240.0,) * 30])  # as references had it of patches without glass once
def test_that_the_light_of_patches_cut_out_of_tissue_is_not_held_against_that_of_slides(
    tmp_path: Path, then: tuple[float, ...]
) -> None:
    path = write_picture(tmp_path / "slide.png", with_glass(250))
    images = tuple(RecentImage(f"p{i}", path, fingerprint(path), 0.5, "p", None) for i in range(24))
    values = {name: (value,) * 30 for name, value in stain_numbers(REFERENCE).items()}
    found = {
        row.name: row for row in told(RecentAnalyses(images, ()), Reference(values=values | {"light": then})).quantities
    }
    assert found["light"].level == "too_few"
    assert found["light"].sentence == (
        "The brightness of the empty glass cannot be compared: the images that it was trained on show none."
    )
    slides = told(RecentAnalyses(images, ()), Reference(values=values | {"light of slides": (250.0,) * 30}))
    assert slides.quantities[-1].sentence == (
        "The brightness of the empty glass cannot be compared: it was trained on slides, and the newest images are "
        "patches or single images."
    )
    dimmer = told(RecentAnalyses(images, ()), Reference(values=values | {"light": (235.0,) * 30}))
    assert {row.name: row.level for row in dimmer.quantities}["light"] == "red"


def test_that_a_mosaic_has_the_stains_and_the_light_of_its_patches(tmp_path: Path) -> None:
    folder = tmp_path / "8863"
    paths = []
    for label, number in ((0, 1), (1, 5)):
        (folder / str(label)).mkdir(parents=True)
        paths.append(folder / str(label) / f"8863_idx5_x{101 + 50 * number}_y51_class{label}.png")
        write_picture(paths[-1], with_glass(230))
    trained = looks_of([Sample(path, "8863") for path in paths], Settings(), no_progress, never())
    image = RecentImage("8863", folder, "", 0.5, "p", None)
    found = told(RecentAnalyses((image,), ()), Reference(values={name: found * 30 for name, found in trained.items()}))
    now = stain_numbers(stains_of(open_image(folder, Settings()))[0])
    assert trained["light"] == (230.0,)
    assert now == {name: pytest.approx(values[0], rel=0.02) for name, values in trained.items() if name != "spacing"}
    assert {row.name: row.now_patients for row in found.quantities} == dict.fromkeys((*STAIN, "light"), 1)


def test_that_the_reference_has_a_number_a_patient_and_no_names() -> None:
    def row(patient: str, score: float) -> Prediction:
        return Prediction(
            part="test", file=Path("/a.png"), patient=patient, label=0, called=0, scores=(1 - score, score)
        )

    found = scores_of([row("CANARY", 0.2), row("CANARY", 0.6), row("b", 0.9)], 0.5)
    assert found == {"score": (0.4, 0.9), "share": (0.5,)}
    assert "CANARY" not in Reference(values=found).model_dump_json()


def test_that_the_store_tells_scores_and_overruling_of_the_model_asked_about(
    settings: Settings, tmp_path: Path
) -> None:
    store = Store(Database(tmp_path / "cases.sqlite"))
    store.worklists.set_mode(store.worklists.named("Mammograms").id, "assisted", "chief")
    folder = tmp_path / "tiny"
    facts = {"version": "0", "created": "now"}
    manifest = write_model(folder, tiny_unet_recipe(), {"a": np.ones(2, np.float32)}, Seen(), **facts)
    result = canary_result()
    own = replace(result, provenance=replace(result.provenance, weights_sha256=manifest.sha256))
    for number in range(24):
        image = NewImage(
            Path(f"/data/{number}.dcm"), {"kind": "mammogram", "mpp_um": 70.0, "patient_key": f"k{number}"}
        )
        case_id = store.add_case(f"case {number}", f"c{number}", "mammogram", [image], "a")
        outcome = own if number < 22 else result  # the last two by another model
        store.save_result(store.case(case_id).images[0].id, outcome, "a")
        store.decide(case_id, "negative" if number < 11 else "positive", "", "Ada")
    model = Model(manifest.recipe, folder, "trained", manifest)
    found = drift_of(model, store.database, "Ada", 500, LocalEngine(), settings)
    assert found.images == 22
    assert (found.overruled.decisions, found.overruled.rate) == (22, 0.5)
    assert drift_of(model, store.database, "Ada", 5, LocalEngine(), settings).images == 5
    store.worklists.set_mode(store.worklists.named("Mammograms").id, "blind", "chief")
    hidden = drift_of(model, store.database, "Bea", 500, LocalEngine(), settings)
    assert hidden.images == 0
    assert "22 images are left out" in hidden.notices[-1]
    store.close()
