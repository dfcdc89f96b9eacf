"""``pathview dataset``: what a training learns from: found, corrected, split by patient, checked."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pathview.cli.base import ReaderOption, StderrProgress, StoreOption, conditions, emit, say, session

if TYPE_CHECKING:
    from pathview.training.runs.plan import Plan, Source
    from pathview.training.runs.run_folder import RunFolder

app = typer.Typer(rich_markup_mode=None, help="What a training learns from.", no_args_is_help=True)
RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Folder of the training, or the name of one.")]
_TASKS = ("classification", "segmentation", "segment_and_decide")


def _run(context: typer.Context, name: str) -> RunFolder:
    from pathview.training.runs.run_folder import existing_run

    return existing_run(name, context.obj.settings)


@app.command("collect")
def dataset_collect(
    context: typer.Context,
    run: RunArgument,
    data: Annotated[list[Path] | None, typer.Option("--data", help="Folder or csv; may be given again.")] = None,
    answers: Annotated[bool, typer.Option("--answers", help="The gallery's answers in the store.")] = False,
    decisions: Annotated[bool, typer.Option("--decisions", help="Decisions on cases of the store.")] = False,
    annotations: Annotated[bool, typer.Option("--annotations", help="Outlines drawn in the store.")] = False,
    cases: Annotated[list[int] | None, typer.Option("--case", help="Only these cases of the store.")] = None,
    task: Annotated[str | None, typer.Option("--task", help=f"{', '.join(_TASKS)}.")] = None,
    classes: Annotated[str | None, typer.Option("--classes", help="Names with commas, the positive one last.")] = None,
    patient_pattern: Annotated[
        str, typer.Option("--patient-pattern", help="Regular expression on file names; its group is the patient.")
    ] = "",
    where: Annotated[list[str] | None, typer.Option("--where", help="column=value of the label table.")] = None,
    store: StoreOption = None,
    reader: ReaderOption = None,
) -> None:
    """Find all images and look at each; without sources, those of the training's plan once more."""
    from pathview.training.data.samples import absolute
    from pathview.training.preparing.collect import CollectRequest, collect
    from pathview.training.preparing.store_labels import labels_by_source
    from pathview.training.runs.plan import Source
    from pathview.training.runs.run_folder import PLAN, named_run

    if task is not None and task not in _TASKS:
        raise typer.BadParameter(f"--task is one of {', '.join(_TASKS)}")
    folder = named_run(run, context.obj.settings)
    wanted = conditions(where or [])
    sources = [Source(path=absolute(path), patient_pattern=patient_pattern, where=wanted) for path in data or []]
    asked = {"answers": answers, "decisions": decisions, "annotations": annotations}
    chosen: list[Any] = [kind for kind, yes in asked.items() if yes]
    sources += [Source(kind=kind, case_ids=tuple(cases or ())) for kind in chosen]
    plan = _planned(folder.plan() if folder.has(PLAN) else None, folder.name, tuple(sources), task, classes)
    progress = StderrProgress()
    of_store = any(source.kind != "files" for source in plan.sources)
    with session(context, store, keep=of_store, write=False, reader=reader) as work:
        labels = labels_by_source(plan, work.cases, work.protocol) if of_store else {}
        request = CollectRequest(folder, plan, labels)
        found = work.engine.run(collect, request, work.settings, progress=progress)
    progress.clear()
    folder.write_plan(plan)
    for notice in found.notices:
        say(notice)
    emit({"run": str(folder.path), **asdict(found)})


def _planned(
    before: Plan | None, title: str, sources: tuple[Source, ...], task: str | None, classes: str | None
) -> Plan:
    """The plan with what was asked for; everything else stays."""
    from pydantic import ValidationError

    from pathview.training.runs.plan import Plan, Question

    plan = before or Plan(title=title)
    question = plan.question.model_dump()
    if task is not None:
        question["task"] = task
    if classes is not None:
        question["classes"] = tuple(name.strip() for name in classes.split(","))
    try:
        changes = {"question": Question.model_validate(question), "sources": sources or plan.sources}
    except ValidationError as error:
        raise typer.BadParameter(f"--classes: {error.errors()[0]['msg']}") from error
    return plan.model_copy(update=changes)


