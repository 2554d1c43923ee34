"""Layers of synaptic currents with the conventions of ``torch.nn.LSTM``: gated (published, hard, T levels) and leaky."""

from __future__ import annotations

from typing import Literal

from typing_extensions import Unpack

from spikeseq.errors import ConfigError, nearest
from spikeseq.nn.coder import Coder, coder
from spikeseq.nn.current_kinds import GatedKind, LeakyKind, Variant
from spikeseq.nn.encoding import InputCode
from spikeseq.nn.encoding import input_encoding as input_encoding_of
from spikeseq.nn.level_kinds import HardGatedKind, LevelGatedKind
from spikeseq.nn.lstm import Conventions, check_shift
from spikeseq.nn.recurrent import Recurrent
from spikeseq.ops.sigma_delta import Rounding
from spikeseq.shapes import check_time_steps

Levels = Literal["signed", "unsigned"]
Range = Literal["ema", "learned"]
Candidate = Literal["relu", "signed"]


class GatedCurrent(Recurrent):
    """Gated synaptic current with multi-bit sigma-delta outputs; ops/cells/gated_current.py, ops/sigma_delta.py.

    variant           "v2": recurrent product with the outputs; "v1": none, no ``weight_hh``
    bits, threshold_levels  of an output: 1 to 8, and how many levels next to 0 are sent as 0. One bit needs
                      rounding="nearest" or levels="unsigned", and with "v2" a learned range: moving averages run away there
    rounding          "trunc" (published) or "nearest";  levels "signed" (published) or "unsigned": h is never negative
    range             of the quantiser: "ema" (published: moving averages, frozen in evaluation) or "learned"
    batch_norm        of the input product (nn/normalize.py); there is one bias, ``bias_ih``
    recurrent_dropout probability, of the candidate: one mask for each sequence
    input_bits        bits of a sigma-delta code of the input, signed, in the same manner; None: taken as it is
    State: CurrentState(y, current, residual), with a coded input CodedCurrentState. Gate order z, c.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        variant: Variant = "v2",
        bits: int = 6,
        threshold_levels: int = 3,
        rounding: Rounding = "trunc",
        levels: Levels = "signed",
        range: Range = "ema",
        batch_norm: bool = True,
        recurrent_dropout: float = 0.0,
        input_bits: int | None = None,
        **conventions: Unpack[Conventions],
    ) -> None:
        kind = gated_kind(
            variant, bits, threshold_levels, rounding, levels, range, batch_norm, recurrent_dropout, input_bits
        )
        super().__init__(kind, input_size, hidden_size, num_layers, **conventions)


class LeakyCurrent(Recurrent):
    """Leaky synaptic current with multi-bit outputs, the conventional network; ops/cells/leaky_current.py.

    ``leak_l{k} [H]`` is learned, from ``first_leak``: 1 as published, an integrator, which runs away on long sequences where
    training moves it beyond; below 1 it forgets. The other options: GatedCurrent's, but signed levels only.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bits: int = 6,
        threshold_levels: int = 3,
        rounding: Rounding = "trunc",
        levels: Levels = "signed",
        range: Range = "ema",
        batch_norm: bool = True,
        input_bits: int | None = None,
        first_leak: float = 1.0,
        **conventions: Unpack[Conventions],
    ) -> None:
        kind = leaky_kind(bits, threshold_levels, rounding, levels, range, batch_norm, input_bits, first_leak)
        super().__init__(kind, input_size, hidden_size, num_layers, **conventions)


class HardGatedCurrent(Recurrent):
    """Gated current with clipped lines that transmits h itself: the source network of SpikingGatedCurrent.

    Beside the weights: ``threshold_l{k} [H]`` (range of z) and ``clip_l{k} [H]`` (range of c, up to 1), learned.
    candidate  "relu": c in [0, gam]; "signed": c in [-gam, gam], as a GRU's
    gru_state  hand out the state as ``nn.GRU`` does, h alone as one tensor
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        variant: Variant = "v2",
        candidate: Candidate = "relu",
        batch_norm: bool = True,
        recurrent_dropout: float = 0.0,
        gru_state: bool = False,
        **conventions: Unpack[Conventions],
    ) -> None:
        kind = hard_gated_kind(variant, candidate, batch_norm, recurrent_dropout, gru_state)
        super().__init__(kind, input_size, hidden_size, num_layers, **conventions)


class SpikingGatedCurrent(Recurrent):
    """Gated current with T levels of gate and output: it accumulates and shifts, and multiplies nothing behind its input.

    time_steps  T: a power of two up to 16; the output is k/T, sent as a packet of |k| <= T unit spikes
    shift       1/2 (optimal) or 0 (none), in levels of the gate
    input_encoding, input_levels  as of QuantizedLSTM;  the other options as of HardGatedCurrent
    State: CurrentState(y, current, residual); h alone is taken too. With ``gru_state`` y alone is handed out, and a run that
    goes on from it starts without the current's fraction and the residual: not exactly one run.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        variant: Variant = "v2",
        time_steps: int = 2,
        candidate: Candidate = "relu",
        shift: float = 0.5,
        batch_norm: bool = True,
        recurrent_dropout: float = 0.0,
        input_encoding: InputCode = "direct",
        input_levels: int | None = None,
        gru_state: bool = False,
        **conventions: Unpack[Conventions],
    ) -> None:
        kind = level_gated_kind(
            variant,
            time_steps,
            candidate,
            shift,
            batch_norm,
            recurrent_dropout,
            input_encoding,
            input_levels,
            gru_state,
        )
        super().__init__(kind, input_size, hidden_size, num_layers, **conventions)


