"""The house rules that no linter can hold."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "pathview"
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"PySide6", "pyqtgraph", "tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "openvino", "sqlalchemy"}
"""What costs a short command seconds."""


@pytest.mark.parametrize("module", ["pathview.session", "pathview.cli", "pathview.training.learning.finetune"])
def test_that_core_modules_import_neither_qt_nor_a_runtime(module: str) -> None:
    code = f"import sys, {module}; print(sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_that_the_window_imports_no_tensorflow() -> None:
    code = "import sys, pathview.gui.app; print('tensorflow' in sys.modules, 'keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False False"


def test_that_the_wizard_opens_without_the_libraries_that_only_its_jobs_need() -> None:
    code = "import sys, pathview.gui.wizard.frame; print(sorted({'sklearn', 'scipy', 'imblearn'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_that_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 450
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    long = {f.name: f.end_lineno - f.lineno for f in functions if f.end_lineno and f.end_lineno - f.lineno > 60}
    assert not {name: length for name, length in long.items() if "migrations" not in str(path)}
