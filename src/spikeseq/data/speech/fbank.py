"""Filterbank features as Kaldi makes them, by kaldi-native-fbank.

40 log mel energies from 20 Hz to 8 kHz of frames of 25 ms every 10 ms: pre-emphasis 0.97, Povey window, mean of each frame
removed, no dither, no frame beyond the end; natural logarithm, on 16-bit samples. n samples give 1 + (n - 400) // 160 frames.
Source: Povey et al., "The Kaldi Speech Recognition Toolkit", ASRU 2011; kaldi-native-fbank, Apache 2.0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spikeseq.data.speech.audio import RATE
from spikeseq.data.speech.mel import HOP, WINDOW
from spikeseq.errors import DataError

BANDS = 40


def options() -> Any:
    """Return the settings of the front end. Raises DataError, saying how to install it, when the library is not there."""
    try:
        import kaldi_native_fbank as kaldi
    except ImportError as error:
        raise DataError(f"these features need kaldi-native-fbank ({error}): pip install 'spikeseq[speech]'") from error
    chosen = kaldi.FbankOptions()
    chosen.frame_opts.samp_freq = RATE
    chosen.frame_opts.frame_length_ms, chosen.frame_opts.frame_shift_ms = 25.0, 10.0
    chosen.frame_opts.dither = 0.0  # the same file gives the same features
    chosen.frame_opts.snip_edges = True
    chosen.mel_opts.num_bins = BANDS
    return chosen


def version() -> str:
    """Name of the front end: features that were kept are those of the same one."""
    import kaldi_native_fbank as kaldi

    return f"kaldi-native-fbank {kaldi.__version__}: {options()}"


def fbank(samples: np.ndarray) -> np.ndarray:
    """Return the features, float32 [frames, 40], of 16-bit samples [n]; n at least 400."""
    import kaldi_native_fbank as kaldi

    extractor = kaldi.OnlineFbank(options())
    extractor.accept_waveform(RATE, samples.astype(np.float32).tolist())
    extractor.input_finished()
    features: np.ndarray = np.stack([extractor.get_frame(n) for n in range(extractor.num_frames_ready)])
    return features


def num_frames(num_samples: int) -> int:
    """Frames that fit into so many samples."""
    return 1 + (num_samples - WINDOW) // HOP


def frame_centres(frames: int) -> np.ndarray:
    """Return the sample in the middle of each frame, int64 [frames]."""
    centres: np.ndarray = np.arange(frames) * HOP + WINDOW // 2
    return centres
