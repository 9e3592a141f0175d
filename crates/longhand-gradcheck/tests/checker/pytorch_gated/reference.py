"""Computes the reference values of LSTM, LSTM with projection and GRU for mod.rs with PyTorch in double precision.

    python -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python reference.py > reference.json

The tests do not run this script: they read its output, reference.json, which is in the same directory. Matrices are
lists of rows. A sequence is a list of steps, each a list of features. Sequences of different lengths are run one by one,
so nothing depends on packing.
"""

import json
import sys

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def gated(kind, inputs, units, outputs, lengths, seed, projection=0):
    """Runs nn.LSTM or nn.GRU, and nn.Linear, with cotangents on the output of every step and on the final state.

    The state is a dictionary of tensors: h and c of an LSTM, h of a GRU. The h of an LSTM with projection has `projection` features.
    """
    torch.manual_seed(seed)
    if kind == "gru":
        layer = torch.nn.GRU(inputs, units)
    else:
        layer = torch.nn.LSTM(inputs, units, proj_size=projection)
    features = projection or units
    linear = torch.nn.Linear(features, outputs)
    with torch.no_grad():
        for p in [*layer.parameters(), *linear.parameters()]:
            p.normal_(0, 0.7)
    sizes = {"h": features} if kind == "gru" else {"h": features, "c": units}
    x = [torch.randn(n, inputs, requires_grad=True) for n in lengths]
    first = {name: [torch.randn(1, size, requires_grad=True) for _ in lengths] for name, size in sizes.items()}
    d_y = [torch.randn(n, outputs) for n in lengths]
    d_last = {name: [torch.randn(1, size) for _ in lengths] for name, size in sizes.items()}
    y, last = [], {name: [] for name in sizes}
    for b in range(len(lengths)):
        if kind != "gru":
            hidden, state = layer(x[b], (first["h"][b], first["c"][b]))
        else:
            hidden, state = layer(x[b], first["h"][b])
            state = (state,)
        y.append(linear(hidden))
        loss = (d_y[b] * y[b]).sum()
        for name, tensor in zip(sizes, state):
            last[name].append(tensor)
            loss = loss + (d_last[name][b] * tensor).sum()
        loss.backward()
    parameters = {"0." + name: p for name, p in layer.named_parameters()}
    parameters |= {"1." + name: p for name, p in linear.named_parameters()}

    def rows(state, of=lambda tensor: tensor):
        return {name: [of(t)[0].tolist() for t in tensors] for name, tensors in state.items()}

    return {
        "layer": kind,
        "inputs": inputs,
        "units": units,
        **({"projection": projection} if projection else {}),
        "outputs": outputs,
        "lengths": lengths,
        "parameters": {name: p.tolist() for name, p in parameters.items()},
        "x": [t.tolist() for t in x],
        "first_state": rows(first),
        "d_output": [t.tolist() for t in d_y],
        "d_last_state": rows(d_last),
        "output": [t.tolist() for t in y],
        "last_state": rows(last),
        "gradients": {name: p.grad.tolist() for name, p in parameters.items()},
        "d_x": [t.grad.tolist() for t in x],
        "d_first_state": rows(first, of=lambda tensor: tensor.grad),
    }


shapes = [
    (2, 3, 4, [5, 5], 1),
    (5, 7, 2, [6, 3, 1], 2),
    (3, 9, 6, [11, 4, 8, 2], 3),
    (1, 1, 1, [3], 4),
    (4, 17, 3, [2, 7], 5),
]
# The same shapes with a hidden state of fewer features.
projected = [
    (2, 3, 4, [5, 5], 6, 2),
    (5, 7, 2, [6, 3, 1], 7, 1),
    (3, 17, 6, [11, 4, 8, 2], 8, 9),
    (4, 9, 3, [2, 7], 9, 8),
]
json.dump(
    {
        "torch": torch.__version__,
        "gated": [gated(kind, *shape) for kind in ["lstm", "gru"] for shape in shapes]
        + [gated("projected lstm", *shape) for shape in projected],
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
