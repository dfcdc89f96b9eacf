"""Where images hang: by what their headers say, whatever their names and order."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest

from pathview.errors import HangingError
from pathview.review.records.hanging import (
    FURTHER,
    NOT_STANDARD,
    HangingImage,
    HungStep,
    choose_protocol,
    find_protocols,
    hang,
    load_protocol,
    load_protocols,
)
from pathview.review.records.views import view_title
from pathview.settings import Settings

FOUR = [("R", "CC"), ("L", "CC"), ("R", "MLO"), ("L", "MLO")]


def an_image(number: int, side: str | None, view: str | None, *modifiers: str, **more) -> HangingImage:
    info = {"kind": "mammogram", "laterality": side, "view": view, "modifiers": list(modifiers), **more}
    return HangingImage.from_info(number, info)


def four(first: int = 0, **more) -> list[HangingImage]:
    return [an_image(first + number, *view, **more) for number, view in enumerate(FOUR)]


def hung(images, priors=()) -> tuple[str, tuple[HungStep, ...]]:
    protocol = choose_protocol(images, priors, load_protocols(Settings()))
    return protocol.name, hang(images, priors, protocol)


def grid(step: HungStep) -> list[int | None]:
    return [slot.image_id for slot in sorted(step.slots, key=lambda slot: (slot.row, slot.column))]


def step_of(steps, title: str) -> HungStep:
    return next(step for step in steps if step.title == title)


def shown(steps) -> set[int]:
    return {slot.image_id for step in steps for slot in step.slots if slot.image_id is not None and not slot.prior}


@pytest.mark.parametrize("order", list(itertools.permutations(range(4)))[:16])
def test_that_four_views_hang_the_same_in_any_order(order: tuple[int, ...]) -> None:
    images = [an_image(100 + place, *FOUR[number]) for place, number in enumerate(order)]
    name, steps = hung(images)
    assert name == "screening"
    views = {image.id: (image.laterality, image.view) for image in images}
    assert [views[number] for number in grid(steps[0])] == FOUR
    assert [step.title for step in steps] == [
        "All four views",
        "CC, both sides",
        "MLO, both sides",
        "Right breast",
        "Left breast",
    ]
    assert (steps[0].rows, steps[0].columns) == (2, 2)


def test_that_a_missing_view_leaves_a_named_empty_place() -> None:
    _, steps = hung([image for image in four() if image.id != 3])
    (empty,) = [slot for slot in steps[0].slots if slot.image_id is None]
    assert (empty.row, empty.column, empty.title, empty.laterality, empty.view) == (1, 1, "L MLO", "L", "MLO")
    _, steps = hung(four()[:2])
    assert "MLO, both sides" not in [step.title for step in steps]


def test_that_lateral_and_exaggerated_views_stand_in_for_missing_ones() -> None:
    images = [an_image(0, "R", "XCCL"), an_image(1, "L", "CC"), an_image(2, "R", "ML"), an_image(3, "L", "MLO")]
    images += [an_image(4, "L", "XCCL"), an_image(5, "L", "LM")]
    _, steps = hung(images)
    assert grid(steps[0]) == [0, 1, 2, 3]
    assert grid(step_of(steps, FURTHER)) == [5, 4]


def test_that_the_newest_wins_and_the_older_one_does_not_vanish() -> None:
    again = an_image(9, "R", "CC", acquired="2024-05-01T10:30:00", instance_key="a")
    images = [*four(acquired="2024-05-01T10:00:00", instance_key="z"), again]
    _, steps = hung(images)
    assert grid(steps[0]) == [9, 1, 2, 3]
    assert grid(steps[-1]) == [0]
    assert shown(steps) == {0, 1, 2, 3, 9}


def test_that_of_one_time_the_instance_decides_and_not_the_order() -> None:
    pair = [an_image(7, "R", "CC", instance_key="aa"), an_image(8, "R", "CC", instance_key="bb")]
    rest = four()[1:]
    first = {grid(hung([*order, *rest])[1][0])[0] for order in (pair, pair[::-1])}
    assert len(first) == 1


def test_that_raw_images_and_rolled_views_give_way_to_plain_ones() -> None:
    images = [*four(acquired="2024-01-01"), an_image(8, "R", "CC", for_processing=True, acquired="2024-06-01")]
    images.append(an_image(9, "L", "CC", "rolled lateral", acquired="2024-06-01"))
    _, steps = hung(images)
    assert grid(steps[0]) == [0, 1, 2, 3]


def test_that_spot_views_hang_beside_their_whole_view() -> None:
    images = [*four(), an_image(10, "R", "CC", "magnification"), an_image(11, "L", "ML", "spot compression")]
    images.append(an_image(12, "R", "CC", "magnification", "spot compression"))
    _, steps = hung(images)
    assert grid(steps[0]) == [0, 1, 2, 3]
    beside = [grid(step) for step in steps if step.title == "R CC: whole, part"]
    assert sorted(beside) == [[0, 10], [0, 12]]
    assert grid(step_of(steps, "L ML: whole, part")) == [3, 11]
    assert not any(step.title.startswith(FURTHER) for step in steps)


def test_that_tomosynthesis_hangs_beside_its_2d_view() -> None:
    images = [*four(), an_image(10, "R", "CC", acquisition="tomosynthesis")]
    images.append(an_image(11, "L", "MLO", acquisition="synthesised 2D"))
    _, steps = hung(images)
    assert grid(steps[0]) == [0, 1, 2, 3]
    assert grid(step_of(steps, "R CC: 2D, tomosynthesis")) == [0, 10]
    assert not [step for step in steps if step.title == "L CC: 2D, tomosynthesis"]
    assert grid(steps[-1]) == [11]


def test_that_a_study_of_tomosynthesis_alone_hangs_too() -> None:
    assert grid(hung(four(acquisition="tomosynthesis"))[1][0]) == [0, 1, 2, 3]


def test_that_implants_hang_in_two_rows_of_four() -> None:
    images = four(implant=True) + [an_image(4 + n, *view, "implant displaced") for n, view in enumerate(FOUR)]
    random.Random(1).shuffle(images)
    name, steps = hung(images)
    assert name == "implants"
    assert (steps[0].rows, steps[0].columns) == (2, 4)
    assert grid(steps[0]) == list(range(8))
    assert grid(step_of(steps, "CC, implants displaced")) == [4, 5]
    assert not any(step.title.startswith(FURTHER) for step in steps)


def test_that_one_breast_hangs_alone() -> None:
    name, steps = hung([an_image(0, "L", "MLO"), an_image(1, "L", "CC")])
    assert (name, [step.title for step in steps]) == ("one-side", ["Left breast"])
    assert grid(steps[0]) == [1, 0]


def test_that_priors_hang_below() -> None:
    priors = four(20, acquired="2022-01-01")
    name, steps = hung(four(acquired="2024-01-01"), priors)
    assert name == "screening"
    assert grid(step_of(steps, "CC, current over prior")) == [0, 1, 20, 21]
    whole = step_of(steps, "All current over all prior")
    assert (whole.rows, whole.columns, grid(whole)) == (2, 4, [0, 1, 2, 3, 20, 21, 22, 23])
    assert [slot.prior for slot in whole.slots] == [False] * 4 + [True] * 4
    assert not any("prior" in step.title for step in hung(four())[1])


def test_that_a_prior_without_the_view_makes_no_step_of_it() -> None:
    _, steps = hung(four(), [an_image(20, "R", "CC"), an_image(21, None, None)])
    assert grid(step_of(steps, "CC, current over prior")) == [0, 1, 20, None]
    assert not [step for step in steps if step.title == "MLO, current over prior"]
    assert shown(steps) == {0, 1, 2, 3}


@pytest.mark.parametrize("laterality", [None, "B", "", "left", 3, ["R"]])
def test_that_a_side_that_is_missing_or_nonsense_is_never_guessed(laterality) -> None:
    images = [*four()[1:], an_image(30, laterality, "CC")]
    _, steps = hung(images)
    assert grid(steps[0]) == [None, 1, 2, 3]
    assert grid(step_of(steps, FURTHER)) == [30]


def test_that_an_image_of_no_view_is_further() -> None:
    images = [*four(), an_image(30, "R", None), HangingImage.from_info(31, {"kind": "unreadable", "reason": "Cut."})]
    assert grid(hung(images)[1][-1]) == [30, 31]


def test_that_older_rows_without_the_new_fields_hang() -> None:
    infos = [{"kind": "mammogram", "laterality": side, "view": view} for side, view in FOUR]
    assert grid(hung([HangingImage.from_info(n, info) for n, info in enumerate(infos)])[1][0]) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["histology", "mammogram"])
def test_that_a_single_image_hangs_alone(kind: str) -> None:
    (step,) = hung([an_image(1, None, None, kind=kind)])[1]
    assert (step.rows, step.columns, grid(step)) == (1, 1, [1])


def test_that_histology_hangs_one_a_step() -> None:
    _, steps = hung([an_image(number, None, None, kind="histology") for number in range(3)])
    assert [grid(step) for step in steps] == [[0], [1], [2]]


def test_that_five_hundred_images_all_hang() -> None:
    chance = random.Random(5)
    sides, views = ["R", "L", None], ["CC", "MLO", "ML", "XCCL", None]
    words = [(), ("magnification",), ("implant displaced",), ("specimen",), ("cleavage",)]
    images = [
        an_image(n, chance.choice(sides), chance.choice(views), *chance.choice(words), instance_key=f"{n:03}")
        for n in range(500)
    ]
    _, steps = hung(images, four(1000))
    assert shown(steps) == set(range(500))
    last = [step for step in steps if step.title.startswith(FURTHER)]
    assert max(len(step.slots) for step in last) == 4
    assert {tuple(grid(step)) for step in last} == {
        tuple(grid(step)) for step in hung(images[::-1], four(1000))[1] if step.title.startswith(FURTHER)
    }


def test_that_the_plain_protocol_is_there_where_none_is(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, resources=tmp_path)
    protocol = choose_protocol(four(), (), load_protocols(settings))
    assert [grid(step) for step in hang(four(), (), protocol)] == [[0, 1, 2, 3]]


GOOD = """
name = "mine"
title = "Mine"
priority = 50
[[steps]]
title = "One"
rows = 1
columns = 2
slots = [
    { row = 0, column = 0, laterality = "L", views = ["CC"] },
    { row = 0, column = 1, laterality = "R", views = ["CC"], title = "The other" },
]
"""
TWICE = GOOD.replace("column = 1", "column = 0")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("steps = [", "not valid TOML"),
        (GOOD.replace("priority = 50", 'priority = "x"'), "wrong at priority"),
        (GOOD.replace('title = "Mine"', "titel = 1"), "wrong at"),
        (GOOD.replace('"L"', '"left"'), r"wrong at steps\.0\.slots\.0\.laterality"),
        (TWICE, "two places of 'One' lie at row 0, column 0"),
        (GOOD.replace("column = 1", "column = 2"), "row 0, column 2 of 'One' reaches beyond 1 x 2"),
        (GOOD.replace("column = 0", "column = 0, column_span = 2"), "two places"),
        (GOOD.replace("rows = 1", "rows = 0"), r"steps\.0\.rows"),
        (GOOD.replace("rows = 1", "rows = 1\nrepeat = true"), "needs an essential place"),
        (GOOD.replace("rows = 1", 'rows = 1\nneeds = ["luck"]'), "needs"),
        (
            GOOD.replace("column = 0", 'column = 0, modifiers = ["specimen"], without = ["specimen"]'),
            "both wanted and forbidden",
        ),
        (GOOD.split("[[steps]]")[0], "wrong at steps"),
        ("x = " + "[" * 5000, "not valid TOML|too deeply"),
        ("\0", "not valid TOML"),
    ],
)
def test_that_a_broken_protocol_is_one_sentence_and_the_others_load(text: str, said: str, settings: Settings) -> None:
    folder = settings.data_dir / "hanging"
    folder.mkdir()
    (folder / "bad.toml").write_text(text)
    (folder / "good.toml").write_text(GOOD)
    (folder / "latin.toml").write_bytes(b"name = '\xff'")
    (folder / "folder.toml").mkdir()
    with pytest.raises(HangingError, match=said) as error:
        load_protocol(folder / "bad.toml")
    assert str(error.value).startswith("The hanging protocol bad.toml")
    assert "\n" not in str(error.value)
    found = find_protocols(settings)
    assert [protocol.name for protocol in found.protocols] == ["mine", "implants", "one-side", "screening"]
    assert len(found.problems) == 3


def test_that_the_users_protocol_hangs_and_takes_the_place_of_a_bundled_one(settings: Settings) -> None:
    folder = settings.data_dir / "hanging"
    folder.mkdir()
    (folder / "mine.toml").write_text(GOOD.replace('"mine"', '"screening"'))
    protocols = load_protocols(settings)
    assert [protocol.title for protocol in protocols if protocol.name == "screening"] == ["Mine"]
    images = [*four()[2:], an_image(1, "L", "CC")]
    step = hang(images, (), choose_protocol(images, (), protocols))[0]
    assert [(slot.image_id, slot.title) for slot in step.slots] == [(1, "L CC"), (None, "The other")]


def test_that_a_wanted_modifier_is_not_forbidden(tmp_path: Path) -> None:
    path = tmp_path / "specimens.toml"
    path.write_text(GOOD.replace("column = 0", 'column = 0, modifiers = ["specimen"]'))
    step = hang([*four(), an_image(9, "L", "CC", "specimen")], (), load_protocol(path))[0]
    assert "specimen" in NOT_STANDARD
    assert grid(step) == [9, 0]


@pytest.mark.parametrize(
    ("info", "title"),
    [
        ({"laterality": "R", "view": "CC"}, "R CC"),
        ({"laterality": "L", "view": "MLO", "modifiers": ["magnification"]}, "L MLO, magnification"),
        ({"laterality": "L", "view": "CC", "acquisition": "tomosynthesis"}, "L CC, tomosynthesis"),
        ({"kind": "histology"}, ""),
    ],
)
def test_that_titles_tell_what_is_particular(info, title: str) -> None:
    assert view_title(info) == title
