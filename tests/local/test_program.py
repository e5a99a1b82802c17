"""A program of ours as a child that can be started again."""

import subprocess
import sys

from local.settings import ROOT


def test_its_last_words_stand_before_its_end_is_told() -> None:
    code = (
        "import os\n"
        "from local.console import Console\n"
        "from local.program import Program, RunningProgram\n"
        "program = RunningProgram(Program('worker', ('-c', 'import sys; sys.exit(\"last words\")')),\n"
        "                         env=os.environ, console=Console())\n"
        "for _ in range(2):\n"
        "    program.start()\n"
        "    Console().say(f'ended with {program.wait()}')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["worker    | last words", "local     | ended with 1"] * 2
