"""A model in silent mode says a canary: it is looked for in all that a reader, a file or the command line is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pathview import cli
from pathview.analysis.pipeline import AnalysisRequest, analyse_path
from pathview.compute.engine import JobFailed, LocalEngine
from pathview.errors import DataError, NotAnalysable
from pathview.geometry import GridPlace, Size
from pathview.images.source import Kind
from pathview.jobs import Cancelled
from pathview.models.registry import Version
from pathview.models.weights import read_manifest
from pathview.results.result import AnalysisResult, ScoreMap
from pathview.review.cases.silent import SilentPair, SilentRecords
from pathview.review.reading.worklist_query import WorklistQuery
from pathview.review.records.case import CaseDetail
from pathview.review.records.modes import MODES
from pathview.review.sql import audit
from pathview.review.sql.database import Database
from pathview.review.sql.verifying import verify_audit
from pathview.review.store import Store
from pathview.session import AnalyseOptions, Session
from pathview.settings import Settings
from pathview.training.publishing.promoting import Promoting
from pathview.training.publishing.silent_report import silent_report
from pathview.training.runs.plan import Override
from tests.makers import breast_pixels, tiny_unet_recipe, write_dicom
from tests.model_makers import write_numbers_model
from tests.review.reading_makers import canary_result, values_in

SILENT = 0.98765
"""What the silent model says; the present one says the makers' canary."""
MAMMOGRAM: Kind = "mammogram"


class TwoMinds(LocalEngine):
    """Runs all but analyses, of which it knows the outcome by the model's folder."""

    def __init__(self) -> None:
        self.asked: list[tuple[AnalysisRequest, Settings]] = []
        self.fault: Exception | None = None

    def run(self, function, *args, progress=lambda _: None, cancel=None):
        if function is not analyse_path:
            return super().run(function, *args, progress=progress, cancel=cancel)
        _, request, settings = args
        self.asked.append((request, settings))
        manifest = read_manifest(request.model_folder)
        present = canary_result()
        provenance = replace(present.provenance, weights_sha256=manifest.sha256)
        if manifest.seed == 1:
            return replace(present, recipe="tiny-unet", provenance=provenance)
        if self.fault is not None:
            raise self.fault
        values = np.full((3, 4), SILENT, np.float32)
        return replace(
            present,
            recipe="tiny-unet",
            score=SILENT,
            label="not_sure",
            lower=0.97,
            upper=0.99,
            score_name="silent canary",
            provenance=provenance,
            probability=ScoreMap(values, GridPlace(0, 0, 3, 4)),
            size=Size(12, 12),
        )


