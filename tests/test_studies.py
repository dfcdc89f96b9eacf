"""What belongs together: studies, patients, copies, priors; and how they hang on the command line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from pathview import cli
from pathview.compute.engine import LocalEngine
from pathview.review.records.case import NewImage
from pathview.review.records.grouping import grouped, without_copies
from pathview.review.sql.database import Database
from pathview.review.sql.tables import CaseTable
from pathview.review.store import Store
from pathview.session import AnalyseOptions, Session
from pathview.settings import Settings
from tests.makers import breast_pixels, write_dicom

CODES = {"CC": "399162004", "MLO": "399368009"}


@pytest.fixture
def session(settings: Settings, tmp_path: Path):
    engine = LocalEngine()
    found = Session(settings, engine, engine, Store(Database(tmp_path / "cases.sqlite")), reader="r")
    yield found
    found.close()


def a_view(path: Path, side: str, view: str, study: str = "1.2", patient: str = "A", **tags) -> Path:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = CODES[view], "SCT", view
    rows = {"StudyInstanceUID": study, "PatientID": patient, "StudyDate": "20240102", **tags}
    return write_dicom(path, breast_pixels(), ImageLaterality=side, ViewCodeSequence=[code], **rows)


def a_study(folder: Path, names=("a", "b", "c", "d"), **tags) -> list[Path]:
    views = [("L", "MLO"), ("R", "CC"), ("R", "MLO"), ("L", "CC")]
    return [a_view(folder / f"{name}.dcm", *view, **tags) for name, view in zip(names, views, strict=True)]


def titles(session: Session, case_id: int) -> list[str]:
    return [image.title for image in session.cases.case(case_id).images]


def test_that_a_study_is_one_case_in_reading_order(session: Session, tmp_path: Path) -> None:
    a_study(tmp_path / "visit")
    added = session.add([tmp_path / "visit"])
    (case_id,) = added.case_ids
    assert added.problems == ()
    assert titles(session, case_id) == ["R CC", "L CC", "R MLO", "L MLO"]
    case = session.cases.case(case_id).case
    assert (case.title, case.study_date, case.images) == ("visit", "2024-01-02", 4)


def test_that_studies_of_one_folder_are_told_apart_by_date(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "cd"
    a_study(folder, "abcd", study="1.1", patient="A", StudyDate="20240102")
    a_study(folder, "efgh", study="1.2", patient="A", StudyDate="20220102")
    a_study(folder, "ijkl", study="1.3", patient="B", StudyDate="20240102")
    ids = session.add([folder]).case_ids
    cases = [session.cases.case(case_id) for case_id in ids]
    assert [case.case.title for case in cases] == ["cd, 2024-01-02", "cd, 2022-01-02", "cd, 2024-01-02 (2)"]
    assert [len(case.images) for case in cases] == [4, 4, 4]
    assert len({case.patient_key for case in cases}) == 2
    assert session.add([folder]).case_ids == ids


def test_that_one_study_number_of_two_patients_is_two_cases(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    a_study(folder, "abcd", patient="A")
    a_study(folder, "efgh", patient="B")
    added = session.add([folder])
    assert len(added.case_ids) == 2
    (told,) = added.problems
    assert "one study number for several patients" in told
    for case_id in added.case_ids:
        case = session.cases.case(case_id)
        assert {image.info["patient_key"] for image in case.images} == {case.patient_key}
    assert set(session.add([folder]).case_ids) == set(added.case_ids)
    assert sum(session.cases.worklists.sizes().values()) == 2


def test_that_another_patients_study_that_comes_later_never_joins(session: Session, tmp_path: Path) -> None:
    (first,) = session.add(a_study(tmp_path / "one", patient="A")).case_ids
    added = session.add(a_study(tmp_path / "two", patient="B"))
    assert added.case_ids != (first,)
    assert "several patients" in added.problems[0]
    assert len(session.cases.case(first).images) == 4
    nameless = session.add([a_view(tmp_path / "three" / "x.dcm", "L", "CC", patient=None)])
    assert nameless.case_ids == (first,)


def test_that_an_image_without_a_patient_stays_apart_where_there_are_several(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    for name, patient in (("a", "A"), ("b", "B"), ("c", None)):
        a_view(folder / f"{name}.dcm", "L", "CC", patient=patient)
    assert len(session.add([folder]).case_ids) == 3


def test_that_a_copy_is_listed_once(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "visit"
    first = a_study(folder)[0]
    shutil.copy(first, folder / "z.dcm")
    added = session.add([folder])
    assert added.problems == ("z.dcm is a copy of a.dcm; it is listed once.",)
    assert len(titles(session, added.case_ids[0])) == 4
    shutil.copytree(folder, tmp_path / "again")
    later = session.add([tmp_path / "again"])
    assert later.case_ids == added.case_ids
    assert "again/a.dcm is a copy of visit/a.dcm; it is listed once." in later.problems
    assert len(titles(session, added.case_ids[0])) == 4
    assert session.add([folder / "z.dcm"]).case_ids == added.case_ids


def test_that_a_copy_counts_once_its_original_has_gone(session: Session, tmp_path: Path) -> None:
    (path,) = [a_view(tmp_path / "cd" / "a.dcm", "L", "CC")]
    (case_id,) = session.add([path]).case_ids
    (tmp_path / "disk").mkdir()
    shutil.move(path, tmp_path / "disk" / "a.dcm")
    added = session.add([tmp_path / "disk"])
    assert (added.case_ids, added.problems) == ((case_id,), ())
    assert len(session.cases.case(case_id).images) == 2


def test_that_one_number_on_two_images_keeps_both(session: Session, tmp_path: Path) -> None:
    one = a_view(tmp_path / "v" / "a.dcm", "L", "CC", SOPInstanceUID="1.9")
    other = a_view(tmp_path / "v" / "b.dcm", "L", "MLO", SOPInstanceUID="1.9")
    added = session.add([one, other])
    assert added.problems == ("b.dcm carries the number of a.dcm but is another image; both are listed.",)
    assert titles(session, added.case_ids[0]) == ["L CC", "L MLO"]


def test_that_a_copy_is_not_analysed_and_says_why(session: Session, tmp_path: Path) -> None:
    path = a_view(tmp_path / "a.dcm", "L", "CC")
    shutil.copy(path, tmp_path / "b.dcm")
    session.add([path])
    outcome = session.analyse_and_keep(tmp_path / "b.dcm", AnalyseOptions())
    assert outcome.reason == "b.dcm is a copy of a.dcm; it is listed once."


def test_that_files_that_cannot_be_read_are_listed_and_not_fatal(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "visit"
    paths = a_study(folder)
    (folder / "cut.dcm").write_bytes(paths[0].read_bytes()[:900])
    (folder / "text.dcm").write_text("no image")
    added = session.add([folder])
    assert len(added.problems) == 2
    (case_id,) = added.case_ids
    names = [image.path.name for image in session.cases.case(case_id).images]
    assert names[4:] == ["cut.dcm", "text.dcm"]


def test_that_priors_are_the_same_patients_earlier_studies(session: Session, tmp_path: Path) -> None:
    def visit(name: str, study: str, date: str | None, patient: str | None = "A") -> int:
        return session.add(a_study(tmp_path / name, study=study, patient=patient, StudyDate=date)).case_ids[0]

    oldest, undated = visit("p1", "1.1", "20190101"), visit("p2", "1.2", None)
    newer, current = visit("p3", "1.3", "20220101"), visit("now", "1.4", "20240101")
    later = visit("later", "1.5", "20250101")
    visit("other", "1.6", "20200101", patient="B")
    nobody = visit("nobody", "1.7", "20200101", patient=None)
    assert [row.id for row in session.protocol.priors(current)] == [newer, oldest, undated]
    assert [row.study_date for row in session.protocol.priors(current)] == ["2022-01-01", "2019-01-01", None]
    assert [row.images for row in session.protocol.priors(current)] == [4, 4, 4]
    assert [row.id for row in session.protocol.priors(later)] == [current, newer, oldest, undated]
    assert session.protocol.priors(nobody) == ()


def test_that_five_hundred_images_are_sorted_into_their_studies(tmp_path: Path) -> None:
    images = [
        NewImage(
            tmp_path / f"{n}.dcm",
            {"kind": "mammogram", "study_key": f"s{n % 50}", "patient_key": f"p{n % 25}", "instance_key": f"i{n}"},
            f"{n}",
        )
        for n in range(500)
    ]
    groups = grouped(images)
    assert sorted(len(group.images) for group in groups) == [10] * 50
    assert len({group.title for group in groups}) == 50
    assert all(without_copies(group.images, ()) == (list(group.images), []) for group in groups)


def test_that_an_older_store_learns_dates_when_its_images_are_added_again(session: Session, tmp_path: Path) -> None:
    paths = a_study(tmp_path / "visit")
    (case_id,) = session.add(paths).case_ids
    unknown = ("study_date", "acquired", "modifiers", "instance_key", "acquisition")
    with session.cases.database.transaction() as inside:  # as a store of before studies is, once it was migrated
        case = inside.get_one(CaseTable, case_id)
        case.study_date = None
        for image in case.images:
            image.info = {key: value for key, value in image.info.items() if key not in unknown}
    assert session.cases.case(case_id).case.study_date is None
    assert titles(session, case_id) == ["R CC", "L CC", "R MLO", "L MLO"]
    assert session.add(paths).case_ids == (case_id,)
    assert session.cases.case(case_id).case.study_date == "2024-01-02"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]):
    def call(*arguments: object) -> tuple[int, list, str]:
        code = cli.run(["hang", *map(str, arguments)], lambda _: 0)
        captured = capsys.readouterr()
        return code, [json.loads(line) for line in captured.out.splitlines()], captured.err

    return call


def names(step) -> list[str | None]:
    return [slot["path"] and Path(slot["path"]).stem for slot in step["slots"]]


def test_that_hang_prints_a_line_for_each_study(run, tmp_path: Path) -> None:
    a_study(tmp_path / "one", study="1.1", patient="A")
    shutil.copy(tmp_path / "one" / "a.dcm", tmp_path / "one" / "e.dcm")
    a_view(tmp_path / "two" / "x.dcm", "L", "CC", study="1.2", patient="B")
    code, (one, two), err = run(tmp_path / "one", tmp_path / "two")
    assert code == 0
    assert (one["images"], one["protocol"], len(one["duplicates"])) == (4, "screening", 1)
    assert "e.dcm is a copy of a.dcm" in err
    assert names(one["steps"][0]) == ["b", "d", "c", "a"]
    slot = one["steps"][0]["slots"][0]
    assert (slot["row"], slot["column"], slot["laterality"], slot["view"]) == (0, 0, "R", "CC")
    assert set(slot["turn"]) == {"transpose", "mirror_x", "mirror_y"}
    assert one["patient_key"] != two["patient_key"]
    assert [names(step) for step in two["steps"]] == [["x"]]


def test_that_hang_takes_priors_of_the_same_patient_alone(run, tmp_path: Path) -> None:
    a_study(tmp_path / "now", study="1.1")
    a_study(tmp_path / "before", "efgh", study="1.2", StudyDate="20200101")
    a_study(tmp_path / "stranger", "ijkl", study="1.3", patient="B", StudyDate="20200101")
    _, (line,), err = run(
        tmp_path / "now", "--prior", tmp_path / "before", "--prior", tmp_path / "stranger", "--protocol", "screening"
    )
    assert "stranger is not known to be of the same patient" in err
    (whole,) = [step for step in line["steps"] if step["title"] == "All current over all prior"]
    assert names(whole) == ["b", "d", "c", "a", "f", "h", "g", "e"]
    assert len(line["problems"]) == 1


def test_that_hang_tells_what_is_wrong_in_one_sentence(run, tmp_path: Path, settings: Settings) -> None:
    path = a_study(tmp_path / "one")[0]
    code, lines, err = run(tmp_path / "one", "--protocol", "none-such")
    assert (code, lines) == (1, [])
    assert "no hanging protocol 'none-such'; there are implants, one-side, screening" in err
    (tmp_path / "one" / "cut.dcm").write_bytes(path.read_bytes()[:700])
    (settings.data_dir / "hanging").mkdir()
    (settings.data_dir / "hanging" / "bad.toml").write_text("name = 1")
    code, (line,), err = run(tmp_path / "one")
    assert code == 1
    assert "bad.toml is wrong" in err
    assert err.count("cut.dcm") == 1
    assert (line["images"], len(line["problems"])) == (5, 1)
    assert "Traceback" not in err
