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


def compiled(*arguments, **options):
    return subprocess.run(["cc", *arguments], capture_output=True, text=True, **options)


def output(program):
    """What it prints, and what went wrong."""
    ran = subprocess.run([program], capture_output=True, text=True)
    return ran.returncode, ran.stdout, ran.stderr


def test_strict_c11(tmp_path):
    sources = [str(path) for path in sorted(CSRC.glob("*.c"))]
    made = compiled(
        *STRICT, "-Wshadow", "-Wstrict-prototypes", *sources, str(HERE / "main.c"), "-o", tmp_path / "main", "-lm"
    )
    assert made.returncode == 0, made.stderr
    assert output(tmp_path / "main") == (0, "ok\n", "")


def vectors():
    """AVX2 where this machine has it: the inner loop of input products is another one then."""
    cpu = Path("/proc/cpuinfo")
    return ["-mavx2"] if cpu.exists() and " avx2 " in cpu.read_text() else None


@pytest.fixture(scope="module", params=["plain", "avx2"])
def objects(tmp_path_factory, request):
    """The library, compiled with sanitizers."""
    extra = [] if request.param == "plain" else vectors()
    if extra is None:
        pytest.skip("no AVX2")
    folder = tmp_path_factory.mktemp("sanitized")
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    if compiled(*SANITIZERS, "empty.c", "-o", "empty", cwd=folder).returncode:
        pytest.skip("the compiler has no sanitizers")
    made = compiled(*STRICT, *SANITIZERS, *extra, "-c", *CSRC.glob("*.c"), cwd=folder)
    assert made.returncode == 0, made.stderr
    return list(folder.glob("*.o"))


@pytest.mark.parametrize("name", ["main", "fuzz"])
def test_sanitizers(objects, name, tmp_path):
    made = compiled(*STRICT, *SANITIZERS, HERE / f"{name}.c", *objects, "-o", tmp_path / name, "-lm")
    assert made.returncode == 0, made.stderr
    assert output(tmp_path / name) == (0, "ok\n", "")


def test_nothing_is_allocated():
    text = "".join(path.read_text() for path in CSRC.glob("*.[ch]"))
    assert not re.search(r"alloc\w*\s*\(|stdlib\.h|stdio\.h", text)