@pytest.fixture
def installed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation whose one model has a second version that runs silently."""
    resources = home / "resources"
    resources.mkdir()
    for name in ("forms", "styles", "templates"):
        (resources / name).symlink_to(Settings().resources / name)
    monkeypatch.setenv("PATHVIEW_RESOURCES", str(resources))
    settings = Settings()
    promoting = Promoting(settings, "chief")
    for seed in (1, 2):
        promoting.register(write_numbers_model(tmp_path / str(seed), seed, tiny_unet_recipe()))
    promoting.promote(version(settings, 1), None, Override(who="chief", why="the first"))
    promoting.run_silently(version(settings, 2))
    return settings


def version(settings: Settings, number: int) -> Version:
    return Promoting(settings, "chief").registry.version("tiny-unet", number)


@pytest.fixture
def engine() -> TwoMinds:
    return TwoMinds()


@pytest.fixture
def session(installed: Settings, engine: TwoMinds, tmp_path: Path):
    found = Session(installed, engine, engine, Store(Database(tmp_path / "cases.sqlite")), reader="Ada")
    yield found
    found.close()


def analysed(session: Session, tmp_path: Path, name: str = "a.dcm") -> int:
    path = write_dicom(tmp_path / name, breast_pixels(), StudyInstanceUID=f"1.{len(name)}")
    case_id = session.add([path]).case_ids[0]
    session.analyse_cases([case_id], AnalyseOptions())
    return case_id


def rows(session: Session) -> list[tuple]:
    with session.cases.database.reading() as looking:
        found = looking.connection().exec_driver_sql(
            "SELECT image_id, beside, model, version, status, score, label, reason FROM silent_results"
        )
        return [tuple(row) for row in found]


def canary(found: object) -> bool:
    text = found if isinstance(found, str) else "\n".join(map(repr, values_in(found)))
    return str(SILENT)[:6] in text or "silent canary" in text


def test_that_a_silent_result_is_kept_beside_the_present_one(session: Session, tmp_path: Path) -> None:
    case = session.cases.case(analysed(session, tmp_path))
    image = case.images[0]
    assert rows(session) == [(image.id, image.result.id, "tiny-unet", 2, "analysed", SILENT, "not_sure", None)]
    assert verify_audit(session.cases.database).ok


def everything(session: Session, case_id: int) -> list[object]:
    """All records that a reader can be given."""
    store, protocol = session.cases, session.protocol
    case: CaseDetail = store.case(case_id)
    with store.database.reading() as looking:
        trail = audit.newest(looking)
    lists = store.worklists
    return [
        case,
        case.as_json(),
        protocol.case(case_id),
        protocol.open(case_id),
        *(lists.page(WorklistQuery(order=order), "Ada") for order in lists.orders(None)),
        lists.counts(WorklistQuery(), "Ada"),
        trail,
        store.studies.records("Ada"),
        store.map(case.images[0].result.id).values,
    ]


@pytest.mark.parametrize("mode", MODES)
def test_that_no_record_tells_what_a_silent_model_said(session: Session, tmp_path: Path, mode: str) -> None:
    store = session.cases
    home = store.worklists.named("Mammograms")
    store.worklists.set_mode(home.id, mode, "chief")
    told: list[object] = []
    path = write_dicom(tmp_path / "a.dcm", breast_pixels())
    case_id = session.add([path]).case_ids[0]
    steps: list[object] = []
    session.analyse_cases([case_id], AnalyseOptions(), steps.append, on_saved=lambda _, outcome: told.append(outcome))
    assert rows(session)[0][5] == SILENT
    found = [*told, *steps, *everything(session, case_id)]
    assert not [record for record in found if canary(record)]
    assert not any(step.early is not None for step in steps)


def test_that_the_worklist_stays_as_if_nothing_ran_silently(session: Session, tmp_path: Path) -> None:
    def line(name: str) -> dict:
        row = session.cases.case(analysed(session, tmp_path, name)).case
        kept = ("state", "label", "score", "position", "flags", "decision")
        return {field: getattr(row, field) for field in kept}

    beside = line("a.dcm")
    Promoting(session.settings, "chief").end_silent(version(session.settings, 2))
    assert line("bb.dcm") == beside
    assert len(rows(session)) == 1


def test_that_no_file_and_no_verb_tells_what_a_silent_model_said(
    session: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case_id = analysed(session, tmp_path)
    session.cases.worklists.set_mode(session.cases.worklists.named("Mammograms").id, "assisted", "chief")
    session.decide(case_id, "positive")
    session.cases.truths.add(case_id, "positive", "pathology", "chief")
    assert rows(session)[0][5] == SILENT
    session.close()
    store, out = tmp_path / "cases.sqlite", tmp_path / "out"
    verbs = [
        ["cases", "list"],
        ["cases", "show", case_id],
        ["cases", "export", case_id, "--format", "geojson", "--out", out / "drawn.geojson"],
        ["cases", "answers", case_id],
        ["agreement", "--out", out / "study"],
        ["audit", "list"],
        ["worklists", "list"],
        ["store", "verify"],
    ]
    out.mkdir()
    for verb in verbs:
        status = cli.run([*map(str, verb), "--store", str(store)], lambda _: 0)
        captured = capsys.readouterr()
        assert (status, captured.err if status else "") == (0, "")
        assert not canary(captured.out + captured.err)
    cli.run(["models", "show", "tiny-unet"], lambda _: 0)
    cli.run(["models", "versions", "tiny-unet"], lambda _: 0)
    assert not canary(capsys.readouterr().out)
    written = [path for path in out.rglob("*") if path.is_file()]
    assert len(written) > 3
    assert not [path.name for path in written if canary(path.read_text(encoding="utf-8", errors="replace"))]


def test_that_the_command_line_tells_the_present_result_alone(
    session: Session, engine: TwoMinds, tmp_path: Path
) -> None:
    session.cases.worklists.set_mode(session.cases.worklists.named("Mammograms").id, "assisted", "chief")
    outcome = session.analyse_and_keep(write_dicom(tmp_path / "a.dcm", breast_pixels()), AnalyseOptions())
    assert isinstance(outcome, AnalysisResult)
    assert not canary(outcome)
    assert rows(session)[0][5] == SILENT
    assert len(engine.asked) == 2


def test_that_a_silent_run_keeps_its_growing_maps_where_nobody_looks(
    session: Session, engine: TwoMinds, tmp_path: Path
) -> None:
    case_id = session.add([write_dicom(tmp_path / "a.dcm", breast_pixels())]).case_ids[0]
    session.analyse_cases([case_id], AnalyseOptions(threshold=0.25, explain="all", mpp_um=70.0))
    (present, own), (silent, apart) = engine.asked
    assert own.slides_dir != apart.slides_dir
    assert (present.threshold, present.explain) == (0.25, "all")
    assert (silent.threshold, silent.explain, silent.mpp_um) == (None, None, 70.0)


@pytest.mark.parametrize("fault", [NotAnalysable("It is not for it."), JobFailed("ValueError", "frames")])
def test_that_what_a_silent_model_cannot_do_disturbs_nobody(
    session: Session, engine: TwoMinds, tmp_path: Path, fault: Exception
) -> None:
    engine.fault = fault
    case = session.cases.case(analysed(session, tmp_path))
    assert case.case.label == "positive"
    assert [row[4] for row in rows(session)] == ["not_analysed"]


def test_that_cancelling_a_silent_run_keeps_the_result_before_it(
    session: Session, engine: TwoMinds, tmp_path: Path
) -> None:
    engine.fault = Cancelled()
    with pytest.raises(Cancelled):
        analysed(session, tmp_path)
    case_id = session.add([tmp_path / "a.dcm"]).case_ids[0]
    assert session.cases.case(case_id).images[0].result.status == "analysed"
    assert rows(session) == []


def test_that_a_model_that_is_not_the_present_one_has_no_company(
    session: Session, installed: Settings, tmp_path: Path
) -> None:
    case_id = session.add([write_dicom(tmp_path / "a.dcm", breast_pixels())]).case_ids[0]
    other = write_numbers_model(tmp_path / "other", 1, tiny_unet_recipe(title="Other"), data="other")
    Promoting(installed, "chief").promote(version(installed, 2), None, Override(who="chief", why="so"))
    session.analyse_cases([case_id], AnalyseOptions(recipe=str(other)))
    assert rows(session) == []


def pairs(count: int) -> tuple[SilentPair, ...]:
    found = []
    for number in range(count):
        truth = ("negative", "positive")[number % 2]
        score = 0.9 if truth == "positive" else 0.1
        chance, decision = 0.5 + 0.001 * number, truth if number else None
        found.append(SilentPair(f"p{number}", score, truth, chance, "not_sure", truth, decision))
    return tuple(found)


def test_that_the_report_compares_in_sums() -> None:
    found = silent_report("tiny-unet", 2, SilentRecords(pairs(40), failed=1))
    assert (found.patients, found.images, found.failed, found.same) == (40, 40, 1, 0.0)
    assert found.labels["not_sure"] == {"negative": 20, "not_sure": 0, "positive": 20}
    assert found.against_truth.new == 1.0
    assert found.against_truth.low > 0
    assert found.against_decisions.images == 39
    assert "more worried about 20 images and less about 20" in found.sentences[0]


def test_that_the_report_tells_nothing_of_few_patients() -> None:
    with pytest.raises(DataError, match="seen 9 patients; below 10 nothing is told"):
        silent_report("tiny-unet", 2, SilentRecords(pairs(9), failed=0))


def test_that_the_report_leaves_out_what_is_hidden_from_whoever_asks(session: Session, tmp_path: Path) -> None:
    case_id = analysed(session, tmp_path)  # read without the model first
    found = session.cases.silent.records("tiny-unet", 2, "Ada")
    assert (found.pairs, found.hidden) == ((), 1)
    session.cases.worklists.set_mode(session.cases.worklists.named("Mammograms").id, "assisted", "chief")
    session.decide(case_id, "negative")
    session.cases.truths.add(case_id, "positive", "pathology", "chief")
    (pair,) = session.cases.silent.records("tiny-unet", 2, "Ada").pairs
    assert (pair.score, pair.label, pair.present_label) == (SILENT, "not_sure", "positive")
    assert (pair.truth, pair.decision) == ("positive", "negative")
