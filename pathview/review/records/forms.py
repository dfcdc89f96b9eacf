"""Assessment forms as data: what a reader says of a case, and what of it means positive, negative or can't tell.

A form is one TOML file of fields. Nothing is ever filled in but by the reader: a field cannot have a default.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pathview.errors import FormError
from pathview.review.records.case import DecisionValue
from pathview.review.records.toml_files import read_all, read_model
from pathview.review.records.views import Side
from pathview.settings import Settings

SIMPLE = "simple"
"""The form of three answers that every installation has, and by which a value alone is an assessment."""
LATERALITY = "laterality"
"""Name of the field that says which breast is meant, with the options right, left, both and none."""
_NAME = r"^[a-z0-9][a-z0-9_-]*$"
_LONGEST_TEXT = 10_000


class Part(BaseModel):
    """Base of all parts: frozen, and an unknown key is an error, not a silent nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Option(Part):
    """One choice of a field."""

    value: str = Field(min_length=1, max_length=80)
    title: str = Field(min_length=1)
    key: str = Field("", max_length=1)
    """The key that chooses it while its field has the focus; empty: none."""
    decision: DecisionValue | None = None
    """What it means, in the field that decides."""


class FormField(Part):
    """One question."""

    name: str = Field(pattern=_NAME)
    title: str = Field(min_length=1)
    kind: Literal["choice", "text", "number"]
    required: bool = False
    options: tuple[Option, ...] = ()
    """Of a choice."""
    ordered: tuple[str, ...] = ()
    """Values of options from the lowest to the highest, for weighted kappa and ROC curves; one that is left out has no
    place in the order. Empty: they have none."""
    minimum: float | None = None
    """Of a number; None: no limit."""
    maximum: float | None = None
    unit: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> FormField:
        if (self.kind == "choice") != bool(self.options):
            raise ValueError(
                f"{self.name!r} is a {self.kind} and must {'' if self.kind == 'choice' else 'not '}have options"
            )
        if self.kind != "number" and (self.minimum, self.maximum, self.unit) != (None, None, ""):
            raise ValueError(f"{self.name!r} is no number and has no limits or unit")
        for what in ("value", "key"):
            found = [getattr(option, what).upper() for option in self.options if getattr(option, what)]
            if len(found) != len(set(found)):
                raise ValueError(f"two options of {self.name!r} have the same {what}")
        strange = [value for value in self.ordered if value not in [option.value for option in self.options]]
        if strange or len(set(self.ordered)) < len(self.ordered):
            raise ValueError(f"the order of {self.name!r} must name options of it, each once")
        given = [option.decision is not None for option in self.options]
        if any(given) and not (all(given) and self.required):
            raise ValueError(f"{self.name!r} decides, so it is required and each of its options needs a decision")
        return self

    @property
    def decides(self) -> bool:
        """Whether its options say what the assessment comes to."""
        return bool(self.options) and self.options[0].decision is not None

    def problem(self, answer: Any) -> str:
        """What is wrong with an answer, as a sentence; empty: nothing."""
        if self.kind == "choice":
            values = [option.value for option in self.options]
            return "" if answer in values else f"{self.title} is one of {', '.join(values)}, not {answer!r}."
        if self.kind == "text":
            fits = isinstance(answer, str) and len(answer) <= _LONGEST_TEXT
            return "" if fits else f"{self.title} is a text of {_LONGEST_TEXT:,} letters at most."
        if isinstance(answer, bool) or not isinstance(answer, int | float) or not math.isfinite(answer):
            return f"{self.title} is a number, not {answer!r}."
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        return "" if low <= answer <= high else f"{self.title} lies between {low:g} and {high:g}, not at {answer:g}."

    def parsed(self, text: str) -> Any:
        """An answer as it was typed: a number where the field is one, else the words, of a choice in its own case."""
        if self.kind == "number":
            try:
                return float(text)
            except ValueError:
                return text
        return next((option.value for option in self.options if option.value.upper() == text.upper()), text)