def gated_kind(
    variant: str, bits: int, threshold_levels: int, rounding: str, levels: str, range: str, batch_norm: bool,
    recurrent_dropout: float, input_bits: int | None,
) -> GatedKind:  # fmt: skip
    """Check the options of a GatedCurrent. Raises ConfigError."""
    output = coder(bits, threshold_levels, rounding, levels, range)
    return GatedKind(
        batch_norm, input_coder(input_bits, rounding, range), check_variant(variant), check_dropout(recurrent_dropout),
        coder=output,
    )  # fmt: skip


def leaky_kind(
    bits: int, threshold_levels: int, rounding: str, levels: str, range: str, batch_norm: bool, input_bits: int | None,
    first_leak: float,
) -> LeakyKind:  # fmt: skip
    """Check the options of a LeakyCurrent. Raises ConfigError."""
    if levels == "unsigned":
        raise ConfigError("levels='unsigned': the current of a leaky layer may be negative; pass levels='signed'")
    if isinstance(first_leak, bool) or not isinstance(first_leak, int | float) or not 0 <= first_leak <= 1:
        raise ConfigError(f"first_leak={first_leak!r}: pass a factor from 0 to 1")
    output = coder(bits, threshold_levels, rounding, levels, range)
    return LeakyKind(batch_norm, input_coder(input_bits, rounding, range), first_leak=float(first_leak), coder=output)


def hard_gated_kind(
    variant: str, candidate: str, batch_norm: bool, recurrent_dropout: float, gru_state: bool = False
) -> HardGatedKind:
    """Check the options of a HardGatedCurrent. Raises ConfigError."""
    return HardGatedKind(
        batch_norm, check_variant(variant), check_candidate(candidate), check_dropout(recurrent_dropout), gru_state
    )


def level_gated_kind(
    variant: str, time_steps: int, candidate: str, shift: float, batch_norm: bool, recurrent_dropout: float,
    input_encoding: str, input_levels: int | None, gru_state: bool = False,
) -> LevelGatedKind:  # fmt: skip
    """Check the options of a SpikingGatedCurrent. Raises ConfigError."""
    return LevelGatedKind(
        batch_norm, check_variant(variant), check_candidate(candidate), check_dropout(recurrent_dropout), gru_state,
        check_time_steps(time_steps), check_shift(shift), input_encoding_of(input_encoding, input_levels),
    )  # fmt: skip


def input_coder(bits: int | None, rounding: str, range: str) -> Coder | None:
    """The code of an input: signed, all levels are sent."""
    return None if bits is None else coder(bits, 0, rounding, "signed", range, "input_")


def check_variant(variant: str) -> Variant:
    """Return ``variant`` if it is "v1" or "v2"."""
    if variant not in ("v1", "v2"):
        raise ConfigError(f"variant={variant!r}: {nearest(str(variant), ('v1', 'v2'))}")
    return variant  # type: ignore[return-value]


def check_candidate(candidate: str) -> bool:
    """Whether ``candidate`` is "signed"; the other one is "relu"."""
    if candidate not in ("relu", "signed"):
        raise ConfigError(f"candidate={candidate!r}: {nearest(str(candidate), ('relu', 'signed'))}")
    return candidate == "signed"


def check_dropout(probability: float) -> float:
    """Return ``probability`` if something can be left of what it drops."""
    if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 <= probability < 1:
        raise ConfigError(f"recurrent_dropout={probability!r}: pass a probability from 0 up to, not including, 1")
    return float(probability)
