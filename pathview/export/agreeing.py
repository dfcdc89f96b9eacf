"""Agreement as a use case: read the study, compare, and write it out with its line in the audit trail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pathview.export.agreement_report import write_agreement_page
from pathview.export.study_csv import write_study
from pathview.jobs import CancelToken, ProgressSink, no_progress
from pathview.review.agreement.agreement import Agreement, measure_agreement
from pathview.review.agreement.scales import scales_of
from pathview.review.cases.study_records import Studies
from pathview.review.records.forms import find_forms
from pathview.settings import Settings

PAGE, PRINTED = "report.html", "report.pdf"


@dataclass(frozen=True)
class Agreeing:
    """What one reader may know of how readers, model and truth agree."""

    studies: Studies
    settings: Settings
    reader: str
    """Who asks."""

    def measure(
        self,
        worklists: Sequence[str] = (),
        readers: Sequence[str] = (),
        progress: ProgressSink = no_progress,
        cancel: CancelToken | None = None,
    ) -> Agreement:
        """Compare; no names of lists or readers: all.

        Raises:
            PathViewError: there is no such list, or no assessment of a reader that may be told.
            Cancelled: the user cancelled.
        """
        records = self.studies.records(self.reader, worklists, progress, cancel)
        forms = find_forms(self.settings)
        return measure_agreement(records, readers, scales_of(forms.by_name.values()), progress, cancel)

    def write(self, found: Agreement, folder: Path) -> tuple[Path, ...]:
        """Write page, PDF and tables into a folder; that they were is in the audit trail before they are there.

        Raises:
            PathViewError: they cannot be written, or the store cannot.
        """
        lists = [one.name for one in found.records.worklists]
        detail = {"worklists": lists, "readers": list(found.readers), "cases": len(found.cases)}
        self.studies.note_export(self.reader, detail)
        from pathview.export.agreement_pdf import write_agreement_pdf  # its library is wanted here alone

        page = write_agreement_page(folder / PAGE, found)
        return (page, write_agreement_pdf(folder / PRINTED, found), *write_study(folder, found))
