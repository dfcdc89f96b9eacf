"""Verbs that look at a finished training: its result, its thresholds, its challenges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pathview.cli.base import ReaderOption, RuntimeOption, StderrProgress, emit, say, session
from pathview.cli.runs import Others, run_of
from pathview.models.runtimes import Runtime

if TYPE_CHECKING:
    from pathview.training.judging.chooser import Choice, Chooser

app = typer.Typer(rich_markup_mode=None)
RunOption = Annotated[Path | None, typer.Option("--run", help="Folder or name of a training.")]
RunFolderOption = Annotated[Path, typer.Option("--run", help="Folder or name of a training.")]


def evaluate_run(context: typer.Context, folder: Path, runtime: Runtime | None, reader: str | None) -> None:
    """The model of a run on its locked test patients, as ``pathview evaluate --run`` prints it."""
    from pathview.training.judging.result import make_result

    trained = run_of(context, folder)
    others = Others.of(trained)  # what is damaged is told before the test patients are looked at
    progress = StderrProgress()
    with session(context, runtime=runtime, reader=reader) as work:
        result = work.engine.run(make_result, trained, work.reader, work.settings, progress=progress)
    progress.clear()
    for peer in (*result.baselines, *([result.base] if result.base else [])):
        say(peer.sentence)
    for notice in result.notices:
        say(notice)
    others.say()
    emit({**result.summary(), "run": str(folder), **others.summaries})


@app.command()
def threshold(
    context: typer.Context,
    run: RunFolderOption,
    prevalence: Annotated[
        float | None, typer.Option("--prevalence", help="Share who have it: 0.006 is 6 of 1,000.")
    ] = None,
    coverage: Annotated[float, typer.Option("--coverage", help="Wished of the conformal sets.")] = 0.9,
    conformal: Annotated[bool, typer.Option("--conformal", help="The not-sure band of the conformal sets.")] = False,
    calibrate: Annotated[
        bool, typer.Option("--calibrate/--no-calibrate", help="Calibrate the score by a temperature; limits are of it.")
    ] = False,
    at: Annotated[float | None, typer.Option("--threshold", help="Instead of the one that is suggested.")] = None,
    lower: Annotated[float | None, typer.Option("--lower", help="Where the not-sure band begins.")] = None,
    upper: Annotated[float | None, typer.Option("--upper", help="Where the not-sure band ends.")] = None,
    least: Annotated[
        float | None, typer.Option("--least", help="Of more than two classes: sure from this probability on.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep them, and tell the test patients' figures once.")] = False,
    reader: ReaderOption = None,
) -> None:
    """Of 1,000 women so many missed, so many recalled: thresholds by the validation patients; --keep tests them."""
    from pathview.training.judging.chooser import choosers
    from pathview.training.judging.choosing import keep_choice

    folder = run_of(context, run)
    chooser = choosers(folder)["validation"]
    by: Literal["errors", "conformal"] = "conformal" if conformal else "errors"
    found = chooser.suggested(prevalence, coverage, by, chooser.calibrating() if calibrate else 1)
    given = {"threshold": at, "lower": lower, "upper": upper, "least": least}
    choice = found.model_copy(update={name: value for name, value in given.items() if value is not None})
    say(f"{chooser.about_tempering} {chooser.about_risk}".strip())
    if not keep:
        _say_validation(chooser, choice)
        return
    with session(context, reader=reader) as work:
        kept = work.engine.run(keep_choice, folder, choice, work.reader, work.settings)
    say(f"On the test patients. {' '.join(kept.tested)}")
    for notice in kept.notices:
        say(notice)
    emit(kept.model_dump(mode="json"))


def _say_validation(chooser: Chooser, choice: Choice) -> None:
    """What a choice does to the validation patients."""
    tempering = chooser.tempering.model_dump() if chooser.tempering is not None else None
    more = {"part": "validation", "temperature": choice.temperature, "tempering": tempering}
    if chooser.many:
        sure = chooser.classes_at(choice.temperature).at(choice.least)
        say(f"On the validation patients. {sure.sentence}")
        emit({**more, **sure.model_dump()})
        return
    scores = chooser.scores_at(choice.temperature)
    outcome = scores.at(choice.threshold, choice.prevalence)
    band = scores.band(choice.lower, choice.upper, choice.prevalence)
    say(f"On the validation patients. {outcome.sentence} {band.sentence}")
    emit({**more, **outcome.model_dump(), "band": band.model_dump()})


@app.command()
def challenge(context: typer.Context, run: RunFolderOption, runtime: RuntimeOption = None) -> None:
    """Try to show that a trained model learnt nothing: shuffled labels, blank images, randomised weights."""
    from pathview.training.judging.challenge import challenge_model

    folder, progress = run_of(context, run), StderrProgress()
    with session(context, runtime=runtime) as work:
        found = work.engine.run(challenge_model, folder, work.settings, progress=progress)
    progress.clear()
    for one in found.challenges:
        say(one.sentence)
    say(found.about_uses)
    emit(found.model_dump(mode="json"))
