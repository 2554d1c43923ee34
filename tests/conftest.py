"""Settings of every test: property tests are the same on each run and have no clock of their own."""

from hypothesis import settings

settings.register_profile("spikeseq", deadline=None, derandomize=True, max_examples=15)
settings.load_profile("spikeseq")
