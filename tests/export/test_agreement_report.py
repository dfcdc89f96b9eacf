from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pypdf import PdfReader

from pathview.errors import OutputError
from pathview.export.agreeing import Agreeing
from pathview.export.agreement_pages import LINK, agreement_pages
from pathview.export.agreement_pdf import write_agreement_pdf
from pathview.export.agreement_report import write_agreement_page
from pathview.export.study_csv import write_study
from pathview.review.agreement.agreement import Agreement
from pathview.review.store import Store
from pathview.settings import INVESTIGATIONAL, Settings
from tests.review.study_makers import StudyMaker

P, N = "positive", "negative"
CANARY = 0.8712345


@pytest.fixture
def agreeing(store: Store) -> Agreeing:
    return Agreeing(store.studies, Settings(), "Ada")


def a_study(maker: StudyMaker, closed: bool = True) -> list[int]:
    """Eight cases; the first is not analysed, the last of unknown truth."""
    home = maker.worklist("Spring <b>study</b>", form="mammography", closed=closed)
    cases = []
    for index in range(8):
        case = maker.case(home, f"p{index // 2}", truth=(P, N)[index % 2] if index < 7 else None)
        if index:
            maker.analyse(case, P, CANARY)
        for reader in ("Ada", "Bob <script>"):
            answers = {"birads": ("5", "2", "4A", "1")[index % 4], "density": "b"}
            maker.read(
                case, reader, (P, N)[index % 2], P, answers=answers, form="mammography", seconds=30.0, reason='=A, "b"'
            )
        cases.append(case)
    return cases


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Page(HTMLParser):
    """Its tags, and the addresses that it would fetch from."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.fetched += [value for name, value in attrs if name in ("src", "href")]


def test_that_the_page_stands_alone_and_names_what_it_is_of(agreeing, maker, tmp_path: Path) -> None:
    a_study(maker)
    text = write_agreement_page(tmp_path / "out" / "report.html", agreeing.measure()).read_text(encoding="utf-8")
    page = Page(text)
    assert page.fetched == []
    assert not {"script", "b", "link", "img"} & set(page.tags), "names are text, and nothing is fetched"
    assert INVESTIGATIONAL in text
    assert "Spring &lt;b&gt;study&lt;/b&gt;" in text
    assert "8 assessed of 8 listed, of 4 patients; truth known of 7" in text
    assert "2026-03-01 to 2026-03-01 (UTC)" in text
    assert "svg" in page.tags
    assert page.tags.count("polyline") == 5, "the model and two readers at two stages"


def test_that_each_number_of_the_page_opens_its_cases(agreeing, maker, tmp_path: Path) -> None:
    cases = a_study(maker)
    text = write_agreement_page(tmp_path / "report.html", agreeing.measure()).read_text(encoding="utf-8")
    section = text[text.index("Ada: first against final") :]
    found = re.findall(r"<summary>([^<]+)</summary>Cases ([^<]*)<", section)
    assert found[0] == ("4", ", ".join(map(str, cases[1::2])))  # first negative, finally positive
    assert found[2] == ("50.0 %", ", ".join(map(str, cases[0::2])))  # agreement, three values


def test_that_a_long_list_is_cut_and_says_where_the_rest_is(agreeing, maker, tmp_path: Path, monkeypatch) -> None:
    a_study(maker)
    monkeypatch.setattr("pathview.export.agreement_report._LISTED", 2)
    text = write_agreement_page(tmp_path / "report.html", agreeing.measure()).read_text(encoding="utf-8")
    assert "Cases 2, 4 ... and 2 more, all of them in number_cases.csv" in text


def test_that_a_row_stands_for_each_case_reader_and_stage(agreeing, maker, tmp_path: Path) -> None:
    cases = a_study(maker)
    write_study(tmp_path, agreeing.measure())
    rows = table(tmp_path / "readings.csv")
    assert len(rows) == 8 * 2 * 2
    assert {row["notice"] for row in rows} == {INVESTIGATIONAL}
    one = next(row for row in rows if (row["case"], row["stage"], row["reader"]) == (str(cases[1]), "final", "Ada"))
    assert (one["patient"], one["worklist"], one["mode"]) == ("p0", "Spring <b>study</b>", "second_read")
    assert (one["value"], one["answer_birads"], one["answer_density"]) == (P, "2", "b")
    assert (one["reason"], one["seconds"]) == ('\'=A, "b"', "30.0")  # no formula
    assert one["time_utc"].startswith("2026-03-01T08:")
    assert one["time_utc"].endswith("+00:00")
    assert (float(one["model_score"]), one["model_label"], one["model_threshold"]) == (CANARY, P, "0.5")
    assert (one["model_recipe"], one["model_weights_sha256"][:4]) == ("tiny", "tiny")
    assert (one["truth"], one["truth_source"], one["left_out"]) == (N, "pathology", "")
    never = next(row for row in rows if row["case"] == str(cases[0]))
    assert (never["model_label"], never["model_score"]) == ("not_analysed", "")
    assert next(row for row in rows if row["case"] == str(cases[7]))["truth"] == ""


def test_that_the_object_beside_the_tables_says_where_they_come_from(agreeing, maker, tmp_path: Path) -> None:
    a_study(maker)
    found = agreeing.measure()
    write_study(tmp_path, found)
    about = json.loads((tmp_path / "agreement.json").read_text(encoding="utf-8"))
    assert about["notice"] == INVESTIGATIONAL
    assert about["audit_head"]["hash"] == found.records.audit_head["hash"]
    assert (about["n_cases"], about["n_patients"], about["n_truth"]) == (8, 4, 7)
    assert about["readers"] == ["Ada", "Bob <script>"]
    assert "NaN" not in (tmp_path / "agreement.json").read_text(encoding="utf-8")


def test_that_every_number_has_its_cases_in_a_table(agreeing, maker, tmp_path: Path) -> None:
    a_study(maker)
    found = agreeing.measure()
    write_study(tmp_path, found)
    behind: dict[tuple[str, str], list[dict[str, str]]] = {}
    for row in table(tmp_path / "number_cases.csv"):
        behind.setdefault((row["section"], row["number"]), []).append(row)
    numbers = table(tmp_path / "numbers.csv")
    assert len({(row["section"], row["number"]) for row in numbers}) == len(numbers)
    for row in numbers:
        listed = behind.get((row["section"], row["number"]), [])
        assert len(listed) == int(row["cases"]), row
        if row["unit"] == "share" and listed and listed[0]["counted"]:
            share = sum(int(each["counted"]) for each in listed) / len(listed)
            assert float(row["value"]) == pytest.approx(share), row


def told(found: Agreement, folder: Path) -> str:
    """Everything that is told of a study, in one text."""
    write_agreement_page(folder / "report.html", found)
    write_study(folder, found)
    pages = "".join(page.html for page in agreement_pages(found))
    return pages + "".join(path.read_text(encoding="utf-8") for path in sorted(folder.iterdir()))


def test_that_nothing_of_the_model_is_told_of_a_list_that_is_still_read(agreeing, maker, tmp_path: Path) -> None:
    cases = a_study(maker, closed=False)
    assert str(CANARY) in told(agreeing.measure(), tmp_path / "finished")
    maker.say(cases[3], "Ada", "final", None)
    text = told(agreeing.measure(), tmp_path / "withdrawn")
    assert str(CANARY) not in text
    assert "Bob" not in text
    assert "pathology" not in text
    rows = table(tmp_path / "withdrawn" / "readings.csv")
    assert len(rows) == 15
    assert {row["reader"] for row in rows} == {"Ada"}
    for column in (*(name for name in rows[0] if name.startswith("model_") and name != "model_shown_before"), "truth"):
        assert {row[column] for row in rows} == {""}, column
    assert {row["left_out"] for row in rows} == {
        "The list Spring <b>study</b> hides the model: until it is closed or Ada has decided every case of it, only "
        "Ada's own assessments and times are told of it, and nothing of the model, of other readers or of the truth."
    }


def test_that_two_lists_that_differ_in_a_hidden_case_only_tell_the_same(agreeing, maker, tmp_path: Path) -> None:
    """What the model, the truth or another reader says of what is still to be read changes nothing that is told."""
    cases = a_study(maker, closed=False)
    maker.say(cases[3], "Ada", "final", None)
    before = agreeing.measure().as_json()
    maker.analyse(cases[3], N, 0.01)
    maker.truth(cases[3], P, "biopsy")
    maker.say(cases[3], "Bob <script>", "final", N)
    after = agreeing.measure().as_json()
    for found in (before, after):
        del found["audit_head"]
    assert before == after


def test_that_a_report_that_cannot_be_written_is_one_sentence(agreeing, maker, tmp_path: Path) -> None:
    a_study(maker)
    found = agreeing.measure()
    (tmp_path / "file").write_text("", encoding="utf-8")
    for write in (
        lambda path: write_agreement_page(path / "report.html", found),
        lambda path: write_study(path, found),
    ):
        with pytest.raises(OutputError, match="cannot be written to"):
            write(tmp_path / "file")


def test_that_links_lead_to_lists(agreeing, maker) -> None:
    cases = a_study(maker)
    pages = agreement_pages(agreeing.measure())
    assert pages[0].title == "Overview"
    assert pages[0].lists[0] == tuple(cases)
    for page in pages:
        links = [int(number) for number in re.findall(rf'href="{LINK}(\d+)"', page.html)]
        assert links == list(range(len(page.lists))), page.title
        assert all(page.lists)


def test_that_an_export_is_audited_before_it_is_there(agreeing, maker, store: Store, tmp_path: Path) -> None:
    a_study(maker)
    found = agreeing.measure()
    before = store.studies.records("Ada").audit_head
    written = agreeing.write(found, tmp_path / "out")
    assert sorted(path.name for path in written) == [
        "agreement.json",
        "number_cases.csv",
        "numbers.csv",
        "readings.csv",
        "report.html",
        "report.pdf",
    ]
    assert store.studies.records("Ada").audit_head["number"] == before["number"] + 1


# as PDF


def pages_of(path: Path) -> list[str]:
    """The words of each page, as they are searched and copied."""
    return [" ".join(page.extract_text().split()) for page in PdfReader(path).pages]


def test_that_the_pdf_has_the_notice_on_each_page_and_every_number(agreeing, maker, tmp_path: Path) -> None:
    a_study(maker)
    found = agreeing.measure()
    pages = pages_of(write_agreement_pdf(tmp_path / "out" / "report.pdf", found))
    assert len(pages) > 1
    assert all(f"{INVESTIGATIONAL}." in page for page in pages)
    assert [f"Page {number}" in page for number, page in enumerate(pages, start=1)] == [True] * len(pages)
    whole = " ".join(pages)
    about = found.as_json()
    for told in (about["blinding"], about["intervals"], "Bob <script>", "Spring <b>study</b>", "Ada"):
        assert " ".join(told.split()) in whole
    for section in found.sections:
        assert section.title in whole
        for figure in section.figures:
            assert figure.words in whole
            assert figure.interval_words in whole


def test_that_a_letter_that_the_typeface_lacks_is_told(agreeing, maker, tmp_path: Path) -> None:
    a_study(maker)
    assert "typeface" not in " ".join(pages_of(write_agreement_pdf(tmp_path / "a.pdf", agreeing.measure())))
    home = maker.worklist("Łódź 乳腺", form="mammography")
    maker.read(maker.case(home, "q"), "Ada", P, P, answers={"birads": "5", "density": "b"}, form="mammography")
    whole = " ".join(pages_of(write_agreement_pdf(tmp_path / "b.pdf", agreeing.measure())))
    assert "Łód? ??" in whole or "Łódź ??" in whole
    assert "Letters that this file's typeface lacks stand as ?" in whole


def test_that_many_readers_and_nobody_fit_on_the_paper(agreeing, maker, tmp_path: Path) -> None:
    assert "nothing yet" in pages_of(write_agreement_pdf(tmp_path / "none.pdf", agreeing.measure()))[0]
    home = maker.worklist("W" * 80, form="mammography", closed=True)
    for index in range(4):
        case = maker.case(home, f"p{index}", truth=(P, N)[index % 2])
        for reader in range(9):
            answers = {"birads": "5", "density": "b"}
            maker.read(case, f"Reader {reader} {'x' * 60}", P, N, answers=answers, form="mammography", seconds=30.0)
    pages = pages_of(write_agreement_pdf(tmp_path / "many.pdf", agreeing.measure()))
    assert all(INVESTIGATIONAL in page for page in pages)


def test_that_a_pdf_that_cannot_be_written_is_one_sentence(agreeing, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        write_agreement_pdf(tmp_path / "file" / "report.pdf", agreeing.measure())
