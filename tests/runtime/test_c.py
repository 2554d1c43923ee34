"""The C files as a firmware developer builds them: strict C11, every warning an error, and under sanitizers."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CSRC = HERE.parents[1] / "csrc"
STRICT = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{CSRC}"]
SANITIZERS = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")


def built(target, *options):
    sources = [str(path) for path in sorted(CSRC.glob("*.c"))]
    command = ["cc", *STRICT, *options, *sources, str(HERE / "main.c"), "-o", str(target), "-lm"]
    return subprocess.run(command, capture_output=True, text=True)


def test_strict_c11(tmp_path):
    made = built(tmp_path / "main", "-Wshadow", "-Wstrict-prototypes")
    assert made.returncode == 0, made.stderr
    assert subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout == "ok\n"


def test_sanitizers(tmp_path):
    empty = tmp_path / "empty.c"
    empty.write_text("int main(void) { return 0; }\n")
    command = ["cc", *SANITIZERS, str(empty), "-o", str(tmp_path / "empty")]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("the compiler has no sanitizers")
    made = built(tmp_path / "main", *SANITIZERS)
    assert made.returncode == 0, made.stderr
    ran = subprocess.run([tmp_path / "main"], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "ok\n"), ran.stderr


def test_nothing_is_allocated():
    text = "".join(path.read_text() for path in CSRC.glob("*.[ch]"))
    assert not re.search(r"alloc\w*\s*\(|stdlib\.h|stdio\.h", text)
