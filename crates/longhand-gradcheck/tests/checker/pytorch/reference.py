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

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def recurrent(nonlinearity, inputs, units, outputs, lengths, seed):
    """Runs nn.RNN and nn.Linear, with cotangents on the output of every step and on the final state."""
    torch.manual_seed(seed)
    rnn = torch.nn.RNN(inputs, units, nonlinearity=nonlinearity)
    linear = torch.nn.Linear(units, outputs)
    with torch.no_grad():
        for p in [*rnn.parameters(), *linear.parameters()]:
            p.normal_(0, 0.5)
    x = [torch.randn(n, inputs, requires_grad=True) for n in lengths]
    h0 = [torch.randn(1, units, requires_grad=True) for _ in lengths]
    d_y = [torch.randn(n, outputs) for n in lengths]
    d_h = [torch.randn(1, units) for _ in lengths]
    y, h = [], []
    for b in range(len(lengths)):
        hidden, final = rnn(x[b], h0[b])
        y.append(linear(hidden))
        h.append(final)
        ((d_y[b] * y[b]).sum() + (d_h[b] * final).sum()).backward()
    parameters = {"0." + name: p for name, p in rnn.named_parameters()}
    parameters |= {"1." + name: p for name, p in linear.named_parameters()}

    def rows(tensors):
        return [t[0].tolist() for t in tensors]

    return {
        "nonlinearity": nonlinearity,
        "inputs": inputs,
        "units": units,
        "outputs": outputs,
        "lengths": lengths,
        "parameters": {name: p.tolist() for name, p in parameters.items()},
        "x": [t.tolist() for t in x],
        "h0": rows(h0),
        "d_output": [t.tolist() for t in d_y],
        "d_hidden": rows(d_h),
        "output": [t.tolist() for t in y],
        "hidden": rows(h),
        "gradients": {name: p.grad.tolist() for name, p in parameters.items()},
        "d_x": [t.grad.tolist() for t in x],
        "d_h0": [t.grad[0].tolist() for t in h0],
    }


def loss(name, classes, columns, seed, smoothing=0.0):
    """Evaluates a loss of `columns` columns of `classes` outputs with the reductions of PyTorch."""
    torch.manual_seed(seed)
    z = 2 * torch.randn(columns, classes)
    missing = [seed % columns]
    if name == "softmax":
        target = torch.randint(classes, (columns,))
        target[missing] = -100
    else:
        target = torch.rand(columns, classes)
    reductions = {}
    for reduction in ["sum", "mean"]:
        logits = z.clone().requires_grad_()
        if name == "softmax":
            value = torch.nn.functional.cross_entropy(logits, target, reduction=reduction, label_smoothing=smoothing)
        elif name == "sigmoid":
            value = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction=reduction)
        else:
            value = torch.nn.functional.mse_loss(logits, target, reduction=reduction)
        value.backward()
        reductions[reduction] = {"loss": value.item(), "gradient": logits.grad.tolist()}
    return {
        "loss": name,
        "smoothing": smoothing,
        "output": z.tolist(),
        "target": target.tolist(),
        "reductions": reductions,
    }


json.dump(
    {
        "torch": torch.__version__,
        "recurrent": [
            recurrent("tanh", 2, 3, 4, [5, 5], 1),
            recurrent("tanh", 5, 7, 2, [6, 3, 1], 2),
            recurrent("tanh", 3, 9, 6, [11, 4, 8, 2], 3),
            recurrent("tanh", 1, 1, 1, [3], 4),
            recurrent("tanh", 4, 17, 3, [2, 7], 5),
            recurrent("relu", 2, 3, 4, [5, 5], 6),
            recurrent("relu", 3, 5, 2, [7, 2, 4], 7),
            recurrent("relu", 6, 4, 5, [1, 9], 8),
        ],
        "losses": [
            loss("softmax", 4, 5, 11),
            loss("softmax", 7, 3, 12, smoothing=0.1),
            loss("softmax", 2, 9, 13, smoothing=0.35),
            loss("sigmoid", 3, 5, 14),
            loss("sigmoid", 1, 7, 15),
            loss("squared", 4, 3, 16),
            loss("squared", 1, 6, 17),
        ],
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
