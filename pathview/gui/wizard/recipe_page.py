"""Page 6: how it is trained: quick, thorough or exact, how long that takes, and every number under "more"."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer, Slot
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from pathview.gui.job_runner import Job, Work
from pathview.gui.theme import Theme
from pathview.gui.wizard.base_page import BasePage, dim, strong
from pathview.gui.wizard.estimates import Estimates
from pathview.gui.wizard.hyper_editor import HyperEditor
from pathview.gui.wizard.level_card import LevelCard
from pathview.gui.wizard.offers import LEVELS, Offer, Reckoned, forecast_of, import_weights, offers, reckon
from pathview.gui.wizard.picture_strip import Rgb8, pixmap_of, side_by_side
from pathview.gui.wizard.question_page import INITIAL
from pathview.gui.wizard.state import Run
from pathview.models.networks import NETWORKS
from pathview.models.recipe import Recipe
from pathview.training.learning.previews import previews
from pathview.training.runs.chosen import dataset_of
from pathview.training.runs.hyperparameters import value_of
from pathview.training.runs.plan import RecipeLevel, RecipePlan

_REST_MS = 250
_LEVEL_WORDS: Mapping[RecipeLevel, tuple[str, str]] = {
    "quick": (
        "&Quick",
        "The network stays as it is. What it sees in each image is kept, and a linear classifier learns on that: for "
        "few images, and for a first answer.",
    ),
    "thorough": (
        "&Thorough",
        "The network itself is fine-tuned on your images, until the validation patients gain no more: for many images.",
    ),
    "exact": ("E&xact", "As the paper has it, number by number: to repeat what it reports."),
}
_IMAGES, _VARIANTS, _SIDE = 2, 5, 104
BALANCES: Mapping[str, Mapping[str, Any]] = {
    "Take all images as they are": {},
    "Draw as many of each class (under-sampling)": {"training.balance": "undersample"},
    "Weigh the rarer class more": {"training.class_weights": True},
    "Focal loss: what is told rightly counts less": {"training.loss": "focal"},
}
"""What can be done about classes out of balance, as changes of a recipe."""
_OF_BALANCE = ("training.balance", "training.class_weights", "training.loss")
_TRIALS = "Train also on &fewer patients (a quarter, half), and on outlines of other patients"
_ABOUT_TRIALS = (
    "For a learning curve (would more patients help?) and for a challenge (did it learn more than a usual place?): "
    "trainings beside the model, judged on the validation patients."
)
_NO_CHANGES = "Quick training sees each image once, as it is; nothing is turned or changed."


class RecipePage(BasePage):
    """Cards, the recipe, classes out of balance, augmentation with its previews, and all numbers."""

    name = "recipe"
    step = "Recipe"
    heading = "How should it be trained?"

    def __init__(self, run: Run, theme: Theme) -> None:
        """Nothing is offered yet."""
        super().__init__(run, theme)
        self._offers: dict[RecipeLevel, tuple[Offer, ...]] = {}
        self._reckoned: Reckoned | None = None
        self._estimates = Estimates(run, self._measure, self)
        self._estimates.changed.connect(self._show_times)
        self._drawing: Job | None = None
        self.cards = {level: LevelCard(*_LEVEL_WORDS[level]) for level in LEVELS}
        self._levels = QButtonGroup(self)
        self.recipe, self.balance = QComboBox(), QComboBox()
        self.recipe.setAccessibleName("Recipe")
        self.balance.setAccessibleName("Classes out of balance")
        self.recipe.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.weights = QPushButton("&Import weights...")
        self.weights.setToolTip("A file of ImageNet weights as Keras publishes it (.h5); it is checked and kept")
        self.weights.setAutoDefault(False)
        self.weights.hide()
        self._titles: list[QLabel] = []
        for words in BALANCES:
            self.balance.addItem(words)
        self._summary, self._ratio, self._notice = dim(""), dim(""), dim("")
        self.augmentation = HyperEditor(("augmentation",), meanings=False, headings=False)
        self.previews = QLabel("")
        self.previews.setAccessibleName("Your own images, and what augmentation makes of them")
        self._augmentation = self._make_augmentation()
        self.more = QPushButton("&More: every number of the papers")
        self.more.setCheckable(True)
        self.more.setAutoDefault(False)
        self.trials, self._about_trials = QCheckBox(_TRIALS), dim(_ABOUT_TRIALS)
        self.numbers = HyperEditor(("fitting", "head", "data", "input", "work"))
        self.numbers.hide()
        self._lay_parts()
        self._rest = QTimer(self)
        self._rest.setSingleShot(True)
        self._rest.setInterval(_REST_MS)
        self._rest.timeout.connect(self._reckon)
        self._connect()

    def _make_augmentation(self) -> QWidget:
        holder = QWidget()
        right = QVBoxLayout()
        right.addWidget(dim("Your own images, first as the network sees them, then as training may change them:"))
        right.addWidget(self.previews)
        right.addStretch(1)
        columns = QHBoxLayout(holder)
        columns.setContentsMargins(0, 0, 0, 0)
        columns.setSpacing(20)
        columns.addWidget(self.augmentation, 2)
        columns.addLayout(right, 5)
        return holder

    def _lay_parts(self) -> None:
        cards = QHBoxLayout()
        cards.setSpacing(10)
        for card in self.cards.values():
            self._levels.addButton(card.radio)
            cards.addWidget(card, 1)
        self.body.addLayout(cards)
        for label, field, below in (
            ("&Recipe", self.recipe, self._summary),
            ("Classes &out of balance", self.balance, self._ratio),
        ):
            row, title = QHBoxLayout(), QLabel(label)
            title.setBuddy(field)
            title.setMinimumWidth(title.fontMetrics().horizontalAdvance("Classes out of balance") + 12)
            row.addWidget(title)
            row.addWidget(field)
            if field is self.recipe:
                row.addWidget(self.weights)
            row.addStretch(1)
            self._titles.append(title)
            self.body.addLayout(row)
            self.body.addWidget(below)
        self.body.addWidget(self.trials)
        self.body.addWidget(self._about_trials)
        self._augmenting = strong("Augmentation")
        self._none = dim(_NO_CHANGES)
        for part in (self._augmenting, self._none, self._augmentation):
            self.body.addWidget(part)
        more = QHBoxLayout()
        more.addWidget(self.more)
        more.addWidget(self._notice, 1)
        self.body.addLayout(more)
        self.body.addWidget(self.numbers)
        self.body.addStretch(1)

    def _connect(self) -> None:
        for level, card in self.cards.items():
            card.chosen.connect(lambda level=level: self._choose_level(level))
        self.recipe.activated.connect(self._on_recipe)
        self.balance.activated.connect(self._on_balance)
        for editor in (self.augmentation, self.numbers):
            editor.changed.connect(self._on_number)
        self.more.toggled.connect(self._show_numbers)
        self.weights.clicked.connect(self._ask_weights)
        self.trials.clicked.connect(self._on_trials)

    # what is offered

    def enter(self) -> None:
        """See what there is for this question, then reckon."""
        plan, settings = self.run.plan, self.run.settings
        kinds = Counter(row.kind for row in self.run.chosen if row.kind)
        kind = kinds.most_common(1)[0][0] if kinds else ""
        self._reckoned = None
        self.run.fetch(lambda *_: offers(plan, kind, settings), self._take_offers)

    def exit(self) -> None:
        """Nobody waits for estimates any more."""
        self._rest.stop()
        self._estimates.stop()

    def _take_offers(self, found: dict[RecipeLevel, tuple[Offer, ...]]) -> None:
        self._offers = found
        own = self.run.plan.recipe
        if self._offer(own) is None:
            order = (self._advised(), *LEVELS)
            ready = (one for one in order if found[one] and not found[one][0].obstacle)
            level = next(ready, next((one for one in order if found[one]), None))
            if level is not None:
                self._choose_level(level)
        self.refresh()
        self._reckon()

    def _advised(self) -> RecipeLevel:
        health = self.run.known.health
        finding = health.found("advice") if health is not None else None
        return "thorough" if finding is not None and finding.numbers.get("level") == "thorough" else "quick"

    def _offer(self, plan: RecipePlan) -> Offer | None:
        found = self._offers.get(plan.level, ())
        return next((offer for offer in found if offer.recipe.name == plan.name), None)

    # what is shown

    def refresh(self) -> None:
        """Show the plan's recipe."""
        own, advised = self.run.plan.recipe, self._advised()
        for level, card in self.cards.items():
            there = bool(self._offers.get(level))
            card.setEnabled(there)
            card.radio.setChecked(level == own.level and there)
            card.set_advised(level == advised and there)
        offer = self._offer(own)
        self._fill_recipes(own)
        for part in (self._augmentation, self.more, self.balance):
            part.setEnabled(offer is not None)
        self._show_times()
        if offer is None:
            return
        recipe = self._reckoned.recipe if self._reckoned is not None and self._reckoned.recipe else offer.recipe
        self._summary.setText(offer.recipe.summary)
        self.weights.setVisible(self._reckoned is not None and self._reckoned.imports)
        gradient = recipe.training.method == "gradient"
        self._none.setVisible(not gradient)
        self._augmentation.setVisible(gradient)
        for part in (self.trials, self._about_trials):
            part.setVisible(not recipe.classifies)
        self.trials.setChecked(own.trials)
        self._show_balance(offer.recipe)
        self.augmentation.show_recipe(offer.recipe, own.changes)
        if self.numbers.isVisibleTo(self):
            self.numbers.show_recipe(offer.recipe, own.changes)
        notices = self._reckoned.notices if self._reckoned is not None else ()
        changed = len([name for name in own.changes if name != INITIAL])
        marked = f"{changed} changed, marked *." if changed else ""
        self._notice.setText(" ".join((*notices, marked)).strip())

    def _fill_recipes(self, own: RecipePlan) -> None:
        found = self._offers.get(own.level, ())
        names = [offer.recipe.name for offer in found]
        if names != [self.recipe.itemData(row) for row in range(self.recipe.count())]:
            self.recipe.clear()
            for offer in found:
                lacking = "  (its weights are not here)" if offer.obstacle else ""
                self.recipe.addItem(f"{offer.recipe.title}{lacking}", offer.recipe.name)
        self.recipe.setCurrentIndex(names.index(own.name) if own.name in names else -1)

    def _show_balance(self, base: Recipe) -> None:
        changes = self.run.plan.recipe.changes
        now = {name: changes.get(name, value_of(base, name)) for name in _OF_BALANCE}
        row = 0
        if now["training.balance"] == "undersample":
            row = 1
        elif now["training.class_weights"]:
            row = 2
        elif now["training.loss"] == "focal":
            row = 3
        self.balance.setCurrentIndex(row)
        health = self.run.known.health
        finding = health.found("imbalance") or health.found("balance") if health is not None else None
        self._ratio.setText(finding.sentence if finding is not None else "")
        for part in (self._titles[1], self.balance, self._ratio):
            part.setVisible(base.task != "segmentation")

    @Slot()
    def _show_times(self) -> None:
        for level, card in self.cards.items():
            card.time.setText(self._time_words(level))

    def _time_words(self, level: RecipeLevel) -> str:
        found, own = self._offers.get(level, ()), self.run.plan.recipe
        if not found:
            return "No recipe answers this question so."
        if level == own.level:
            refused = self._reckoned is not None and self._reckoned.recipe is None
            return "Time: not before this can be trained." if refused else self._estimates.words(own)
        if found[0].obstacle:
            return "Time: not before its weights are here."
        return self._estimates.words(RecipePlan(name=found[0].recipe.name, level=level, trials=own.trials))

    @Slot(bool)
    def _show_numbers(self, on: bool) -> None:
        self.numbers.setVisible(on)
        self.refresh()

    # reckoning

    @Slot()
    def _reckon(self) -> None:
        """Check the plan's recipe, then draw previews and measure the time."""
        self._rest.stop()
        plan, settings = self.run.plan, self.run.settings
        self.run.fetch(lambda *_: reckon(plan, settings), self._take_reckoned)

    def _take_reckoned(self, found: Reckoned) -> None:
        if found.plan != self.run.plan.recipe or not self.current:
            return
        self._reckoned = found
        self.refresh()
        self.tell()
        if found.recipe is not None:
            self._draw_previews(found.recipe)
        self._foretell()

    def _draw_previews(self, recipe: Recipe) -> None:
        if recipe.training.method != "gradient" or not self.run.chosen:
            return
        found = {row.label: row for row in self.run.chosen}.values()
        shown = {row.file: row for row in (*found, *self.run.chosen[:_IMAGES])}
        samples = dataset_of(self.run.plan, tuple(shown.values())[:_IMAGES]).samples
        if self._drawing is not None:
            self._drawing.cancel()
        side = round(_SIDE * self.devicePixelRatioF())
        work = self.run.in_opener(previews, samples, recipe, _VARIANTS, side)
        self._drawing = self.run.fetch(work, self._show_previews)

    def _show_previews(self, pictures: Rgb8) -> None:
        if not len(pictures):
            self.previews.setText("This recipe cannot read these images; the next page would say so of each.")
            return
        back = self.palette().window().color()
        sheet = side_by_side(pictures, (back.red(), back.green(), back.blue()))
        pixmap = pixmap_of(sheet)
        pixmap.setDevicePixelRatio(self.devicePixelRatioF())
        self.previews.setPixmap(pixmap)

    def _foretell(self) -> None:
        """Measure the time of each level, the chosen one first."""
        own = self.run.plan.recipe
        wanted = [own] if self._reckoned is not None and self._reckoned.recipe is not None else []
        for level in LEVELS:
            found = self._offers.get(level, ())
            if level != own.level and found and not found[0].obstacle:
                wanted.append(RecipePlan(name=found[0].recipe.name, level=level, trials=own.trials))
        self._estimates.want(wanted)

    def _measure(self, recipe: RecipePlan) -> Work:
        plan = self.run.plan.model_copy(update={"recipe": recipe})
        return self.run.in_child(forecast_of, self.run.made, plan)

    # what the reader does

    def _choose_level(self, level: RecipeLevel) -> None:
        if self.run.plan.recipe.level != level or self._offer(self.run.plan.recipe) is None:
            found = self._offers.get(level, ())
            same = next((offer for offer in found if offer.recipe.name == self.run.plan.recipe.name), None)
            offer = same if same is not None and not same.obstacle else found[0] if found else None
            if offer is not None:
                self._choose(level, offer.recipe.name)
        self.refresh()

    def _choose(self, level: RecipeLevel, name: str) -> None:
        """Another recipe has other numbers: only what was said of the start and of trials stays."""
        before = self.run.plan.recipe.changes
        changes = {INITIAL: before[INITIAL]} if INITIAL in before else {}
        trials = self.run.plan.recipe.trials
        self._change(RecipePlan(name=name, level=level, changes=changes, trials=trials))

    def _change(self, recipe: RecipePlan) -> None:
        self.run.change(recipe=recipe)
        self._rest.start()
        self.tell()

    @Slot()
    def _on_recipe(self) -> None:
        name = str(self.recipe.currentData())
        if name != self.run.plan.recipe.name:
            self._choose(self.run.plan.recipe.level, name)

    @Slot(bool)
    def _on_trials(self, on: bool) -> None:
        self._change(self.run.plan.recipe.model_copy(update={"trials": on}))

    @Slot()
    def _on_balance(self) -> None:
        own, offer = self.run.plan.recipe, self._offer(self.run.plan.recipe)
        if offer is None:
            return
        wanted = {"training.balance": "none", "training.class_weights": False, **BALANCES[self.balance.currentText()]}
        changes = {name: value for name, value in own.changes.items() if name not in _OF_BALANCE}
        changes |= {name: value for name, value in wanted.items() if value != value_of(offer.recipe, name)}
        self._change(own.model_copy(update={"changes": changes}))

    @Slot(str, object)
    def _on_number(self, name: str, value: Any) -> None:
        own, offer = self.run.plan.recipe, self._offer(self.run.plan.recipe)
        if offer is None:
            return
        changes = dict(own.changes)
        base = value_of(offer.recipe, name)
        if value == (list(base) if isinstance(base, tuple) else base) and name != INITIAL:
            changes.pop(name, None)
        else:
            changes[name] = value
        self._change(own.model_copy(update={"changes": changes}))

    @Slot()
    def _ask_weights(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "A file of ImageNet weights", "", "Keras weights (*.h5)")
        if name:
            self.import_weights(Path(name))

    def import_weights(self, file: Path) -> None:
        """Check and keep a file of ImageNet weights, then see anew what can be trained."""
        offer = self._offer(self.run.plan.recipe)
        backbone = NETWORKS[offer.recipe.network.name].imagenet if offer is not None else None
        self.start(self.run.in_child(import_weights, file, backbone), lambda _: self.enter(), "checking the weights")

    def problem(self) -> str:
        """What this recipe is refused for."""
        if self._offers and not any(self._offers.values()):
            return "No recipe here answers this question."
        if not self.run.plan.recipe.name:
            return "Choose a recipe."
        if self._reckoned is None or self._reckoned.plan != self.run.plan.recipe:
            return "The recipe is being checked."
        return self._reckoned.refusal
