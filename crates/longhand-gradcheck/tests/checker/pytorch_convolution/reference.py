"""Computes the reference values of mod.rs with PyTorch in double precision.

    python -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python reference.py > reference.json

The tests do not run this script: they read its output, reference.json, which is in the same directory. A weight is a list of
outputs, each a list of inputs, each a list over the kernel. A sequence is a list of steps, each a list of features. Sequences of
different lengths are run one by one.
"""

import json
import sys

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def convolution(inputs, outputs, kernel_size, dilation, stride, lengths, seed):
    """Runs nn.Conv1d on inputs that begin with zeros, with a cotangent on the output of every step."""
    torch.manual_seed(seed)
    layer = torch.nn.Conv1d(inputs, outputs, kernel_size, stride=stride, dilation=dilation)
    x = [torch.randn(n, inputs, requires_grad=True) for n in lengths]
    y = []
    d_y = []
    for sequence in x:
        padded = torch.nn.functional.pad(sequence.T, ((kernel_size - 1) * dilation, 0))
        y.append(layer(padded).T)
        d_y.append(torch.randn_like(y[-1]))
        (d_y[-1] * y[-1]).sum().backward()
    return {
        "inputs": inputs,
        "outputs": outputs,
        "kernel_size": kernel_size,
        "dilation": dilation,
        "stride": stride,
        "weight": layer.weight.tolist(),
        "bias": layer.bias.tolist(),
        "x": [t.tolist() for t in x],
        "output": [t.tolist() for t in y],
        "d_output": [t.tolist() for t in d_y],
        "d_weight": layer.weight.grad.tolist(),
        "d_bias": layer.bias.grad.tolist(),
        "d_x": [t.grad.tolist() for t in x],
    }


json.dump(
    {
        "torch": torch.__version__,
        "cases": [
            convolution(2, 3, 3, 1, 1, [5, 5], 1),
            convolution(3, 4, 2, 3, 1, [7, 2, 4], 2),
            convolution(1, 1, 1, 1, 1, [3], 3),
            convolution(4, 2, 3, 2, 1, [9, 1], 4),
            convolution(2, 5, 4, 1, 2, [8, 5, 3], 5),
            convolution(3, 2, 2, 2, 3, [10, 6], 6),
        ],
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
