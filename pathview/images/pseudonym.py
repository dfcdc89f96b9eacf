"""Pseudonyms: keys that group a patient's images without carrying the patient's id.

A plain hash of a hospital number is found by trying all numbers, so the hash is keyed with a secret
that never leaves this installation.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from functools import cache
from pathlib import Path

from pathview.settings import user_data_dir

_LENGTH = 16


def pseudonym(kind: str, *parts: str | None) -> str | None:
    """A key that is the same for the same parts on this installation; None where all parts are empty."""
    if not any(parts):
        return None
    message = "\0".join([kind, *(part or "" for part in parts)]).encode()
    return hmac.new(_secret(user_data_dir()), message, hashlib.sha256).hexdigest()[:_LENGTH]


@cache
def _secret(folder: Path) -> bytes:
    """The installation's secret; one for this process alone where no folder can be written."""
    path = folder / "pseudonym.key"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(32))
    except FileExistsError:
        pass
    except OSError:
        return secrets.token_bytes(32)
    return path.read_bytes()
