"""The use cases on a store: what is added, what belongs together, and what must never be mixed up."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from pathview.compute.engine import JobFailed, LocalEngine
from pathview.errors import ImageError
from pathview.jobs import Cancelled, no_progress
from pathview.results.result import ResultKept
from pathview.review.reading.worklist_query import WorklistQuery
from pathview.review.sql.database import Database
from pathview.review.store import Store
from pathview.session import AnalyseOptions, Session
from pathview.settings import Settings
from tests.lists import assisted
from tests.makers import breast_pixels, write_dicom, write_patch_folder


@pytest.fixture
def session(tiny_models: Settings, tmp_path: Path):
    engine = LocalEngine()
    found = Session(tiny_models, engine, engine, assisted(Store(Database(tmp_path / "cases.sqlite"))), reader="r")
    yield found
    found.close()


def a_view(path: Path, study: str, view: str = "CC", **tags) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_dicom(path, breast_pixels(), StudyInstanceUID=study, ImageLaterality="L", ViewPosition=view, **tags)


def analysed(session: Session, case_id: int) -> None:
    session.analyse_cases([case_id], AnalyseOptions())


def test_that_another_patients_file_at_the_same_path_is_another_case(session: Session, tmp_path: Path) -> None:
    path = a_view(tmp_path / "cd" / "IM1.dcm", "1.1", PatientID="A")
    first = session.add([path]).case_ids[0]
    analysed(session, first)
    session.decide(first, "negative")
    a_view(path, "2.2", PatientID="B", Rows=200)
    second = session.add([path]).case_ids[0]
    assert second != first
    assert session.cases.case(second).case.decision is None
    assert session.cases.case(second).images[0].result is None
    kept = session.cases.case(first)
    assert kept.case.decision == "negative"
    assert kept.patient_key != session.cases.case(second).patient_key
    with pytest.raises(ImageError, match="another file"):
        session.explain_image(kept.images[0], "bottom_conv2", no_progress, None)
    outcomes = []
    session.analyse_cases([first], AnalyseOptions(), on_saved=lambda _, outcome: outcomes.append(outcome))
    assert isinstance(outcomes[0], ResultKept)
    assert "another file" in outcomes[0].reason
    assert "earlier result stays" in outcomes[0].reason
    assert session.cases.case(first).images[0].result.id == kept.images[0].result.id


def test_that_a_touched_or_copied_file_is_the_same_image(session: Session, tmp_path: Path) -> None:
    path = a_view(tmp_path / "a.dcm", "1.1")
    first = session.add([path]).case_ids
    shutil.copy(path, tmp_path / "copy")
    path.unlink()
    shutil.move(tmp_path / "copy", path)
    assert session.add([path]).case_ids == first
    assert len(session.cases.case(first[0]).images) == 1


def test_that_a_view_that_cannot_be_read_keeps_its_study_from_being_negative(session: Session, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    for name in ("CC", "MLO"):
        a_view(folder / f"{name}.dcm", "1.1", name)
    whole = (folder / "CC.dcm").read_bytes()
    (folder / "cut.dcm").write_bytes(whole[: len(whole) // 2])
    added = session.add([folder])
    assert len(added.case_ids) == 1
    assert "cut.dcm" in added.problems[0]
    analysed(session, added.case_ids[0])
    case = session.cases.case(added.case_ids[0])
    results = {image.path.name: image.result.status for image in case.images}
    assert results == {"CC.dcm": "analysed", "MLO.dcm": "analysed", "cut.dcm": "not_analysed"}
    assert case.case.label != "negative"


def test_that_cancelled_adding_keeps_the_folders_that_were_read(session: Session, tmp_path: Path) -> None:
    for name, study in (("a", "1.1"), ("b", "2.2")):
        a_view(tmp_path / name / "x.dcm", study)
        a_view(tmp_path / name / "y.dcm", study, "MLO")
    stop = threading.Event()
    with pytest.raises(Cancelled):
        session.add([tmp_path / "a", tmp_path / "b"], lambda step: stop.set() if step.done == 2 else None, stop)
    assert [row.title for row in session.cases.worklists.page(WorklistQuery(), "r")] == ["a"]


def test_that_a_bug_while_opening_names_the_file_and_not_a_type_alone(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.expected = ["a job failed: TypeError\nframes"]

    def broken(*_, **__):
        raise JobFailed("TypeError", "frames")

    monkeypatch.setattr(session.opener, "run", broken)
    folder = write_patch_folder(tmp_path / "9001")
    assert session.add([folder]).problems == (
        "9001 cannot be read: PathView has a bug here (TypeError); please report what its log says.",
    )


def test_that_the_local_engine_tells_bugs_and_memory_as_the_child_does() -> None:
    engine = LocalEngine()

    def hungry(*_):
        raise MemoryError

    with pytest.raises(JobFailed, match="ZeroDivisionError") as bug:
        engine.run(lambda *_: 1 / 0)
    assert "test_session" in bug.value.trace
    with pytest.raises(Exception, match="not enough memory"):
        engine.run(hungry)
    assert np.isfinite(engine.run(lambda *_: 1.0))
