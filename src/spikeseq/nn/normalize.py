r"""Batch normalisation of the input product, and nothing else: the recurrent product stays as it is.

For each row g of the weight, over all elements n and rows b of the batch that are there (padding is left out)::

    training     drive = gain_g (W x - mean_g) / sqrt(var_g + 1e-5) + bias_g;   mean, var  of this batch
                 measured <- measured + 0.1 (of this batch - measured)
    evaluation   drive = W' x + b';   W' = gain W / sqrt(var + 1e-5),  b' = bias - gain mean / sqrt(var + 1e-5),  measured

    x [L, B, I];  W [G, I];  gain, bias, mean, var  [G]

So a trained network has no normalisation left: it lies in the weights. Where these are rounded to 8 bits (nn/level_kinds.py),
W' is, and in training W: the gain is no power of two. Source: Ioffe & Szegedy (2015), arXiv:1502.03167,
on the feed-forward drive only as in Ponghiran & Roy (2022), arXiv:2109.01905.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from spikeseq.errors import ShapeError
from spikeseq.ops.scan import Projection

EPS, MOMENTUM = 1e-5, 0.1


def folded(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The values of evaluation without a norm: it lies in ``weight_ih`` and ``bias_ih`` of what is returned."""
    scale = values["norm_gain"] * torch.rsqrt(values["norm_var"] + EPS)
    shift, bias = -scale * values["norm_mean"], values.get("bias_ih")
    kept = {name: value for name, value in values.items() if not name.startswith("norm_")}
    weight = scale[:, None] * values["weight_ih"]
    return {**kept, "weight_ih": weight, "bias_ih": shift if bias is None else shift + bias}


def drive(
    x: Tensor, weight: Tensor, values: Mapping[str, Tensor], mask: Tensor | None, training: bool
) -> Tensor | Projection:
    """What the scan is driven with: the product with its bias, normalised where ``values`` hold ``norm_gain``.

    x        ``[L, B, I]``;  weight ``[G, I]``;  mask ``[L, B, 1]``, False at padding, or None
    values   ``bias_ih [G]``; ``norm_gain``, ``norm_mean``, ``norm_var [G]``: the last two are updated in training
    Raises ShapeError for a batch of one element in training: it has no variance.
    """
    bias = values.get("bias_ih")
    if "norm_gain" in values and not training:
        values = folded({**values, "weight_ih": weight})
        weight, bias = values["weight_ih"], values["bias_ih"]
    if "norm_gain" not in values:
        return Projection(x, weight, bias)
    product = F.linear(x, weight)
    rows = product.flatten(0, 1)
    there = None if mask is None else mask.flatten().nonzero().squeeze(1)
    if there is not None:
        rows = rows.index_select(0, there)
    if len(rows) < 2:
        raise ShapeError(
            "x holds one element: batch_norm needs two or more in training; call eval(), or batch_norm=False"
        )
    rows = F.batch_norm(rows, values["norm_mean"], values["norm_var"], values["norm_gain"], bias, True, MOMENTUM, EPS)
    if there is not None:
        rows = torch.zeros_like(product.flatten(0, 1)).index_copy(0, there, rows)
    return rows.view_as(product)
