"""What of a training's past is still news, and what its numbers and curves are called."""

from __future__ import annotations

import pytest

from pathview.gui.wizard.training_seen import Seen
from pathview.gui.wizard.training_views import FactsRow, loss_names
from pathview.training.runs.plan import EventKind, TrainingEvent

MEMORY = "It goes on with 4."


def event(kind: EventKind, sentence: str = "", epoch: int | None = None, **numbers: float | str) -> TrainingEvent:
    return TrainingEvent(kind=kind, sentence=sentence, epoch=epoch, numbers=dict(numbers))


STARTED = event("started", "Training on CPU.", device="CPU")
RESUMED = event("resumed", "Going on after epoch 2 on CPU.", 2, device="CPU")
PAUSED, UNPAUSED = event("paused", "Paused; nothing is lost."), event("resumed", "Going on in epoch 4.", 3)
FULL, SMALLER = event("disk_full", "No room."), event("smaller_batch", MEMORY)
EPOCH = event("epoch", "epoch 3 of 9", 3, loss=0.5)


@pytest.mark.parametrize(
    ("events", "notable"),
    [
        ((STARTED, EPOCH), None),
        ((STARTED, RESUMED, EPOCH), RESUMED),
        ((STARTED, RESUMED, EPOCH, PAUSED), None),
        ((STARTED, RESUMED, EPOCH, PAUSED, UNPAUSED, EPOCH), None),
        ((STARTED, RESUMED, EPOCH, event("finished")), None),
        ((STARTED, PAUSED, UNPAUSED), None),
        ((STARTED, EPOCH, FULL), FULL),
        ((STARTED, EPOCH, FULL, RESUMED), RESUMED),
        ((STARTED, EPOCH, FULL, RESUMED, PAUSED), None),
        ((STARTED, SMALLER, EPOCH, PAUSED, UNPAUSED), SMALLER),
    ],
)
def test_that_only_what_still_holds_stands_beside_the_curves(events, notable: TrainingEvent | None) -> None:
    assert Seen(events).notable == notable


@pytest.mark.parametrize(
    ("objective", "figure", "names"),
    [
        ("dice+bce", "dice", ("training (1 - soft Dice, and cross-entropy)", "validation (1 - Dice)")),
        ("focal", "auc", ("training (focal)", "validation (cross-entropy)")),
        ("", "auc", ("training", "validation")),
    ],
)
def test_that_losses_are_named_as_what_they_are(objective: str, figure: str, names: tuple[str, str]) -> None:
    epoch = event("epoch", "", 1, **{"loss": 0.4, f"validation_{figure}": 0.6})
    assert loss_names(Seen((event("started", objective=objective), epoch))) == names


def test_that_what_a_quick_training_does_not_have_is_not_shown(qtbot) -> None:
    row = FactsRow()
    qtbot.addWidget(row)
    row.show_seen(Seen((STARTED, event("finished", "The classifier is fitted on the features of 40 images."))))
    assert [name for name, value in row.values.items() if not value.isHidden()] == ["Device"]
    row.show_seen(Seen((STARTED, event("epoch", "", 1, loss=0.4, epochs=3, batch=8, memory_bytes=2e9))))
    assert not row.values["Epoch"].isHidden()
    assert row.values["Memory"].text() == "1.9 GB"
