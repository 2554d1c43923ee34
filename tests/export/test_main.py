"""main.c: every CSV is either read or refused with the line's number; never a crash."""

import random
import subprocess

import numpy as np
import pytest

X = [[0.5, -1.0], [1e-3, 2.0], [-0.25, 0.125]]


@pytest.fixture(scope="module")
def program(make_program):
    return make_program(width=2, time_steps=2)


@pytest.fixture(scope="module")
def command(program, link, tmp_path_factory):
    """With sanitizers where the compiler has them."""
    options = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    folder = tmp_path_factory.mktemp("empty")
    (folder / "empty.c").write_text("int main(void) { return 0; }\n")
    probe = subprocess.run(["cc", *options, "empty.c"], cwd=folder, capture_output=True, check=False)
    return link(program, *(options if probe.returncode == 0 else ()))


def run(command, text, *arguments):
    data = text if isinstance(text, bytes) else text.encode()
    done = subprocess.run([command, *arguments], input=data, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode(errors="replace")


def floats(text):
    return np.array([[float(v) for v in line.split(",")] for line in text.splitlines()], np.float32)


@pytest.mark.parametrize(
    "text",
    [
        "0.5,-1\n0.001,2\n-0.25,0.125\n", "0.5,-1\r\n0.001,2\r\n-0.25,0.125\r\n", "0.5,-1\n0.001,2\n-0.25,0.125",
        " 0.5 ,\t-1e0\n1e-3,+2.000 \n-.25,0x1p-3\n", "0.5,-1\n0.001,2\n-0.25,0.125\n\n\n",
        "0.5,-1\n0.001,2\n-0.25,0.125\n \t\r\n",
    ],
)  # fmt: skip
def test_ways_to_write_the_same(command, program, expected, text, tmp_path):
    code, out, err = run(command, text)
    assert (code, err) == (0, "")
    assert np.array_equal(floats(out), expected(program, np.float32(X)))
    (tmp_path / "x.csv").write_text(text, newline="")
    assert run(command, "", tmp_path / "x.csv") == (code, out, err)


def test_an_empty_line_starts_a_new_sequence(command, program, expected):
    once = expected(program, np.float32(X))
    code, out, _ = run(command, "\n0.5,-1\n0.001,2\n-0.25,0.125\n\r\n\n0.5,-1\n0.001,2\n")
    assert code == 0
    assert np.array_equal(floats(out), np.concatenate([once, once[:2]]))
    assert not np.array_equal(floats(run(command, "0.5,-1\n0.5,-1\n")[1])[1], once[0])
    assert run(command, "") == run(command, "\n\n") == (0, "", "")


def test_lines_of_any_length(make_program, link, expected):
    """100,000 characters each."""
    program = make_program(width=2000, time_steps=1)
    x = np.random.default_rng(0).normal(size=(3, 2000)).astype(np.float32)
    text = "".join(",".join(f"{v:>49.9g}" for v in row) + "\n" for row in x)
    code, out, err = run(link(program), text)
    assert (code, err) == (0, "")
    assert np.array_equal(floats(out), expected(program, x))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "line 1: value 1, 'a', is not a number"), ("1,2\n1,2x\n", "line 2: value 2, '2x', is not a number"),
        ("1,\n", "line 1: value 2, '', is not a number"), (",\n", "line 1: value 1, '', is not a number"),
        ("1 2,3\n", "line 1: value 1, '1 2', is not a number"), ("1;2\n", "line 1: value 1, '1;2', is not a number"),
        ("1,2\n\n1\n", "line 3: 1 values, the model takes 2"), ("1,2,3\n", "line 1: 3 values, the model takes 2"),
        ("1,2\n1,2,", "line 2: value 3, '', is not a number"), ("nan,1\n", "line 1: a value is NaN or infinite"),
        ("1,2\n1,-inf\n", "line 2: a value is NaN or infinite"), ("1e99,1\n", "line 1: a value is NaN or infinite"),
        ("1" * 63 + ",2\n", f"line 1: value 1, '{'1' * 63}', is not a number"),
        (" " * 70 + "1,2\n", f"line 1: value 1, '{' ' * 63}', is not a number"),
        (b"1\0002,3\n", "line 1: value 1, '1', is not a number"), (b"\0\n", "line 1: value 1, '', is not a number"),
    ],
)  # fmt: skip
def test_errors_name_the_line(command, text, message):
    code, out, err = run(command, text)
    assert (code, err) == (1, message + "\n")
    assert len(out.splitlines()) == int(message.split(":")[0].split()[1]) - 1 - (text == "1,2\n\n1\n")


def test_files_that_cannot_be_used(command, tmp_path):
    assert run(command, "", tmp_path / "missing.csv") == (1, "", f"{command}: the input cannot be opened\n")
    code, out, err = run(command, "", tmp_path)  # a folder opens, and cannot be read
    assert (code, out) == (1, "")
    assert err.startswith("line 1: the input cannot be read")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([command], input=b"1,2\n", stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 1
    assert b"the output not written" in done.stderr


def test_noise_is_refused_or_read(command):
    generator = random.Random(0)
    codes = set()
    for _ in range(60):
        alphabet = generator.choice([b"0123456789,\n", b"-+.e12,\n\r \t", bytes(range(256)), b"naif0x1p,\n"])
        text = bytes(generator.choices(alphabet, k=generator.randrange(400)))
        code, _, err = run(command, text + generator.choice([b"", b"\n1,2\n"]))
        assert code in (0, 1)
        assert "Sanitizer" not in err
        assert "runtime error" not in err
        codes.add(code)
    assert codes == {0, 1}
