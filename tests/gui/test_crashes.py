"""What native code leaves when it ends the program is there at the next start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from pathview.gui.app import Crashes
from pathview.settings import Settings

ABORTS = """
import os
from pathview.gui.app import Crashes
from pathview.settings import Settings
crashes = Crashes(Settings())
os.abort()
"""


def test_that_a_crash_is_told_at_the_next_start_and_once(tmp_path: Path) -> None:
    env = {**os.environ, "PATHVIEW_HOME": str(tmp_path)}
    died = subprocess.run([sys.executable, "-c", ABORTS], env=env, check=False)
    assert died.returncode != 0

    after = Crashes(Settings(data_dir=tmp_path))
    assert after.before is not None
    assert "Aborted" in after.before.read_text()
    after.close()

    again = Crashes(Settings(data_dir=tmp_path))
    again.close()
    assert again.before is None
