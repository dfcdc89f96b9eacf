"""``python -m pathview`` to a painted window, against a bare window of the same toolkits."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

import numpy as np

from benchmarks.common import report

_HOOK = """
import sys
from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QMainWindow, QWidget

def painted():
    print("painted", sorted({"tensorflow", "keras"} & set(sys.modules)), flush=True)
    QApplication.instance().closeAllWindows()

class Painted(QObject):
    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint and isinstance(watched, QWidget):
            QApplication.instance().removeEventFilter(self)
            QTimer.singleShot(0, painted)  # after all of the window's parts have been painted
        return False

run = QApplication.exec
watch = Painted()
def execute(*_):
    QApplication.instance().installEventFilter(watch)
    return run()
QApplication.exec = execute
"""
_BARE = """
import pyqtgraph as pg
application = QApplication([])
window = QMainWindow()
view = pg.GraphicsView()
view.setCentralItem(pg.ViewBox())
window.setCentralWidget(view)
window.show()
sys.exit(application.exec())
"""
_OURS = """
import runpy
sys.argv = ["pathview"]
runpy.run_module("pathview", run_name="__main__")
"""
LIMIT = 1.5
RUNS = 5


def _seconds(code: str, home: str) -> tuple[float, str]:
    environment = {**os.environ, "PATHVIEW_HOME": home}
    started = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-c", _HOOK + code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    assert child.stdout is not None
    line = child.stdout.readline()
    seconds = time.perf_counter() - started
    child.wait(60)
    child.stdout.close()
    return seconds, line.strip()


def run() -> bool:
    with tempfile.TemporaryDirectory() as home:
        _seconds(_OURS, home)  # the first start also makes the store and fills the disk cache
        pairs = [(_seconds(_BARE, home), _seconds(_OURS, home)) for _ in range(RUNS)]
    bare = float(np.median([pair[0][0] for pair in pairs]))
    ours = float(np.median([pair[1][0] for pair in pairs]))
    clean = all(pair[1][1] == "painted []" for pair in pairs)
    return report("startup_to_painted_window", ours / bare <= LIMIT and clean, ratio=ours / bare, limit=LIMIT,
                  bare_s=bare, pathview_s=ours, tensorflow_imported=not clean)  # fmt: skip
