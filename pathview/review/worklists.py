"""Worklists: made, changed and filled. Each change and its audit rows are one transaction, of however many cases."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pathview.errors import StoreError
from pathview.review.cases import deciding
from pathview.review.reading import exposure
from pathview.review.reading.readers import checked_name, know, require_known
from pathview.review.reading.saved_views import SavedViews
from pathview.review.reading.worklist import LONGEST_NAME, Worklist, plain_name, worklist_row
from pathview.review.reading.worklist_pages import WorklistPages, parts_of
from pathview.review.records.modes import MODES, Mode
from pathview.review.sql import audit
from pathview.review.sql.database import Database
from pathview.review.sql.reading_tables import WorklistTable
from pathview.review.sql.tables import CaseTable

_ARBITRATION = ": arbitration"


class Worklists(WorklistPages):
    """The worklists of one store: to look at, and to change."""

    def __init__(self, database: Database) -> None:
        """Work on an open database."""
        super().__init__(database)
        self.views = SavedViews(database)
        """Queries that readers keep under a name."""

    def named(self, name: str) -> Worklist:
        """A list by its name.

        Raises:
            StoreError: there is none.
        """
        with self._db.reading() as session:
            return worklist_row(_named(session, name))

    def create(self, name: str, mode: Mode, form: str, actor: str) -> Worklist:
        """Make an empty list.

        Args:
            name: of up to 80 letters, that no other list has.
            mode: how it is read.
            form: name of an assessment form, see :mod:`pathview.review.records.forms`.
            actor: who makes it.

        Raises:
            StoreError: the name is taken or none, or there is no such mode.
        """
        with self._db.transaction() as session:
            return worklist_row(_created(session, name, mode, form, actor))

    def rename(self, worklist_id: int, name: str, actor: str) -> Worklist:
        """Give a list another name.

        Raises:
            StoreError: the name is taken or none, or there is no such list.
        """

        def free(session: Session, row: WorklistTable) -> str:
            plain = plain_name(name, "worklist")
            if plain != row.name:
                _require_free(session, plain)
            return plain

        return self._set(worklist_id, "name", free, actor)

    def set_mode(self, worklist_id: int, mode: Mode, actor: str, unblind: bool = False) -> Worklist:
        """Have a list read in another mode from now on; what was decided keeps the mode it was decided in.

        Args:
            worklist_id: of the list.
            mode: the new one.
            actor: who changes it.
            unblind: show all also of cases that are being read; their unlocked readings then count as unblinded.

        Raises:
            StoreError: the list is closed, or there is no such list or mode.
            UnconfirmedError: see :func:`pathview.review.reading.exposure.require_unbegun`.
        """
        _require_mode(mode)
        with self._db.transaction() as session:
            before = worklist_row(_list(session, worklist_id))
            after = _set(session, worklist_id, "mode", _of_open(mode), actor)
            if before.hides_model is not after.hides_model:
                _lift_or_lay(session, _cases_of(session, worklist_id), before, after, unblind, actor)
            if mode == "arbitration" and before.mode != mode:
                _free(session, _cases_of(session, worklist_id), actor)
            return after

    def set_form(self, worklist_id: int, form: str, actor: str) -> Worklist:
        """Have a list assessed by another form from now on; what was decided keeps its own.

        Raises:
            StoreError: the list is closed, or there is no such list.
        """
        return self._set(worklist_id, "form", _of_open(form), actor)

    def close(self, worklist_id: int, actor: str) -> Worklist:
        """End the reading of a list: all is shown, nothing is decided any more.

        Raises:
            StoreError: there is no such list.
        """
        return self._set(worklist_id, "closed", lambda _, row: row.closed or datetime.now(UTC), actor)

    def reopen(self, worklist_id: int, actor: str) -> Worklist:
        """Go on with the reading of a list; what could be seen meanwhile counts as seen.

        Raises:
            StoreError: there is no such list.
        """
        with self._db.transaction() as session:
            before = worklist_row(_list(session, worklist_id))
            after = _set(session, worklist_id, "closed", lambda _, __: None, actor)
            if after.hides_model and not before.hides_model:
                _lift_or_lay(session, _cases_of(session, worklist_id), before, after, False, actor)
            return after

    def move(self, case_ids: Sequence[int], worklist_id: int, actor: str, unblind: bool = False) -> int:
        """Put cases into a list; how many were in another one.

        Args:
            case_ids: of the cases.
            worklist_id: of the list.
            actor: who moves them.
            unblind: show all also of cases that are being read; their unlocked readings then count as unblinded.

        Raises:
            StoreError: the list is closed, or there is no such list or case; then none is moved.
            UnconfirmedError: see :func:`pathview.review.reading.exposure.require_unbegun`; then none is moved.
        """
        with self._db.transaction() as session:
            home = _list(session, worklist_id)
            _require_open(home)
            return _moved(session, _cases(session, case_ids), home, actor, unblind)

    def assign(self, case_ids: Sequence[int], reader: str | None, actor: str, new: bool = False) -> int:
        """Say who is to read cases (None: anybody); how many that changed.

        Args:
            case_ids: of the cases.
            reader: one that the store knows, or who assigns.
            actor: who assigns.
            new: make the reader where the store does not know them.

        Raises:
            StoreError: the store knows no such reader, or has no such case; then none is assigned.
        """
        name = checked_name(reader) if reader is not None else None
        with self._db.transaction() as session:
            if name is not None and name != actor and not new:
                require_known(session, name)
            changed = [case for case in _cases(session, case_ids) if case.assigned_to != name]
            if name is not None and changed:
                know(session, name, actor)
            for case in changed:
                _assign(session, case, name, actor)
            return len(changed)

    def send_to_arbitration(
        self, worklist_id: int, actor: str, anyway: bool = False
    ) -> tuple[Worklist | None, tuple[int, ...]]:
        """Move each case on which readers' final decisions differ into the list's arbitration list.

        That list has the same form and the name with ": arbitration" after it, and is made where there is none.
        Its cases are nobody's until they are assigned anew. Readers who have not read one keep the veil over it.

        Args:
            worklist_id: of the list.
            actor: who sends them.
            anyway: also those that not all readers of the list have read.

        Returns:
            The arbitration list and the cases that came to it; None and none where all readers agree.

        Raises:
            StoreError: there is no such list, it is one of arbitration, or the other one is closed or no such list.
            UnconfirmedError: see :func:`pathview.review.reading.exposure.require_read`; then none is moved.
        """
        with self._db.transaction() as session:
            source = _list(session, worklist_id)
            if source.mode == "arbitration":
                raise StoreError(f"The worklist {source.name} is one of arbitration already.")
            differing = select(CaseTable).where(CaseTable.worklist_id == worklist_id, CaseTable.state == "arbitration")
            cases = list(session.scalars(differing.order_by(CaseTable.id)))
            if not cases:
                return None, ()
            if not anyway:
                exposure.require_read(session, worklist_id, cases)
            target = _arbitration_of(session, source, actor)
            _moved(session, cases, target, actor, unblind=False)
            return worklist_row(target), tuple(case.id for case in cases)

    def _set(
        self, worklist_id: int, field: str, value: Callable[[Session, WorklistTable], Any], actor: str
    ) -> Worklist:
        """As :func:`_set`, in a transaction of its own."""
        with self._db.transaction() as session:
            return _set(session, worklist_id, field, value, actor)


def _set(
    session: Session, worklist_id: int, field: str, value: Callable[[Session, WorklistTable], Any], actor: str
) -> Worklist:
    """Change one field of a list, with what it was before; nothing is written where it is that already."""
    row = _list(session, worklist_id)
    before, after = getattr(row, field), value(session, row)
    if before != after:
        setattr(row, field, after)
        detail = {"worklist": row.name, "field": field, "from": _plain(before), "to": _plain(after)}
        audit.record(session, actor, "change_worklist", None, detail)
    return worklist_row(row)


def _list(session: Session, worklist_id: int) -> WorklistTable:
    row = session.get(WorklistTable, worklist_id)
    if row is None:
        raise StoreError(f"There is no worklist {worklist_id} in the store.")
    return row


def _named(session: Session, name: str) -> WorklistTable:
    row = session.scalar(select(WorklistTable).where(WorklistTable.name == name))
    if row is None:
        raise StoreError(f"There is no worklist {name!r}; `pathview worklists list` names them.")
    return row


def _created(session: Session, name: str, mode: Mode, form: str, actor: str) -> WorklistTable:
    plain = plain_name(name, "worklist")
    _require_mode(mode)
    _require_free(session, plain)
    row = WorklistTable(name=plain, mode=mode, form=form, kind=None, created=datetime.now(UTC))
    session.add(row)
    session.flush()
    audit.record(session, actor, "create_worklist", None, {"worklist": plain, "mode": mode, "form": form})
    return row


def _arbitration_of(session: Session, source: WorklistTable, actor: str) -> WorklistTable:
    """The list that another list's differing cases come to."""
    name = source.name[: LONGEST_NAME - len(_ARBITRATION)] + _ARBITRATION
    found = session.scalar(select(WorklistTable).where(WorklistTable.name == name))
    if found is None:
        return _created(session, name, "arbitration", source.form, actor)
    if found.mode != "arbitration":
        raise StoreError(f"There is a worklist {name!r} that is not one of arbitration; rename it first.")
    _require_open(found)
    return found


