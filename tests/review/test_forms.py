from __future__ import annotations

from pathlib import Path

import pytest

from pathview.errors import FormError
from pathview.review.records.forms import Form, find_forms, load_form
from pathview.settings import Settings

OWN = """
name = "own"
title = "Our own"
[[fields]]
name = "verdict"
title = "Verdict"
kind = "choice"
required = true
options = [
    { value = "yes", title = "Yes", key = "y", decision = "positive" },
    { value = "no", title = "No", key = "n", decision = "negative" },
]
[[fields]]
name = "sure"
title = "Sure"
kind = "number"
minimum = 0
maximum = 100
[[fields]]
name = "remark"
title = "Remark"
kind = "text"
"""


def own(settings: Settings, text: str = OWN, name: str = "own.toml") -> Path:
    folder = settings.data_dir / "forms"
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def form(settings: Settings) -> Form:
    return load_form(own(settings))


def test_that_bundled_forms_are_sound() -> None:
    forms = find_forms(Settings())
    assert (set(forms.by_name), forms.problems) == ({"simple", "mammography", "histology"}, ())


@pytest.mark.parametrize(
    ("category", "decision"),
    [
        *((category, "negative") for category in ("1", "2")),
        *((category, "positive") for category in ("0", "3", "4A", "4B", "4C", "5", "6")),
    ],
)
def test_that_bi_rads_is_counted_as_in_the_audit_of_screening(category: str, decision: str) -> None:
    mammography = find_forms(Settings()).form("mammography")
    assert mammography.decision({"birads": category}) == decision
    assert "ACR BI-RADS Atlas" in mammography.source


def test_that_every_bundled_choice_has_a_key() -> None:
    for form in find_forms(Settings()).by_name.values():
        assert all(option.key for field in form.fields for option in field.options)


def test_that_whatever_is_missing_or_wrong_is_a_sentence(form: Form) -> None:
    assert form.check({"verdict": "yes", "sure": 70, "remark": "dense"}) == ()
    assert form.check({}) == ("Verdict is not filled in.",)
    assert form.check({"verdict": "maybe"}) == ("Verdict is one of yes, no, not 'maybe'.",)
    assert form.check({"verdict": "no", "sure": 101}) == ("Sure lies between 0 and 100, not at 101.",)
    assert "is a number" in form.check({"verdict": "no", "sure": True})[0]
    assert "is a number" in form.check({"verdict": "no", "sure": float("nan")})[0]
    assert "is a text" in form.check({"verdict": "no", "remark": 3})[0]
    assert "has no field 'colour'" in form.check({"verdict": "no", "colour": "red"})[0]
    with pytest.raises(FormError, match="not filled in"):
        form.decision({"sure": 5})


def test_that_typed_answers_are_read_by_their_fields(form: Form) -> None:
    assert form.parsed({"verdict": "YES", "sure": "70", "remark": "Dense"}) == {
        "verdict": "yes", "sure": 70.0, "remark": "Dense",
    }  # fmt: skip
    assert form.check(form.parsed({"verdict": "yes", "sure": "much"})) == ("Sure is a number, not 'much'.",)


def test_that_a_hospitals_own_form_takes_the_place_of_a_bundled_one(settings: Settings) -> None:
    own(settings, OWN.replace('name = "own"', 'name = "histology"'))
    assert find_forms(settings).form("histology").title == "Our own"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("name = [", "not valid TOML"),
        (OWN.replace('title = "Our own"', "titel = 3"), "is wrong at title"),
        (OWN.replace('kind = "text"', 'kind = "text"\ndefault = "dense"'), "is wrong at fields.2.default"),
        (OWN.replace('kind = "text"', 'kind = "choice"'), "must have options"),
        (OWN.replace(', decision = "negative"', ""), "each of its options needs a decision"),
        (OWN.replace("required = true", ""), "it is required"),
        (OWN.replace(', decision = "negative"', "").replace(', decision = "positive"', ""), "exactly one field"),
        (OWN.replace('key = "n"', 'key = "Y"'), "have the same key"),
        (OWN.replace('value = "no"', 'value = "yes"'), "have the same value"),
        (OWN.replace('name = "remark"', 'name = "sure"'), "same name"),
        (OWN.replace('kind = "text"', 'kind = "text"\nmaximum = 3'), "no number"),
        ("[[a]]\n" * 3, "is wrong at"),
    ],
)
def test_that_a_wrong_file_is_one_sentence_and_is_left_out(settings: Settings, wrong: str, told: str) -> None:
    own(settings, wrong)
    forms = find_forms(settings)
    assert "simple" in forms.by_name
    assert "own" not in forms.by_name
    (problem,) = forms.problems
    assert problem.startswith("The assessment form own.toml")
    assert told in problem
    with pytest.raises(FormError, match="no assessment form 'own' that can be used; there are"):
        forms.form("own")


def test_that_bytes_that_are_no_text_are_told(settings: Settings) -> None:
    own(settings).write_bytes(b"\xff\xfe\x00")
    assert find_forms(settings).problems == ("The assessment form own.toml cannot be read.",)


def test_that_a_file_that_changed_is_read_again(settings: Settings) -> None:
    path = own(settings)
    assert load_form(path).title == "Our own"
    path.write_text(OWN.replace("Our own", "Theirs, and longer"), encoding="utf-8")
    assert load_form(path).title == "Theirs, and longer"


def test_that_gaps_and_a_side_without_image_are_doubted() -> None:
    form = find_forms(Settings()).form("mammography")
    whole = {"birads": "4C", "density": "a", "laterality": "left", "confidence": "2"}
    assert form.doubts(whole, {"L", "R"}) == ()
    assert form.doubts(whole, ()) == ()
    assert form.doubts(whole, {"R"}) == ("The case has no image of the left side.",)
    assert form.doubts(whole | {"laterality": "none"}, {"R"}) == ()
    assert form.doubts({"birads": "1", "density": "b", "laterality": "none"}, {"R"}) == ("Confidence: not filled in.",)
