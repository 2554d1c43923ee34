r"""Augmentation of log-mel features: time shift, noise in the power domain, SpecAugment. Every clip has draws of its own.

::

    dB[n, i]  <- dB[n - shift, i]                                   silence comes in
    dB[n, i]  <- 10 log10(10^(dB[n, i] / 10) + P[n, i])             noise of power P: phases are random, so powers add
    x         <- (dB - mean) / std;  x <- 0 in hidden frames and bands

    P[n, i] = level area_i f_i^-slope g[n, i]      level from the signal-to-noise ratio; slope 0 (white) to 2 (brown)
    area_i    bins below mel filter i, sum of its weights;  f_i  its centre, Hz
    g         power of Gaussian noise in a filter over its mean: Gamma(m_i) / m_i, m_i independent bins (mel.py),
              drawn by the cube-root approximation (1 - 1 / (9 m) + z / (3 sqrt m))^3, z ~ N(0, 1)

Neighbouring frames share samples, so that real noise is correlated from frame to frame; here it is not.
Sources: Park et al. (2019), "SpecAugment", arXiv:1904.08779; Wilson & Hilferty (1931), doi:10.1073/pnas.17.12.684.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from spikeseq.data.speech.augmentation import Augmentation
from spikeseq.data.speech.mel import centres, sizes

STEEPEST = 2.0  # slope of brown noise


def shift_frames(x: Tensor, most: int, fill: float, generator: torch.Generator) -> Tensor:
    """Move each clip ``[B, L, I]`` by -most .. most frames; ``fill`` comes in."""
    batch, length, _ = x.shape
    move = torch.randint(-most, most + 1, (batch, 1), generator=generator)
    source = torch.arange(length) - move  # [B, L]
    inside = ((source >= 0) & (source < length)).unsqueeze(-1)
    moved = x.gather(1, source.clamp(0, length - 1).unsqueeze(-1).expand_as(x))
    return torch.where(inside, moved, torch.tensor(fill))


def add_noise(decibels: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Add noise to a share of the clips ``[B, L, I]``, in dB; see the equations at the top of the file."""
    batch, length, bands = decibels.shape
    chosen = torch.rand(batch, generator=generator) < settings.noise
    slope = STEEPEST * torch.rand(batch, 1, generator=generator)
    low, high = settings.snr_low_db, settings.snr_high_db
    ratio = low + (high - low) * torch.rand(batch, generator=generator)
    gauss = torch.randn(batch, length, bands, generator=generator)

    area, bins = (torch.from_numpy(v).float() for v in sizes(bands))
    root = (gauss / (3 * bins.sqrt()) + (1 - 1 / (9 * bins))).clamp_(min=0)
    spectrum = area * torch.from_numpy(centres(bands)).float() ** -slope  # [B, I]
    power = torch.exp(decibels * (math.log(10) / 10))
    level = power.mean((1, 2)) * 10 ** (-ratio / 10) * chosen
    noise = (level[:, None] * spectrum / spectrum.mean(1, keepdim=True))[:, None] * (root * root * root)
    return 10 * torch.log10(power + noise)


def hide(
    x: Tensor, axis: int, count: int, longest: int, generator: torch.Generator, lengths: Tensor | None = None
) -> Tensor:
    """Set ``count`` runs of 0 .. longest frames (axis 1) or bands (axis 2) of each clip ``[B, L, I]`` to 0, the mean.

    lengths   ``[B]`` frames that are there, none of the runs of frames reaches beyond; None: all
    """
    batch = x.shape[0]
    size = torch.full((batch, 1), x.shape[axis]) if lengths is None or axis == 2 else lengths[:, None]
    place = torch.arange(x.shape[axis])
    for _ in range(count):
        width = torch.randint(0, longest + 1, (batch, 1), generator=generator).minimum(size)
        # every start that leaves the run inside is equally likely
        start = (torch.rand(batch, 1, generator=generator) * (size - width + 1)).long()
        hidden = (place >= start) & (place < start + width)  # [B, size]
        x = x.masked_fill(hidden.unsqueeze(3 - axis), 0.0)
    return x
