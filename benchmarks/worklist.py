"""The worklist at 100,000 cases: pages, counts and neighbours in every order and filter, beside a bare ``SELECT``."""

from __future__ import annotations

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import insert, text

from benchmarks.common import report
from pathview.review.reading.listed import DECIDED, LOCKED, OPENED, seen_by, words_of
from pathview.review.reading.worklist_query import BY_MODEL, LABELS, ORDERS, STATES, WorklistQuery
from pathview.review.sql.database import Database
from pathview.review.sql.reading_tables import ReadingTable
from pathview.review.sql.seals import seal_rows
from pathview.review.sql.tables import CaseTable, ImageTable
from pathview.review.store import Store

LIMIT_MS = 100.0
CASES = 100_000
READERS = {"Dr A": 0.6, "Dr B": 0.4, "Dr C": 0.2, "Dr D": 0.97}
"""Share of the cases that each has at least opened."""
_LISTS = (("Mammograms", "mammogram", 60), ("Tissue", "histology", 20), ("Other images", "other", 8),
          ("Samples", "sample", 2), ("Reader study", "mammogram", 10))  # fmt: skip
_RANKS = {"not_sure": 0, "not_analysed": 1, None: 2, "positive": 3, "negative": 4}
_PAGE = 200
_NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _case(number: int, worklist_id: int, kind: str, readings: list[dict[str, Any]], rng: random.Random) -> dict:
    label = rng.choices((*LABELS, None), (10, 25, 55, 2, 8))[0]
    thirds = {"positive": (2 / 3, 1), "not_sure": (1 / 3, 2 / 3), "negative": (0, 1 / 3)}
    position = rng.uniform(*thirds[label]) if label in thirds else None
    finals = {row["final"] for row in readings if row["final"]}
    state = "arbitration" if len(finals) > 1 else "decided" if finals else "analysed" if label else "new"
    title, date = f"Mammogram {rng.randrange(10**7):07} L+R", f"20{rng.randrange(10, 26)}-{rng.randrange(1, 13):02}-11"
    patient = f"{rng.getrandbits(128):032x}"
    steps = [(row["reader"], DECIDED if row["final"] else LOCKED if row["locked"] else OPENED) for row in readings]
    return {
        "id": number, "key": f"study 1.2.840.113619.2.{rng.getrandbits(60)}.{number}", "title": title, "kind": kind,
        "patient_key": patient, "study_date": date if number % 50 else None, "state": state, "label": label,
        "score": position, "position": position, "rank": _RANKS[label],
        "doubt": abs(position - 0.5) if position is not None else 1.0, "flags": rng.randrange(3),
        "decision": max(finals, default=None), "worklist_id": worklist_id,
        "assigned_to": rng.choice((None, None, "Dr A", "Dr B")), "shuffle": rng.getrandbits(31),
        "seen": seen_by(steps), "words": words_of(title, patient, date if number % 50 else None),
        "created": _NOW + timedelta(seconds=number),
    }  # fmt: skip


def _readings(number: int, rng: random.Random) -> list[dict[str, Any]]:
    found = []
    for reader, share in READERS.items():
        if rng.random() < share:
            chance = rng.random()
            value = rng.choice(("positive", "negative", "negative"))
            found.append({
                "case_id": number, "reader": reader, "opened": _NOW, "locked": _NOW if chance < 0.9 else None,
                "revealed": None, "decided": _NOW if chance < 0.8 else None, "first": value if chance < 0.9 else None,
                "final": value if chance < 0.8 else None, "seconds": 30.0,
            })  # fmt: skip
    return found


def fill(database: Database) -> None:
    """Cases with one image each, in five lists, and what four readers did with them."""
    rng = random.Random(6)
    store = Store(database)
    study = store.worklists.create("Reader study", "blind", "mammography", "bench")
    homes = {each.name: each.id for each in store.worklists.all()}
    assert study.id in homes.values()
    readings = 0
    for start in range(1, CASES + 1, 5000):
        tables: dict[Any, list[dict[str, Any]]] = {CaseTable: [], ImageTable: [], ReadingTable: []}
        for number in range(start, start + 5000):
            name, kind, _ = rng.choices(_LISTS, [share for *_, share in _LISTS])[0]
            own = _readings(number, rng)
            tables[CaseTable].append(_case(number, homes[name], kind, own, rng))
            tables[ImageTable].append({
                "id": number, "case_id": number, "place": 0, "path": f"/data/{number}.dcm", "fingerprint": "x",
                "info": {"kind": kind}, "mpp_um": None,
            })  # fmt: skip
            tables[ReadingTable] += [{"id": readings + place, **row} for place, row in enumerate(own, 1)]
            readings += len(own)
        with database.transaction() as session:
            for table, rows in tables.items():
                session.execute(insert(table), seal_rows(table.__table__, rows))