def _moved(session: Session, cases: Sequence[CaseTable], home: WorklistTable, actor: str, unblind: bool) -> int:
    target, changed = worklist_row(home), [case for case in cases if case.worklist_id != home.id]
    by_source = {row.id: worklist_row(row) for row in session.scalars(select(WorklistTable))}
    for worklist_id, source in by_source.items():
        here = [case for case in changed if case.worklist_id == worklist_id]
        if here and source.hides_model is not target.hides_model:
            _lift_or_lay(session, here, source, target, unblind, actor)
    for case in changed:
        source = by_source[case.worklist_id]
        detail = {"worklist": home.name, "from": source.name, "assigned_to": case.assigned_to}
        audit.record(session, actor, "move", case.id, detail)
        case.worklist_id = home.id
        if target.mode == "arbitration":
            case.assigned_to = None
    return len(changed)


def _lift_or_lay(
    session: Session, cases: Sequence[CaseTable], before: Worklist, after: Worklist, unblind: bool, actor: str
) -> None:
    """What the veil asks for where cases come from a list that hides the model to one that does not, or back.

    Raises:
        UnconfirmedError: it would be lifted from cases that are being read, and ``unblind`` does not ask for that.
    """
    if before.hides_model and not unblind:
        exposure.require_unbegun(session, cases, f"the list {after.name}")
    else:
        words = f"the list {(after if before.hides_model else before).name} shows all to everybody"
        exposure.count_as_seen(session, cases, words, actor)