@app.command("correct")
def dataset_correct(
    context: typer.Context,
    run: RunArgument,
    file: Annotated[Path, typer.Argument(help="An image of the data.")],
    label: Annotated[str, typer.Option("--label", help="The class that it has.")] = "",
    leave_out: Annotated[bool, typer.Option("--leave-out", help="Do not learn from it.")] = False,
    reader: ReaderOption = None,
) -> None:
    """Say what an image is, in the plan alone: the files stay as they are. Without an option: take that back."""
    from pathview.errors import DataError
    from pathview.settings import login_name
    from pathview.training.data.samples import absolute
    from pathview.training.runs.plan import Correction

    folder = _run(context, run)
    plan, path = folder.plan(), absolute(file)
    if label and label not in plan.question.classes:
        raise typer.BadParameter(f"--label is one of {', '.join(plan.question.classes)}")
    if path not in {row.file for row in folder.rows()}:
        raise DataError(f"{file.name} is not among the images of {folder.name}.")
    plan = plan.with_correction(Correction(file=path, label=label, leave_out=leave_out, who=reader or login_name()))
    folder.write_plan(plan)
    emit({"run": str(folder.path), "file": str(path), "label": label or None, "left_out": leave_out})


@app.command("split")
def dataset_split(
    context: typer.Context,
    run: RunArgument,
    seed: Annotated[int | None, typer.Option("--seed", min=0)] = None,
    train: Annotated[float | None, typer.Option("--train", min=0.05, max=0.95, help="Share of the patients.")] = None,
    validation: Annotated[float | None, typer.Option("--validation", min=0, max=0.9)] = None,
    folds: Annotated[int | None, typer.Option("--folds", min=0, max=20, help="Cross-validation; 0: none.")] = None,
    who: Annotated[str, typer.Option("--override-by", help="Your name: images without a patient count alone.")] = "",
    why: Annotated[str, typer.Option("--override-because", help="Why; it stands on the model card.")] = "",
) -> None:
    """Split by patient and lock the test part."""
    from pydantic import ValidationError

    from pathview.training.runs.locked_split import lock_split
    from pathview.training.runs.plan import PARTS, Override, SplitPlan

    if bool(who) != bool(why):
        raise typer.BadParameter("give --override-by and --override-because together")
    folder = _run(context, run)
    before = folder.plan()
    given = {"seed": seed, "train": train, "validation": validation, "folds": folds}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if who:
        changes["override"] = Override(who=who, why=why)
    try:
        spec = SplitPlan.model_validate({**dict(before.split), **changes})
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"]) from error
    plan = before.model_copy(update={"split": spec})
    split = lock_split(folder, plan)
    patients = {part: len(split.patients(part)) for part in PARTS}
    told = split.model_dump(include={"by", "images", "shared_patients", "moved", "seed", "override", "sha256"})
    emit({"run": str(folder.path), "patients": patients, **told, "folds": spec.folds})


@app.command("health")
def dataset_health(context: typer.Context, run: RunArgument) -> None:
    """Check data and split; the exit status is 1 where a finding is red, since training would mislead."""
    from pathview.training.preparing.health import check_health

    folder, progress = _run(context, run), StderrProgress()
    with session(context) as work:
        health = work.engine.run(check_health, folder, work.settings, progress=progress)
    progress.clear()
    for finding in health.findings:
        say(f"{finding.level:>5}  {finding.sentence}")
    emit({"run": str(folder.path), "blocked": health.blocked, **health.model_dump(mode="json", include={"findings"})})
    if health.blocked:
        raise typer.Exit(1)