def _queries(store: Store) -> Iterator[WorklistQuery]:
    filters: tuple[dict[str, Any], ...] = (
        {}, *({"state": state} for state in STATES), {"label": "negative"}, {"assigned": "me"},
        {"assigned": "nobody", "kind": "mammogram"},
    )  # fmt: skip
    largest = max(store.worklists.sizes().items(), key=lambda item: item[1])[0]
    for worklist, order, wanted, search in product(
        (None, largest), ORDERS, filters, ("", "4321", "mammogram", "l+r 2019-")
    ):
        yield WorklistQuery(worklist, order=order, search=search, reverse=len(search) == 4, **wanted)


@dataclass(frozen=True)
class _Taken:
    """What calls of one kind took."""

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Of this process, which other programs on the machine hardly change."""

    def time(self, step: Callable[[], Any]) -> Any:
        wall, cpu = time.perf_counter(), time.process_time()
        found = step()
        self.wall.append(1000 * (time.perf_counter() - wall))
        self.cpu.append(1000 * (time.process_time() - cpu))
        return found


def _measure(store: Store, by_model: bool, taken: Mapping[str, _Taken]) -> None:
    """Every query that follows the model, or every other one."""
    rng = random.Random(1)
    lists = store.worklists
    for query in _queries(store):
        if (query.order in BY_MODEL or query.label is not None) is not by_model:
            continue
        reader = rng.choice(tuple(READERS))
        counts = taken["counts"].time(partial(lists.counts, query, reader))
        for name, offset in (("first", 0), ("middle", counts.total // 2), ("last", max(0, counts.total - _PAGE))):
            rows = taken[f"{name}_page"].time(partial(lists.page, query, reader, _PAGE, offset))
            assert len(rows) == min(_PAGE, counts.total - offset)
            for by in (1, -1) if rows else ():
                row = rows[len(rows) // 2]
                taken["neighbour"].time(partial(lists.following, query, reader, row.id, by, row.state))


def _floor(database: Database) -> _Taken:
    """Pages of all cases by title, ids alone, of any depth: what the database takes without any rule of ours."""
    rng = random.Random(2)
    taken = _Taken()
    bare = text("SELECT id FROM cases ORDER BY title, id LIMIT :n OFFSET :skipped")

    def page(skipped: int) -> Any:
        with database.reading() as session:
            return session.execute(bare, {"n": _PAGE, "skipped": skipped}).all()

    for _ in range(300):
        taken.time(partial(page, rng.randrange(CASES - _PAGE)))
    return taken


def run() -> bool:
    """On SQLite; PATHVIEW_BENCH_STORE names an empty PostgreSQL database to measure instead."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(os.environ.get("PATHVIEW_BENCH_STORE") or Path(folder) / "cases.sqlite")
        try:
            fill(database)
            return measure(database)
        finally:
            database.close()


def measure(database: Database) -> bool:
    """Time a filled store; lists that hide the model are closed half way, so that all cases can be sorted by it."""
    store = Store(database)
    taken = {name: _Taken() for name in ("first_page", "middle_page", "last_page", "counts", "neighbour")}
    _measure(store, False, taken)
    for each in store.worklists.all():
        if each.hides_model:
            store.worklists.close(each.id, "bench")
    _measure(store, True, taken)
    floor = _floor(database)
    results = [_report(name, each, floor) for name, each in taken.items()]
    return all(results)


def _report(name: str, taken: _Taken, floor: _Taken) -> bool:
    p50, p95, p99 = (float(value) for value in np.percentile(taken.wall, (50, 95, 99)))
    bare = float(np.median(floor.wall))
    return report(
        f"worklist_{name}", p99 < LIMIT_MS, p50_ms=p50, p95_ms=p95, p99_ms=p99, limit_ms=LIMIT_MS,
        calls=len(taken.wall), cpu_p50_ms=float(np.median(taken.cpu)), cpu_p99_ms=float(np.percentile(taken.cpu, 99)),
        bare_select_p50_ms=bare, bare_select_p99_ms=float(np.percentile(floor.wall, 99)), ratio=p50 / bare,
    )  # fmt: skip
