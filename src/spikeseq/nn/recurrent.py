"""The conventions of ``torch.nn.LSTM``, once, for every cell: layers, directions, layout, lengths, packing, state."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from spikeseq.errors import ConfigError, ShapeError
from spikeseq.nn.dropout import keep_mask
from spikeseq.nn.kinds import Kind
from spikeseq.nn.observe import Seen, report
from spikeseq.nn.packing import pack_like, unpack
from spikeseq.nn.sequence import valid_mask
from spikeseq.nn.states import join_state, split_state, state_tensors
from spikeseq.ops.precision import full_precision
from spikeseq.shapes import check_dtype, check_lengths, check_sequence, check_size


class Recurrent(nn.Module):
    """A stack of recurrent layers that run one kind of cell through the engine.

    Constructor, weight names and shapes, ``forward`` and layouts are those of ``torch.nn.LSTM``; ``state`` goes in and
    comes out as a NamedTuple of ``[num_layers * num_directions, B, ..]``, None means zeros.
    """

    def __init__(
        self,
        kind: Kind,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        for name, value in (("input_size", input_size), ("hidden_size", hidden_size), ("num_layers", num_layers)):
            check_size(name, value)
        if not 0 <= dropout < 1:
            raise ConfigError(f"dropout={dropout!r}: pass a probability from 0 up to, not including, 1")
        self.kind, self.input_size, self.hidden_size, self.num_layers = kind, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout, self.bidirectional = bias, batch_first, dropout, bidirectional
        for part, layer in self._parts():
            width = input_size if layer == 0 else hidden_size * (1 + bidirectional)
            for name, shape in kind.shapes(width, hidden_size, bias).items():
                self.register_parameter(f"{name}_{part}", nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
            for name, first in self._extra(part).items():
                own = nn.Parameter(first.to(device=device, dtype=dtype), requires_grad=name != "input_step")
                self.register_parameter(f"{name}_{part}", own)
            for name, first in self._measured(part).items():
                self.register_buffer(f"{name}_{part}", first.to(device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Weights, biases, extra parameters and what was measured as their kind says."""
        for part, _ in self._parts():
            with torch.no_grad():
                for name in self.kind.shapes(1, 1, self.bias):
                    self.kind.initialize(name, self.get_parameter(f"{name}_{part}"), self.hidden_size)
                for name, first in self._extra(part).items():
                    self.get_parameter(f"{name}_{part}").copy_(first)
                for name, first in self._measured(part).items():
                    self.get_buffer(f"{name}_{part}").copy_(first)

    def _parts(self) -> list[tuple[str, int]]:
        """Names of layer and direction, "l0", "l0_reverse", "l1", .., with the layer's number."""
        suffixes = ("", "_reverse") if self.bidirectional else ("",)
        return [(f"l{layer}{s}", layer) for layer in range(self.num_layers) for s in suffixes]

    def _extra(self, part: str) -> dict[str, Tensor]:
        """Initial values of the parameters of one layer and direction that ``nn.LSTM`` has not."""
        first = self.kind.input_extra(self.input_size) if part.split("_")[0] == "l0" else {}
        return {**self.kind.extra(self.hidden_size), **first}

    def _measured(self, part: str) -> dict[str, Tensor]:
        """Initial values of the buffers of one layer and direction."""
        first = self.kind.input_buffers() if part.split("_")[0] == "l0" else {}
        return {**self.kind.buffers(self.hidden_size), **first}

    def flatten_parameters(self) -> None:
        """Nothing to do; here because models written for ``nn.LSTM`` call it."""

    def part(self, part: str) -> dict[str, nn.Parameter]:
        """Parameters of one layer and direction by plain name (``weight_ih``, .., ``threshold``)."""
        names = (*self.kind.shapes(1, 1, self.bias), *self._extra(part))
        return {name: self.get_parameter(f"{name}_{part}") for name in names}

    def values(self, part: str) -> dict[str, Tensor]:
        """The same with the buffers."""
        return {**self.part(part), **{name: self.get_buffer(f"{name}_{part}") for name in self._measured(part)}}

    def forward(
        self,
        x: Tensor | PackedSequence | None = None,
        state: Any = None,
        lengths: Tensor | list[int] | None = None,
        *,
        input: Tensor | PackedSequence | None = None,
        hx: Any = None,
    ) -> tuple[Any, Any]:
        """Run the sequence.

        x        ``[L, B, I]``, ``[B, L, I]`` with ``batch_first``, ``[L, I]`` for one sequence, or a PackedSequence
        state    the NamedTuple that an earlier call returned, ``(h, c)`` of an ``nn.LSTM``, or None (zeros)
        input, hx  other names of ``x`` and ``state``, those of ``nn.LSTM``
        lengths  ``[B]`` true lengths: what lies behind them changes no result, outputs there are 0
        Returns ``(output, state)``: output ``[L, B, D H]`` in the layout of ``x``; the state after each row's last element.
        Raises ShapeError when a shape does not fit.
        """
        x, state = input if x is None else x, hx if state is None else state
        if x is None:
            raise ShapeError("x is missing: pass the sequence")
        state = None if state is None else self.kind.take_in(state_tensors(state))
        if isinstance(x, PackedSequence):
            if lengths is not None:
                raise ShapeError("lengths is given with a PackedSequence, which has its own; leave it out")
            padded, lengths = unpack(x)
            output, state = self._run(padded, state, lengths)
            return pack_like(output, x), self.kind.hand_out(state)
        check_sequence(x, self.input_size, self.batch_first)
        if x.dim() == 2:
            single = None if state is None else tuple(s.unsqueeze(1) for s in state)
            output, last = self._run(x.unsqueeze(1), single, lengths)
            return output.squeeze(1), self.kind.hand_out(self.kind.state_type(*(s.squeeze(1) for s in last)))
        output, state = self._run(x.transpose(0, 1) if self.batch_first else x, state, lengths)
        return output.transpose(0, 1) if self.batch_first else output, self.kind.hand_out(state)

    @full_precision
    def _run(self, x: Tensor, state: Any, lengths: Any) -> tuple[Tensor, Any]:
        """Time first ``[L, B, I]`` -> ``[L, B, D H]`` and the public state."""
        check_sequence(x, self.input_size, False)
        check_dtype(x, self.weight_ih_l0)
        lengths = None if lengths is None else check_lengths(lengths, x.shape[1], x.shape[0])
        states = self._states(state, x)
        signal = x.unsqueeze(1) if self.kind.replicated else x
        last: list[tuple[Tensor, ...]] = []
        for layer in range(self.num_layers):
            if layer and self.dropout and self.training:
                signal = signal * self._dropout_mask(signal)
            outputs = []
            for part, _ in [p for p in self._parts() if p[1] == layer]:
                output, end = self._pass(part, signal, states[len(last)], lengths)
                outputs.append(output)
                last.append(end)
            signal = torch.cat(outputs, -1) if len(outputs) > 1 else outputs[0]
        output = signal.sum(1) / self.kind.time_steps if self.kind.replicated else signal
        return output, join_state(self.kind, last)

    def _pass(self, part: str, x: Tensor, state: Any, lengths: Tensor | None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One direction of one layer: ``x [L, *lead, I]`` -> ``[L, *lead, H]`` and the public state at its end."""
        mask = None if lengths is None else valid_mask(lengths, x).unsqueeze(-1)
        if mask is not None:  # a NaN in the padding would reach the weights' gradient as 0 * NaN
            x = torch.where(mask.view(mask.shape[0], *(1,) * (x.dim() - 3), *mask.shape[1:]), x, torch.zeros_like(x))
        turned = _reverse(x, lengths) if part.endswith("_reverse") else x
        done = self.kind.run(turned, self.values(part), state, mask, self.training)
        report(Seen(self, part, done.x, done.output, mask, done.first))
        return _reverse(done.output, lengths) if part.endswith("_reverse") else done.output, done.state

    def _states(self, state: Any, x: Tensor) -> list[tuple[Tensor, ...]]:
        """Public state -> a tuple of ``[B, ..]`` for each layer and direction; None -> zeros."""
        return split_state(self.kind, state, x, self.hidden_size, len(self._parts()), 1 + self.bidirectional)

    def _dropout_mask(self, signal: Tensor) -> Tensor:
        """Mask with the replicas' axis of size 1: all T spikes of a unit are dropped together."""
        shape = (signal.shape[0], 1, *signal.shape[2:]) if self.kind.replicated else signal.shape
        return keep_mask(signal, shape, self.dropout)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        """Take the weights of a plain ``nn.LSTM``: ranges that it has not keep their present values."""
        names = [f"{name}_{part}" for part, _ in self._parts() for name in self._extra(part)]
        keep_ranges(self, [name for name in names if not name.startswith("input_step")], state_dict, prefix)
        keep_ranges(self, [name for name in names if name.startswith("input_step")], state_dict, prefix)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        """Sizes, options that are not the default, and the kind of cell."""
        options = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        shown = [f"{k}={getattr(self, k)}" for k, default in options.items() if getattr(self, k) != default]
        return ", ".join([str(self.input_size), str(self.hidden_size), *shown, repr(self.kind)])


def recurrent_of(model: nn.Module) -> Recurrent | None:
    """The first recurrent layer of this library in a model; None where there is none."""
    return next((module for module in model.modules() if isinstance(module, Recurrent)), None)


def keep_ranges(module: nn.Module, names: list[str], state_dict: Any, prefix: str) -> None:
    """Fill in a module's present values for ``names`` if ``state_dict`` has none of them: it is that of a plainer layer."""
    if not any(prefix + name in state_dict for name in names):
        state_dict.update({prefix + name: module.get_parameter(name).detach() for name in names})


def _reverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Turn each row round within its own length; padding stays where it is. ``x [L, *lead, F]``, batch second to last."""
    if lengths is None:
        return x.flip(0)
    n = torch.arange(x.shape[0])[:, None]
    index = torch.where(n < lengths, lengths - 1 - n, n).to(x.device)  # [L, B]
    index = index.view(index.shape[0], *(1,) * (x.dim() - 3), index.shape[1], 1)
    return torch.gather(x, 0, index.expand(x.shape))