class Form(Part):
    """The questions of a list's cases; exactly one of them decides."""

    name: str = Field(pattern=_NAME, max_length=40)
    """Unique; what worklists and decisions call it."""
    title: str = Field(min_length=1)
    source: str = ""
    """Where its categories and their meaning come from."""
    fields: tuple[FormField, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Form:
        names = [field.name for field in self.fields]
        if len(names) != len(set(names)):
            raise ValueError("two fields have the same name")
        if sum(field.decides for field in self.fields) != 1:
            raise ValueError("exactly one field says by its options what is positive, negative or cant_tell")
        return self

    @property
    def decisive(self) -> FormField:
        """The field that decides."""
        return next(field for field in self.fields if field.decides)

    def field(self, name: str) -> FormField | None:
        """A field by its name."""
        return next((field for field in self.fields if field.name == name), None)

    def parsed(self, typed: Mapping[str, str]) -> dict[str, Any]:
        """Answers as they were typed, as :meth:`check` takes them."""
        fields = {name: self.field(name) for name in typed}
        return {name: field.parsed(typed[name]) if field is not None else typed[name] for name, field in fields.items()}

    def check(self, answers: Mapping[str, Any]) -> tuple[str, ...]:
        """What is missing or wrong in the answers (by field), a sentence each; none: they can be kept."""
        names = ", ".join(field.name for field in self.fields)
        problems = [
            f"The form {self.title} has no field {name!r}; it has {names}." for name in answers if not self.field(name)
        ]
        for field in self.fields:
            if field.name in answers:
                problems.append(field.problem(answers[field.name]))
            elif field.required:
                problems.append(f"{field.title} is not filled in.")
        return tuple(problem for problem in problems if problem)

    def doubts(self, answers: Mapping[str, Any], sides: Collection[Side]) -> tuple[str, ...]:
        """What a reader may have missed in answers that can be kept, a sentence each.

        Args:
            answers: by field.
            sides: of the case's images, where every image tells its own; empty: not known.
        """
        empty = [field.title for field in self.fields if field.name not in answers and field.kind == "choice"]
        said = {"right": "R", "left": "L"}.get(str(answers.get(LATERALITY)))
        missing = f"{', '.join(empty)}: not filled in." if empty else ""
        elsewhere = f"The case has no image of the {answers.get(LATERALITY)} side." if said and sides else ""
        return tuple(words for words in (missing, elsewhere if said not in sides else "") if words)

    def decision(self, answers: Mapping[str, Any]) -> DecisionValue:
        """What answers come to.

        Raises:
            FormError: something is missing or wrong.
        """
        problems = self.check(answers)
        if problems:
            raise FormError(" ".join(problems))
        chosen = answers[self.decisive.name]
        meant = next(option.decision for option in self.decisive.options if option.value == chosen)
        assert meant is not None  # checked when the form was read
        return meant


@dataclass(frozen=True)
class Forms:
    """The forms of an installation."""

    by_name: Mapping[str, Form]
    problems: tuple[str, ...]
    """One sentence for each file that is wrong."""

    def form(self, name: str) -> Form:
        """A form by its name.

        Raises:
            FormError: there is none.
        """
        if name not in self.by_name:
            known = ", ".join(sorted(self.by_name)) or "none"
            raise FormError(f"There is no assessment form {name!r} that can be used; there are: {known}.")
        return self.by_name[name]


def find_forms(settings: Settings) -> Forms:
    """All forms; the user's own take the place of bundled ones of the same name.

    A file that is wrong is a sentence, and the others still load.
    """
    forms, problems = read_all(settings.form_dirs, load_form, FormError)
    return Forms({form.name: form for form in forms}, problems)


def load_form(path: Path) -> Form:
    """Read one form's file.

    Raises:
        FormError: unreadable, no TOML, or a field is wrong; the sentence names file and field.
    """
    return read_model(path, Form, "assessment form", FormError)
