"""Downloading ImageNet weights where there is a network: with progress, and going on where it was broken off."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from pathview.errors import ModelError, OutputError
from pathview.jobs import CancelToken, Progress, ProgressSink, checkpoint
from pathview.models.imagenet import BACKBONES, GENUINE, Genuine, Imported, import_file, weights_folder
from pathview.settings import Settings

_BLOCK = 2**18
_TIMEOUT_S = 30.0
_PARTIAL = 206


def genuine_file(backbone: str, top: bool) -> Genuine:
    """The file that Keras publishes for a backbone.

    Raises:
        ModelError: there is no such backbone.
    """
    found = next((entry for entry in GENUINE if (entry.backbone, entry.top) == (backbone, top)), None)
    if found is None:
        raise ModelError(f"There are no ImageNet weights of {backbone!r}; there are {', '.join(BACKBONES)}.")
    return found


def fetch(entry: Genuine, settings: Settings, progress: ProgressSink, cancel: CancelToken) -> Imported:
    """Download a file and import it; a part that came before is kept and not loaded again.

    Raises:
        ModelError: no connection, or what came is not the file that Keras names.
        Cancelled: what came so far is kept.
    """
    partial = weights_folder(settings) / f"{entry.file}.part"
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        for done, total in _download(entry.url, partial, cancel):
            progress(Progress(done, total or 0, f"{entry.file}, {done / 2**20:.0f} MB"))
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", None) or type(error).__name__
        raise ModelError(
            f"{entry.file} cannot be loaded from {entry.url}: {reason}. Without a network, carry the file here and "
            "import it (pathview models import FILE)."
        ) from error
    except OSError as error:
        raise OutputError(f"{entry.file} cannot be kept in {partial.parent}: {error.strerror}.") from error
    whole = partial.with_name(entry.file)
    partial.replace(whole)
    try:
        return import_file(whole, entry.backbone, settings)
    finally:
        whole.unlink(missing_ok=True)


def _download(url: str, partial: Path, cancel: CancelToken) -> Iterator[tuple[int, int | None]]:
    """Append to a file what it misses; yields bytes that are there and bytes in all."""
    done = partial.stat().st_size if partial.is_file() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={done}-"} if done else {})  # noqa: S310 (of our own table)
    try:
        answer: HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT_S)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code == 416:  # nothing is missing
            return
        raise
    with answer:
        resumed = answer.status == _PARTIAL
        done = done if resumed else 0
        length = answer.headers.get("Content-Length")
        total = done + int(length) if length else None
        with partial.open("ab" if resumed else "wb") as file:
            while block := answer.read(_BLOCK):
                checkpoint(cancel)
                file.write(block)
                done += len(block)
                yield done, total
    if total is not None and done < total:
        raise ConnectionError("the connection broke off; fetch it again to go on")
