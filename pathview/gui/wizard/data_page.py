"""Page 2: where labelled images come from, and what was found there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QButtonGroup, QGridLayout, QHBoxLayout, QLabel, QPushButton, QWidget

from pathview.errors import PathViewError
from pathview.gui.job_runner import Work
from pathview.gui.theme import Theme
from pathview.gui.wizard.base_page import BasePage, dim
from pathview.gui.wizard.data_lists import DataList, data_lists
from pathview.gui.wizard.rows_model import RowsView
from pathview.gui.wizard.sources import SourcesPanel
from pathview.gui.wizard.state import Known, Run, data_key, read_known
from pathview.jobs import CancelToken, ProgressSink
from pathview.training.preparing.collect import CollectRequest, collect, suggested_classes
from pathview.training.preparing.store_labels import labels_by_source
from pathview.training.runs.plan import Question, Source

_FILES = 400
"""Found files that patterns are tried on."""
_COUNTS = 7
_COLUMNS = 4


@dataclass(frozen=True)
class _Looked:
    """What looking through came to."""

    known: Known
    key: str
    lists: tuple[DataList, ...]
    notices: tuple[str, ...]


class DataPage(BasePage):
    """Sources above, counts below, and behind each count its list."""

    name = "data"
    step = "Data"
    heading = "Where are the labelled images?"
    words = "Files stay where they are and as they are. Every image is looked at: can it be read, is it there twice?"
    locks = True

    def __init__(self, run: Run, theme: Theme) -> None:
        """Show the plan's sources."""
        super().__init__(run, theme)
        self.sources = SourcesPanel()
        self.look = QPushButton("&Look through the data")
        self.look.setAutoDefault(False)
        self.take_classes = QPushButton("")
        self.take_classes.setAutoDefault(False)
        self.take_classes.hide()
        self._suggested: tuple[str, ...] = ()
        self._asked: Path | None = None
        self._lists: tuple[DataList, ...] = ()
        self._notices: tuple[str, ...] = ()
        self.notice = dim("")
        self.counts = QButtonGroup(self)
        self.table = RowsView("The list behind the count")
        self._found = self._make_counts()
        self._empty = QLabel("Nothing was looked through yet.")
        self._empty.setObjectName("dim")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._lay_parts()
        self.sources.changed.connect(self._on_sources)
        self.look.clicked.connect(self.look_through)
        self.take_classes.clicked.connect(self._take_classes)
        self.counts.idClicked.connect(self._show_list)

    def _make_counts(self) -> QWidget:
        holder = QWidget()
        grid = QGridLayout(holder)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(6)
        for number in range(_COUNTS):
            button = QPushButton()
            button.setObjectName("count")
            button.setCheckable(True)
            button.setAutoDefault(False)
            self.counts.addButton(button, number)
            grid.addWidget(button, number // _COLUMNS, number % _COLUMNS)
        return holder

    def _lay_parts(self) -> None:
        row = QHBoxLayout()
        row.addWidget(self.look)
        row.addWidget(self.take_classes)
        row.addStretch(1)
        self.body.addWidget(self.sources)
        self.body.addLayout(row)
        self.body.addWidget(self._found)
        self.body.addWidget(self.notice)
        self.body.addWidget(self.table, 1)
        self.body.addWidget(self._empty, 1)
        self.table.setMinimumHeight(150)

    # what is shown

    def enter(self) -> None:
        """Begin with what adds a source."""
        if not self.run.plan.sources:
            self.sources.folder.setFocus()
        if self.run.collected and not self._lists:
            self._count()

    def refresh(self) -> None:
        """Show sources, and what was found where it is still that."""
        plan = self.run.plan
        files = tuple(row.file for row in self.run.rows[:_FILES])
        self.sources.show_sources(plan.sources, plan.question.task, files)
        self.look.setEnabled(bool(plan.sources))
        self._suggest()
        there = self.run.collected and bool(self._lists)
        for part in (self._found, self.table):
            part.setVisible(there)
        self.notice.setText("\n".join(self._notices))
        self.notice.setVisible(there and bool(self._notices))
        self._empty.setVisible(not there)

    def _count(self) -> None:
        rows, question = self.run.rows, self.run.plan.question
        self.run.fetch(lambda *_: data_lists(rows, question), self._show_lists)

    def _show_lists(self, lists: tuple[DataList, ...]) -> None:
        self._lists = lists
        for number, found in enumerate(lists):
            button = self.counts.button(number)
            button.setText(f"{found.count:,}\n{found.title}")
            button.setAccessibleName(f"{found.count:,} {found.title}: show the list")
            button.setProperty("warns", found.warns)
            button.style().polish(button)
            button.setEnabled(bool(found.lines))
        chosen = self.counts.checkedId()
        wanted = chosen if chosen >= 0 and lists[chosen].lines else next((n for n, x in enumerate(lists) if x.lines), 0)
        self.counts.button(wanted).setChecked(True)
        self.refresh()
        self._show_list(wanted)
        self.tell()

    @Slot(int)
    def _show_list(self, number: int) -> None:
        if 0 <= number < len(self._lists):
            self.table.show_lines(self._lists[number].header, self._lists[number].lines)

    # classes that the data name

    def _suggest(self) -> None:
        """Offer the classes of the first folder or table where the question has others."""
        plan = self.run.plan
        path = next((source.path for source in plan.sources if source.path is not None), None)
        if path is None or plan.question.task == "segmentation":
            self._asked = None
            self._show_suggested(())
        elif path != self._asked:
            self._asked = path
            self.run.pictures.submit(lambda *_: _suggested(path), self._show_suggested)
        else:
            self._show_suggested(self._suggested)

    def _show_suggested(self, names: tuple[str, ...]) -> None:
        self._suggested = names
        classes = self.run.plan.question.classes
        other = len(names) > 1 and {name.lower() for name in names} != {name.lower() for name in classes}
        self.take_classes.setText(f"Ta&ke the classes that it names: {', '.join(names)}"[:90])
        self.take_classes.setVisible(other)

    @Slot()
    def _take_classes(self) -> None:
        values = self.run.plan.question.model_dump() | {"classes": self._suggested}
        self.run.change(question=Question(**values))

    # what the reader does

    @Slot(object)
    def _on_sources(self, sources: tuple[Source, ...]) -> None:
        self.run.change(sources=sources)

    @Slot()
    def look_through(self) -> None:
        """Find and look at every image."""
        self.start(self._looking(), self._take, "looking for images")

    def _looking(self) -> Work:
        run, plan, folder = self.run, self.run.plan, self.run.made

        def work(progress: ProgressSink, cancel: CancelToken) -> _Looked:
            session = run.handle.get()
            of_store = any(source.kind != "files" for source in plan.sources)
            labels = labels_by_source(plan, session.cases, session.protocol) if of_store else {}
            request = CollectRequest(folder, plan, labels)
            found = run.in_child(collect, request)(progress, cancel)
            known = read_known(folder)
            return _Looked(known, data_key(plan), data_lists(known.rows, plan.question), found.notices)

        return run.kept_first(work)

    def _take(self, found: _Looked) -> None:
        self._notices = found.notices
        self.run.take_known(found.known, found.key)
        self._show_lists(found.lists)

    def validatePage(self) -> bool:
        """Next looks through the data first."""
        if self.run.plan.sources and not self.run.collected and not self.working and not self.locked:
            self.look_through()
            return False
        return super().validatePage()

    def problem(self) -> str:
        """Something to learn from."""
        if not self.run.plan.sources:
            return "Add a folder, a table, or what is in the store."
        if not self.run.collected:
            return "Next looks through the data."
        if all(row.problem for row in self.run.rows):
            return "No image of these can be used; the list says why of each."
        return ""


def _suggested(path: Path) -> tuple[str, ...]:
    """The classes that a source names; what is wrong with it is told when it is looked through."""
    try:
        return suggested_classes(path)
    except (OSError, PathViewError):
        return ()
