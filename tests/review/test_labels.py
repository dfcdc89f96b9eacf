from __future__ import annotations

import json

import pytest

from pathview.errors import StoreError
from pathview.results.annotation import Mark
from pathview.review.cases.labels import Label
from pathview.review.records.case import NewImage
from pathview.review.store import Store


@pytest.fixture
def trail(rows):
    """What the audit trail says of labels, the oldest first."""

    def read() -> list[tuple]:
        found = rows("SELECT action, actor, detail FROM audit WHERE action LIKE '%label' ORDER BY id")
        return [(*row[:2], json.loads(row[2]) if isinstance(row[2], str) else row[2]) for row in found]

    return read


def test_that_a_new_store_has_labels_for_both_kinds_of_readers(store: Store, trail) -> None:
    labels = store.labels.all()
    names = [label.name for label in labels]
    assert {"mass", "calcification", "distortion", "tumour", "stroma", "lesion", "artefact"} <= set(names)
    assert len({label.color for label in labels}) == len(labels) == len(set(names))
    assert trail() == []


def test_that_a_label_is_made_and_comes_last(store: Store, trail) -> None:
    before = store.labels.all()
    made = store.labels.add("  skin   thickening ", "#AABBCC", "Dr A")
    assert made == Label("skin thickening", "#aabbcc")
    assert made.rgb == (170, 187, 204)
    assert store.labels.all() == (*before, made)
    assert trail() == [("add_label", "Dr A", {"label": "skin thickening", "color": "#aabbcc"})]


@pytest.mark.parametrize(
    ("name", "color", "told"),
    [
        ("", "#aabbcc", "1 to 80 characters"),
        ("x" * 81, "#aabbcc", "1 to 80 characters"),
        ("MASS", "#aabbcc", "a label 'mass' already"),
        ("new", "red", "not one like #e15759"),
        ("new", "#aabbccdd", "not one like"),
    ],
)
def test_that_a_label_that_is_none_is_refused(store: Store, trail, name: str, color: str, told: str) -> None:
    before = store.labels.all()
    with pytest.raises(StoreError, match=told):
        store.labels.add(name, color, "r")
    assert store.labels.all() == before
    assert trail() == []


def test_that_another_colour_is_audited(store: Store, trail) -> None:
    (before,) = (label for label in store.labels.all() if label.name == "mass")
    store.labels.recolor("mass", "#000001", "Dr A")
    assert Label("mass", "#000001") in store.labels.all()
    assert trail() == [("recolor_label", "Dr A", {"label": "mass", "before": before.color, "color": "#000001"})]
    with pytest.raises(StoreError, match="no label 'no such'"):
        store.labels.recolor("no such", "#000001", "r")


def test_that_a_renamed_label_is_renamed_on_all_its_marks(store: Store, trail, tmp_path) -> None:
    case_id = store.add_case("a", "a", "mammogram", [NewImage(tmp_path / "1.dcm", {})], "r")
    (image,) = store.case(case_id).images
    shown, removed = Mark("point", ((1, 1),), label="mass"), Mark("point", ((2, 2),), label="mass")
    other = Mark("point", ((3, 3),), label="stroma")
    store.marks.add_all(image.id, [shown, removed, other], "r", "test")
    store.marks.remove(removed.id, "r")
    store.labels.rename("mass", "Mass", "Dr A")
    store.marks.restore(removed.id, "r")
    labels = [stored.mark.label for stored in store.marks.of_case(case_id)[image.id]]
    assert labels == ["Mass", "Mass", "stroma"]
    assert trail() == [("rename_label", "Dr A", {"before": "mass", "label": "Mass", "marks": 2})]


def test_that_a_name_that_is_taken_is_not_given_again(store: Store, trail) -> None:
    with pytest.raises(StoreError, match="a label 'stroma' already"):
        store.labels.rename("mass", "Stroma", "r")
    with pytest.raises(StoreError, match="no label 'no such'"):
        store.labels.rename("no such", "x", "r")
    assert trail() == []
