"""Freed memory stays in the process: seen from outside, by its page faults."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import resource, sys, torch
from spikeseq.train.memory import keep_freed_memory
told = keep_freed_memory() if sys.argv[1] == "keep" else None
for _ in range(3):
    block = torch.ones(16_000_000)
    del block
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    block = torch.ones(16_000_000)
    del block
print(told, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep: str, **environment: str) -> tuple[str, int]:
    """What keep_freed_memory said, and the page faults of five blocks of 64 MB."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_") and k != "GLIBC_TUNABLES"}
    command = [sys.executable, "-c", PROGRAM, keep]
    done = subprocess.run(command, env=clean | environment, capture_output=True, text=True, check=True)
    told, count = done.stdout.split()
    return told, int(count)


def test_freed_blocks_cause_no_page_faults() -> None:
    told, kept = faults("keep")
    if told == "False":
        pytest.skip("the C library is not glibc")
    _, given_back = faults("leave")
    assert given_back > 5 * 16_000_000 * 4 // 2**21  # at least once for each block, with pages as large as 2 MiB
    assert kept < given_back / 10


def test_settings_of_the_user_stay() -> None:
    told, _ = faults("keep", MALLOC_ARENA_MAX="2")
    assert told == "False"
