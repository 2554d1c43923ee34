"""Without a C compiler there is no runtime to test."""

import pytest

from spikeseq.runtime.library import library_path


@pytest.fixture(autouse=True)
def _built():
    if library_path() is None:
        pytest.skip("the runtime's library was not built: make lib")
