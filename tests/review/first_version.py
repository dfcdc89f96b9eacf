"""A store as the first version left it: its tables by the first migration, its rows by plain SQL."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy
from alembic import command
from alembic.config import Config

import pathview.review

ROWS = (
    "INSERT INTO cases (id, key, title, kind, state, rank, doubt, flags, decision, created) "
    "VALUES (1, 'file a', 'a.dcm', 'mammogram', 'decided', 5, 0.1, 1, 'negative', '2025-01-02 03:04:05.000006')",
    "INSERT INTO images (id, case_id, place, path, fingerprint, info, mpp_um) "
    """VALUES (1, 1, 0, '/data/a.dcm', '', '{"kind": "mammogram", "size": [4, 4]}', 70.5)""",
    "INSERT INTO results (id, image_id, status, recipe, score, lower, upper, label, threshold, flags, mask, "
    "provenance, seconds, created) VALUES (1, 1, 'analysed', 'tiny', 5.0, 2, 10, 'not_sure', 0.5, "
    """'[["f0", "Because."]]', '{"area_px": 10}', '{"weights_sha256": "w"}', 1.0, '2025-01-02 03:04:06')""",
    "INSERT INTO decisions (id, case_id, value, note, reader, context, created) "
    "VALUES (1, 1, 'negative', 'Größe', 'Dr A', '{}', '2025-01-02 03:04:07')",
    "INSERT INTO audit (id, created, actor, action, case_id, detail, app_version) "
    """VALUES (1, '2025-01-02 03:04:05', 'Dr A', 'add', 1, '{"images": 1}', '0.1.0')""",
    "INSERT INTO audit (id, created, actor, action, case_id, detail, app_version) "
    """VALUES (2, '2025-01-02 03:04:06', 'Dr A', 'analyse', 1, '{"image": 1, "result": 1}', '0.1.0')""",
    "INSERT INTO audit (id, created, actor, action, case_id, detail, app_version) "
    """VALUES (3, '2025-01-02 03:04:07', 'Dr A', 'decide', 1, '{"decision": 1, "value": "negative"}', '0.1.0')""",
)


def make(place: Path | str) -> None:
    """Make it at a path or an address."""
    url = place if isinstance(place, str) else sqlalchemy.URL.create("sqlite", database=str(place))
    engine = sqlalchemy.create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(Path(pathview.review.__file__).parent / "sql" / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in ROWS:
            connection.exec_driver_sql(statement)
    engine.dispose()
