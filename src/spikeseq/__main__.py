"""``python -m spikeseq COMMAND ..`` is ``spikeseq COMMAND ..``."""

import sys

from spikeseq.cli.main import main

sys.exit(main())