def _free(session: Session, cases: Sequence[CaseTable], actor: str) -> None:
    """Cases of a list that is one of arbitration now are nobody's: who reads a case does not arbitrate it."""
    for case in cases:
        if case.assigned_to is not None:
            _assign(session, case, None, actor)


def _assign(session: Session, case: CaseTable, name: str | None, actor: str) -> None:
    """Say who is to read a case; to whom it is given to arbitrate sees it from then on."""
    audit.record(session, actor, "assign", case.id, {"from": case.assigned_to, "to": name})
    home = worklist_row(case.worklist)
    if name is not None and home.mode == "arbitration" and home.closed is None:
        reading = deciding.begun(session, case.id, name)
        if not deciding.sight_of_case(case, home, reading).model:
            deciding.reveal(session, reading, "assigned to arbitrate")
    case.assigned_to = name


def _cases_of(session: Session, worklist_id: int) -> Sequence[CaseTable]:
    here = select(CaseTable).where(CaseTable.worklist_id == worklist_id).order_by(CaseTable.id)
    return session.scalars(here).all()


def _cases(session: Session, case_ids: Sequence[int]) -> list[CaseTable]:
    """Cases by id, each once.

    Raises:
        StoreError: there is no such case.
    """
    wanted = list(dict.fromkeys(case_ids))
    found: dict[int, CaseTable] = {}
    for ids in parts_of(wanted):
        found |= {case.id: case for case in session.scalars(select(CaseTable).where(CaseTable.id.in_(ids)))}
    missing = next((each for each in wanted if each not in found), None)
    if missing is not None:
        raise StoreError(f"There is no case {missing} in the store.")
    return [found[each] for each in wanted]


def _require_free(session: Session, name: str) -> None:
    if session.scalar(select(WorklistTable.id).where(WorklistTable.name == name)) is not None:
        raise StoreError(f"There is a worklist {name!r} already.")


def _require_mode(mode: str) -> None:
    if mode not in MODES:
        raise StoreError(f"There is no reading mode {mode!r}; there are {', '.join(MODES)}.")


def _require_open(row: WorklistTable) -> None:
    if row.closed is not None:
        raise StoreError(f"The worklist {row.name} is closed; open it again first.")


def _of_open(value: str) -> Callable[[Session, WorklistTable], str]:
    """A value that only a list that is read can be given."""

    def checked(_: Session, row: WorklistTable) -> str:
        _require_open(row)
        return value

    return checked


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
