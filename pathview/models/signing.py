"""Who made a model's archive: an Ed25519 key of this installation, and those of others that somebody here trusts."""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from pathview.errors import ModelError, OutputError
from pathview.models.journal import Journal
from pathview.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_PRIVATE = "model-key.pem"
_TRUSTED = "trusted.jsonl"
_GROUPS, _DIGITS = 8, 4


class TrustedKey(BaseModel):
    """A key of another installation that somebody here said to trust, or no longer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(pattern=r"^[0-9a-f]{64}$")
    """The public key, hexadecimal."""
    owner: str
    """Whose it is, as its owner calls themselves."""
    who: str
    """Who trusts it."""
    at: str


def keys_dir(settings: Settings) -> Path:
    """Where keys lie; the private one is readable by its owner alone."""
    return settings.data_dir / "keys"


class MachineKey:
    """This installation's own key, made at its first use."""

    def __init__(self, settings: Settings) -> None:
        """Read the key, or make one.

        Raises:
            ModelError: the file of the key is damaged.
            OutputError: it cannot be written.
        """
        path = keys_dir(settings) / _PRIVATE
        self._private = _read(path) if path.exists() else _make(path)

    @property
    def public(self) -> str:
        """The public key, 64 hexadecimal digits."""
        return self._private.public_key().public_bytes_raw().hex()

    def sign(self, content: bytes) -> str:
        """The signature of some bytes, 128 hexadecimal digits."""
        return self._private.sign(content).hex()


def is_signed(content: bytes, signature: str, key: str) -> bool:
    """Whether a signature of some bytes was made by the owner of a public key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(bytes.fromhex(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(key: str) -> str:
    """What people compare by telephone: eight groups of four hexadecimal digits."""
    digits = hashlib.sha256(bytes.fromhex(key)).hexdigest()[: _GROUPS * _DIGITS]
    return " ".join(digits[at : at + _DIGITS] for at in range(0, len(digits), _DIGITS))


def same_fingerprint(one: str, other: str) -> bool:
    """Whether two fingerprints are equal, however they are spaced."""
    return one.replace(" ", "").lower() == other.replace(" ", "").lower()


def is_trusted(key: str, settings: Settings) -> bool:
    """Whether a key is this installation's own, or somebody here trusts it.

    Raises:
        ModelError: the list of trusted keys is damaged.
    """
    own = keys_dir(settings) / _PRIVATE
    if own.exists() and MachineKey(settings).public == key:
        return True
    return any(known.key == key for known in _journal(settings).records())


def trust(key: str, owner: str, who: str, settings: Settings) -> TrustedKey:
    """Keep that somebody trusts a key.

    Raises:
        OutputError: it cannot be kept.
    """
    known = TrustedKey(key=key, owner=owner, who=who, at=datetime.now(UTC).isoformat(timespec="seconds"))
    return _journal(settings).append(lambda _: known)


def _journal(settings: Settings) -> Journal[TrustedKey]:
    return Journal(keys_dir(settings) / _TRUSTED, TrustedKey)


def _read(path: Path) -> Ed25519PrivateKey:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ModelError(f"The key that signs models ({path.name}) cannot be read.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ModelError(f"The key that signs models ({path.name}) is of another kind than Ed25519.")
    return key


def _make(path: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    content = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    beside = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise OutputError(f"The key that signs models cannot be kept: {error.strerror}.") from error
    return key
