"""Computes the reference values of mod.rs with PyTorch in double precision.

    python -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python reference.py > reference.json

The tests do not run this script: they read its output, reference.json, which is in the same directory. Matrices are
lists of rows. A sequence is a list of steps, each a list of features. Sequences of different lengths are run one by one,
so nothing depends on packing.
"""

import json
import sys

import torch
from torch import nn

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def case(layer, module, inputs, lengths, seed, settings=None, names=None, x=None):
    """Runs a module on each sequence alone, with cotangents on its output. `names` maps PyTorch's names to longhand's."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.normal_(0, 0.5)
    if x is None:
        x = [2 * torch.randn(n, inputs) for n in lengths]
    x = [t.clone().requires_grad_(t.is_floating_point()) for t in x]
    y = [module(t) for t in x]
    d_y = [torch.randn_like(t) for t in y]
    sum((d * t).sum() for d, t in zip(d_y, y)).backward()
    parameters = {(names or {}).get(name, name): p for name, p in module.named_parameters()}
    return {
        "layer": layer,
        "inputs": inputs,
        "settings": settings or {},
        "parameters": {name: p.tolist() for name, p in parameters.items()},
        "x": [t.tolist() for t in x],
        "d_output": [t.tolist() for t in d_y],
        "output": [t.tolist() for t in y],
        "gradients": {name: p.grad.tolist() for name, p in parameters.items()},
        "d_x": [t.grad.tolist() if t.grad is not None else [] for t in x],
    }


class Stacked(nn.Module):
    """The output of a recurrent module, without its states."""

    def __init__(self, rnn):
        super().__init__()
        self.rnn = rnn

    def forward(self, x):
        return self.rnn(x)[0]


class MaxOverTime(nn.Module):
    def forward(self, x):
        return x.max(0, keepdim=True).values


class AttentionPooling(nn.Module):
    def __init__(self, features, units):
        super().__init__()
        self.linear = nn.Linear(features, units)
        self.query = nn.Parameter(torch.zeros(units))

    def forward(self, x):
        attention = torch.softmax(torch.tanh(self.linear(x)) @ self.query, 0)
        return (attention[:, None] * x).sum(0, keepdim=True)


class Highway(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.gate = nn.Linear(features, features)
        self.inner = nn.GRU(features, features)

    def forward(self, x):
        t = torch.sigmoid(self.gate(x))
        return t * self.inner(x)[0] + (1 - t) * x


def stacked(kind, inputs, units, layers, bidirectional, lengths, seed):
    """A stack; the module's names are those of a file, so the test loads them by PyTorch's rules."""
    rnn = {"Lstm": nn.LSTM, "Gru": nn.GRU, "Elman": nn.RNN}[kind](
        inputs, units, num_layers=layers, bidirectional=bidirectional, dropout=0.4
    )
    settings = {"kind": kind, "units": units, "layers": layers, "bidirectional": bidirectional}
    names = {}
    for name, _ in rnn.named_parameters():
        direction = ""
        if bidirectional:
            direction = "backward." if name.endswith("_reverse") else "forward."
        tensor, layer = name.removesuffix("_reverse").rsplit("_l", 1)
        names["rnn." + name] = f"layers.{layer}.{direction}{tensor}_l0"
    module = Stacked(rnn)
    module.eval()
    return case("Stack", module, inputs, lengths, seed, settings, names)


def activations():
    # No kinks: the tests state the conventions there.
    x = [torch.tensor([[-30.0, -9.5, -4.0, -3.5, -2.5], [-1.5, -0.7, -1e-3, 1e-3, 0.4], [0.9, 1.5, 2.5, 3.5, 12.0]])]
    modules = {
        "Tanh": nn.Tanh(),
        "Sigmoid": nn.Sigmoid(),
        "Relu": nn.ReLU(),
        "LeakyRelu": nn.LeakyReLU(0.2),
        "Gelu": nn.GELU(),
        "Silu": nn.SiLU(),
        "Softplus": nn.Softplus(),
        "Elu": nn.ELU(0.7),
        "HardSigmoid": nn.Hardsigmoid(),
        "HardTanh": nn.Hardtanh(),
        "HardSwish": nn.Hardswish(),
    }
    return [case(name, module, 5, [3], 50 + i, x=x) for i, (name, module) in enumerate(modules.items())]


attention = {"linear.weight": "weight", "linear.bias": "bias"}
tokens = [torch.tensor([3, 0, 6, 3]), torch.tensor([0, 5])]
ties = [torch.tensor([[1.0, 3.0, -2.0], [4.0, 3.0, -2.0], [4.0, 0.0, -5.0], [2.0, 3.0, -2.0]])]
json.dump(
    {
        "torch": torch.__version__,
        "cases": [
            *activations(),
            case("LayerNorm", nn.LayerNorm(5), 5, [4, 2], 1),
            case("LayerNorm", nn.LayerNorm(19, eps=1e-2), 19, [3, 5, 1], 2, {"epsilon": 1e-2}),
            case("RmsNorm", nn.RMSNorm(6), 6, [4, 2], 3),
            case("RmsNorm", nn.RMSNorm(17, eps=1e-2), 17, [1, 3], 4, {"epsilon": 1e-2}),
            case("MaxOverTime", MaxOverTime(), 4, [5, 1, 3], 5),
            case("MaxOverTime", MaxOverTime(), 3, [4], 6, x=ties),
            case("AttentionPooling", AttentionPooling(4, 3), 4, [5, 1, 3], 7, {"units": 3}, attention),
            case("AttentionPooling", AttentionPooling(9, 20), 9, [7, 4], 8, {"units": 20}, attention),
            case("Highway", Highway(5), 5, [6, 2], 9),
            stacked("Lstm", 3, 4, 2, True, [5, 2], 10),
            stacked("Lstm", 2, 3, 3, False, [4, 6], 11),
            stacked("Gru", 3, 5, 2, True, [6, 1], 12),
            stacked("Elman", 4, 3, 2, False, [3, 3], 13),
            case("Embedding", nn.Embedding(7, 3, padding_idx=0), 7, [4, 2], 14, {"padding": 0, "features": 3}, x=tokens),
        ],
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
