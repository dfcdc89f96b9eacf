"""Run all benchmarks, or those that are named: ``python -m benchmarks [viewer startup ...]``."""

from __future__ import annotations

import importlib
import sys

NAMES = (
    "viewer", "startup", "responsiveness", "analysis", "explanations", "windows", "runtimes", "reading_room", "slides",
    "slide_analysis", "slide_window", "worklist", "annotations", "annotation_window", "training",
)  # fmt: skip


def main() -> int:
    """Exit status 1 where a limit was missed."""
    wanted = sys.argv[1:] or NAMES
    unknown = set(wanted) - set(NAMES)
    if unknown:
        print(f"There is no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    results = [importlib.import_module(f"benchmarks.{name}").run() for name in wanted]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
