"""Verbs that look at a finished training: its result, its thresholds, its challenges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pathview.cli.base import ReaderOption, RuntimeOption, StderrProgress, emit, say, session
from pathview.models.runtimes import Runtime

app = typer.Typer(rich_markup_mode=None)
RunOption = Annotated[Path | None, typer.Option("--run", help="Folder of a training.")]
RunFolderOption = Annotated[Path, typer.Option("--run", help="Folder of a training.")]


def evaluate_run(context: typer.Context, folder: Path, runtime: Runtime | None) -> None:
    """The model of a run on its locked test patients, as ``pathview evaluate --run`` prints it."""
    from pathview.training.judging.result import make_result
    from pathview.training.runs.run_folder import RunFolder

    progress = StderrProgress()
    with session(context, runtime=runtime) as work:
        result = work.engine.run(make_result, RunFolder(folder), work.reader, work.settings, progress=progress)
    progress.clear()
    for peer in (*result.baselines, *([result.base] if result.base else [])):
        say(peer.sentence)
    for notice in result.notices:
        say(notice)
    emit({**result.summary(), "run": str(folder)})


@app.command()
def threshold(
    context: typer.Context,
    run: RunFolderOption,
    prevalence: Annotated[float, typer.Option("--prevalence", help="Share who have it: 0.006 is 6 of 1,000.")] = 0.006,
    coverage: Annotated[float, typer.Option("--coverage", help="Wished of the conformal sets.")] = 0.9,
    conformal: Annotated[bool, typer.Option("--conformal", help="The not-sure band of the conformal sets.")] = False,
    at: Annotated[float | None, typer.Option("--threshold", help="Instead of the one that is suggested.")] = None,
    lower: Annotated[float | None, typer.Option("--lower", help="Where the not-sure band begins.")] = None,
    upper: Annotated[float | None, typer.Option("--upper", help="Where the not-sure band ends.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep them, and tell the test patients' figures once.")] = False,
    reader: ReaderOption = None,
) -> None:
    """Of 1,000 women so many missed, so many recalled: thresholds by the validation patients; --keep tests them."""
    from pathview.training.judging.choosing import keep_choice, suggested, validation_scores
    from pathview.training.runs.run_folder import RunFolder

    folder = RunFolder(run)
    found = suggested(folder, prevalence, coverage, "conformal" if conformal else "errors")
    given = {"threshold": at, "lower": lower, "upper": upper}
    choice = found.model_copy(update={name: value for name, value in given.items() if value is not None})
    if not keep:
        scores = validation_scores(folder)
        outcome = scores.at(choice.threshold, prevalence)
        band = scores.band(choice.lower, choice.upper, prevalence)
        say(f"On the validation patients. {outcome.sentence} {band.sentence}")
        emit({"part": "validation", **outcome.model_dump(), "band": band.model_dump()})
        return
    with session(context, reader=reader) as work:
        kept = work.engine.run(keep_choice, folder, choice, work.reader, work.settings)
    say(f"On the test patients. {kept.test.sentence} {kept.test_band.sentence}")
    for notice in kept.notices:
        say(notice)
    emit(kept.model_dump(mode="json"))


@app.command()
def challenge(context: typer.Context, run: RunFolderOption, runtime: RuntimeOption = None) -> None:
    """Try to show that a trained model learnt nothing: shuffled labels, blank images, randomised weights."""
    from pathview.training.judging.challenge import challenge_model
    from pathview.training.runs.run_folder import RunFolder

    progress = StderrProgress()
    with session(context, runtime=runtime) as work:
        found = work.engine.run(challenge_model, RunFolder(run), work.settings, progress=progress)
    progress.clear()
    for one in found.challenges:
        say(one.sentence)
    say(found.about_uses)
    emit(found.model_dump(mode="json"))
