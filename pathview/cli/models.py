"""``pathview models``: recipes, their weights, and weights to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathview.cli import versions
from pathview.cli.base import ReaderOption, StderrProgress, StoreOption, emit, say, session
from pathview.jobs import never
from pathview.models.catalogue import verify_model
from pathview.models.registry import version_problems
from pathview.models.weights import CARD

app = versions.app


@app.command("list")
def models_list(context: typer.Context) -> None:
    """All models, one JSON line each."""
    with session(context) as work:
        found = work.catalogue.found()
        for model in found.models:
            emit(model.as_json())
        for entry in found.damaged:
            say(entry.reason)


@app.command("show")
def models_show(context: typer.Context, name: str) -> None:
    """One model: its recipe, figures and card."""
    with session(context) as work:
        model = work.catalogue.model(name)
        card = model.folder / CARD if model.folder else None
        text = card.read_text(encoding="utf-8") if card and card.is_file() else None
        metrics = model.manifest.metrics if model.manifest else None
        emit({**model.as_json(), "recipe": model.recipe.model_dump(), "metrics": metrics, "card": text})


@app.command("import")
def models_import(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A model that was exported, or ImageNet weights as Keras' .h5.")],
    network: Annotated[
        str | None, typer.Option("--network", help="What ImageNet weights are of, where their name does not say.")
    ] = None,
    trust: Annotated[
        str, typer.Option("--trust", help="Fingerprint of a model's key that is trusted from now on.")
    ] = "",
    reader: ReaderOption = None,
    store: StoreOption = None,
) -> None:
    """Check a model of another machine and keep it as a version, or ImageNet weights from a disk for training."""
    from pathview.compute.worker import Worker
    from pathview.models.archive import is_archive
    from pathview.models.imagenet import import_job

    if is_archive(file):
        versions.take_in(context, file, trust, store, reader)
        return
    settings = context.obj.settings
    child = Worker("import", settings.cancel_grace_s)  # a foreign file is read where it can break nothing
    try:
        imported = child.run(import_job, file.absolute(), network, settings)
    finally:
        child.close()
    if not imported.known_to_keras:
        say(f"{file.name} is not a file that Keras' own sources name; it is kept as it is.")
    emit(imported.model_dump())


@app.command("fetch")
def models_fetch(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="vgg16, vgg19, resnet50, inception-v3, densenet121 or mobilenet.")],
    top: Annotated[bool, typer.Option("--top", help="With ImageNet's dense layers (fc1 and fc2 of VGG).")] = False,
) -> None:
    """Download ImageNet weights that Keras publishes, and keep them for training."""
    from pathview.models.fetch import fetch, genuine_file

    progress = StderrProgress()
    imported = fetch(genuine_file(name, top), context.obj.settings, progress, never())
    progress.clear()
    emit(imported.model_dump())


@app.command("imported")
def models_imported(context: typer.Context) -> None:
    """The ImageNet weights that were imported, one JSON line each."""
    from pathview.models.imagenet import all_kept

    for imported in all_kept(context.obj.settings):
        emit(imported.model_dump())


@app.command("verify")
def models_verify(context: typer.Context) -> None:
    """Check every model's files against its manifest."""
    failed = False
    with session(context) as work:
        found = work.catalogue.found()
        verdicts: list[tuple[str, str, str | None]] = [
            (model.name, model.weights, verify_model(model)) for model in found.models
        ]
        verdicts += [(name, f"version {number}", reason) for name, number, reason in version_problems(work.settings)]
        for name, weights, reason in [*verdicts, *((entry.name, None, entry.reason) for entry in found.damaged)]:
            emit({"name": name, "weights": weights, "ok": reason is None, "reason": reason})
            if reason is not None:
                failed = True
                say(reason)
    raise typer.Exit(int(failed))
