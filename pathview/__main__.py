"""Entry: the window by default, the command line with a verb. Qt is imported only for a window."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathview.session import WindowRequest


def main() -> None:
    """Run the program; the process ends with the exit status."""
    if len(sys.argv) == 1:
        sys.exit(open_window())
    from pathview import cli

    sys.exit(cli.run(sys.argv[1:], open_window))


def open_window(request: WindowRequest | None = None) -> int:
    """Open the window; imported only here, so that verbs never load Qt, nor the window the verbs."""
    from pathview.gui.app import run

    return run(request)


if __name__ == "__main__":
    main()
