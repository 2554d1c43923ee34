"""A sequence that never ends: hand the state from one chunk to the next; chunk by chunk equals the whole.

Run: python examples/stream_with_state.py
"""

import torch

from spikeseq.nn import SpikingLSTM

torch.manual_seed(0)
lstm = torch.nn.LSTM(12, 32, num_layers=2)  # stands for a trained one
with torch.no_grad():
    for p in lstm.parameters():
        p.copy_((256 * p).round() / 64)  # weights in fixed point, as on a chip: every sum is exact

snn = SpikingLSTM(12, 32, num_layers=2, time_steps=2)
snn.load_state_dict(lstm.state_dict())  # takes the weights of an nn.LSTM
x = torch.randint(-16, 17, (50, 1, 12)) / 8  # [L, B, I]

with torch.no_grad():
    whole, end = snn(x)

    state = None  # zeros; afterwards a NamedTuple of two tensors that you may keep, copy or save
    chunks = []
    for chunk in x.split(7):
        output, state = snn(chunk, state)
        chunks.append(output)
        print(f"{len(chunk)} elements, mean |h| {output.abs().mean():.3f}")

print("outputs equal:", torch.equal(torch.cat(chunks), whole))
print("last states equal:", all(torch.equal(a, b) for a, b in zip(state, end, strict=True)))
