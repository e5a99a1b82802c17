"""What the children say is shown in whole lines under their names, and never holds them up."""

import subprocess
import sys
from pathlib import Path

from local.console import Console
from local.settings import ROOT

LINES = "one\ntwo without an end"


def test_lines_come_whole_under_the_name_of_their_speaker(tmp_path: Path) -> None:
    code = (
        "import subprocess\n"
        "from local.console import Console\n"
        f"speaker = subprocess.Popen(['printf', {LINES!r}], stdout=subprocess.PIPE)\n"
        "Console().relay('api', speaker.stdout).join()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "api       | one\napi       | two without an end\n"


def test_a_reader_that_has_gone_holds_nobody_up() -> None:
    code = (
        "import subprocess\n"
        "from local.console import Console\n"
        "speaker = subprocess.Popen(['seq', '200000'], stdout=subprocess.PIPE)\n"
        "relay = Console().relay('api', speaker.stdout)\n"
        "code = speaker.wait()\n"
        "relay.join()\n"
        "raise SystemExit(code)\n"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0


def test_it_needs_no_stdout_at_all() -> None:
    Console().say("to whoever listens")
