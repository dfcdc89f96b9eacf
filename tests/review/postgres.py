"""A PostgreSQL cluster of the test run's own: in a temporary folder, on loopback, gone afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import sqlalchemy

_SETTINGS = "-c fsync=off -c full_page_writes=off -c max_connections=50 -c listen_addresses=127.0.0.1"
_USER = "postgres"


def programs() -> Path | None:
    """The folder with initdb and pg_ctl, or None; Debian keeps it off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    on_path = shutil.which("pg_ctl")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Cluster:
    """A running server, with a database for each test."""

    def __init__(self, folder: Path) -> None:
        """Make and start it; ``folder`` holds the programs."""
        self._bin = folder
        self._home = Path(tempfile.mkdtemp(prefix="pathview-postgres-"))
        self._count = 0
        self.password = secrets.token_hex(8)
        if os.getuid() == 0:
            shutil.chown(self._home, _USER, _USER)
        self._data = self._home / "data"
        secret = self._home / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)
        self._run("initdb", "-D", self._data, "-U", _USER, "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync",
                  "--locale=C", "-E", "UTF8")  # fmt: skip
        self.port = self._started()
        self._watch = self._watched()
        self._admin = sqlalchemy.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")

    def url(self, database: str, user: str = _USER, password: str | None = None) -> str:
        """The address of a database."""
        secret = self.password if password is None else password
        return f"postgresql+psycopg://{user}:{secret}@127.0.0.1:{self.port}/{database}"

    def new_database(self, template: str = "template0") -> str:
        """The address of a new database: an empty one, or a copy."""
        self._count += 1
        name = f"test_{self._count}"
        with self._admin.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Have a database gone, whoever is still connected."""
        self.run_sql(f"DROP DATABASE {sqlalchemy.make_url(url).database} WITH (FORCE)")

    def run_sql(self, statement: str) -> None:
        """Run a statement as the administrator, outside transactions."""
        with self._admin.connect() as connection:
            connection.exec_driver_sql(statement)

    def stop(self) -> None:
        """End the server and remove its files."""
        self._admin.dispose()
        assert self._watch.stdin is not None
        self._watch.stdin.close()
        self._watch.wait()

    def _watched(self) -> subprocess.Popen[bytes]:
        """A process that ends the server and removes its files once this one lets it, or was killed."""
        ending = f"read _; '{self._bin}/pg_ctl' -D '{self._data}' -m immediate -w stop; rm -rf '{self._home}'"
        return subprocess.Popen(
            ["sh", "-c", ending],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **_other_user(),
        )

    def _started(self) -> int:
        """Start on a free port; another program may take it in between, so more than one is tried."""
        for _ in range(5):
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            options = f"-p {port} -k {self._home} {_SETTINGS}"
            try:
                self._run("pg_ctl", "-D", self._data, "-w", "-l", self._home / "log", "-o", options, "start")
            except subprocess.CalledProcessError:
                continue
            return port
        raise RuntimeError((self._home / "log").read_text())

    def _run(self, program: str, *arguments: object) -> None:
        """Run one of PostgreSQL's programs; they refuse root, who becomes another."""
        command = [str(self._bin / program), *map(str, arguments)]
        environment = {**os.environ, "LC_ALL": "C"}
        subprocess.run(command, cwd=self._home, env=environment, check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, **_other_user())  # fmt: skip


def _other_user() -> dict[str, Any]:
    return {"user": _USER, "group": _USER, "extra_groups": []} if os.getuid() == 0 else {}
