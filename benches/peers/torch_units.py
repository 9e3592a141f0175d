"""One layer or one loss in PyTorch, forward and backward; `longhand/layers.rs` has the same. Layers read `steps x batch x features`,
except for the convolution, which reads PyTorch's own order."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from torch_layers import tensor
from workloads import INPUT, STEPS, WEIGHT_HH, WEIGHT_IH, uniform
from worker import Job


class Causal(nn.Module):
    """A convolution that sees no later step; `batch x features x steps`."""

    def __init__(self, features, dilation):
        super().__init__()
        self.padding, self.inner = 4 * dilation, nn.Conv1d(features, features, 5, dilation=dilation)

    def forward(self, x):
        return self.inner(F.pad(x, (self.padding, 0)))


LAYERS = {
    "conv": lambda n: Causal(n, 1),
    "conv-dilated": lambda n: Causal(n, 4),
    "layer_norm": nn.LayerNorm,
    "rms_norm": lambda n: nn.RMSNorm(n, eps=1e-5),
    "max_over_time": lambda n: lambda x: x.max(0, keepdim=True).values,
    "mean_over_time": lambda n: lambda x: x.mean(0, keepdim=True),
    "tanh": lambda n: torch.tanh,
    "sigmoid": lambda n: torch.sigmoid,
    "relu": lambda n: F.relu,
    "leaky_relu": lambda n: F.leaky_relu,
    "gelu": lambda n: F.gelu,
    "silu": lambda n: F.silu,
    "softplus": lambda n: F.softplus,
    "elu": lambda n: F.elu,
    "hard_sigmoid": lambda n: F.hardsigmoid,
    "hard_tanh": lambda n: F.hardtanh,
    "hard_swish": lambda n: F.hardswish,
}


def job(workload):
    """Returns the job of a layer or of a loss."""
    return LayerJob(workload) if workload.cell in LAYERS else LossJob(workload)


def scaled_product(a, b):
    """The sum of the products of all elements, divided by the square root of their number: if the elements have random
    signs, of the order of one product."""
    return ((a.double() * b).sum() / math.sqrt(a.numel())).item()


class LayerJob(Job):
    """Forward and backward, with the gradients of the input and of the parameters."""

    def __init__(self, workload):
        n, batch = workload.units, workload.batch
        self.layer = LAYERS[workload.cell](n)
        self.parameters = list(self.layer.parameters()) if isinstance(self.layer, nn.Module) else []
        with torch.no_grad():
            for number, parameter in enumerate(self.parameters):
                is_kernel = parameter.dim() == 3
                shape = (len(parameter), 1, 1) if is_kernel else tuple(parameter.shape)
                elements = uniform(WEIGHT_HH, (100_000 * number + math.prod(shape),))[100_000 * number :]
                # A value for each row, because the order of the columns of a kernel is no part of the comparison.
                parameter.copy_(0.25 * tensor(elements).reshape(shape).expand_as(parameter))
        x = 2.0 * tensor(uniform(INPUT, (STEPS, batch, n)))
        is_convolution = workload.cell.startswith("conv")
        self.x = (x.permute(1, 2, 0).contiguous() if is_convolution else x).requires_grad_()
        shape = self.layer(self.x).shape
        steps = shape[2] if is_convolution else shape[0]
        d_y = tensor(uniform(WEIGHT_IH, (steps, batch, n)))
        self.d_y = d_y.permute(1, 2, 0).contiguous() if is_convolution else d_y

    def run(self, steps):
        for _ in range(steps):
            self.y = self.layer(self.x)
            self.gradients = torch.autograd.grad(self.y, [self.x, *self.parameters], self.d_y)

    def values(self):
        d_x, *gradients = self.gradients
        sums = [g.double().sum() / math.sqrt(self.x.numel()) for g in gradients]
        return [scaled_product(self.y, self.d_y), scaled_product(d_x, self.x), *(value.item() for value in sums)]


class LossJob(Job):
    """The loss and the gradient of the output that it is computed from."""

    def __init__(self, workload):
        n, batch, name = workload.units, workload.batch, workload.cell
        outputs = 2 * n if name == "gaussian" else n
        self.output = (2.0 * tensor(uniform(INPUT, (STEPS, batch, outputs)))).requires_grad_()
        real = 2.0 * tensor(uniform(WEIGHT_IH, (STEPS, batch, n)))
        labels = torch.arange(STEPS * batch) % n
        weights = 1.0 + torch.arange(n) / n
        words = torch.tensor([[1 + (7 * i + b) % (n - 1) for i in range(20)] for b in range(batch)])
        lengths = torch.full((batch,), STEPS), torch.full((batch,), 20)
        self.loss = {
            "mse": lambda y: F.mse_loss(y, real),
            "mae": lambda y: F.l1_loss(y, real),
            "huber": lambda y: F.huber_loss(y, real, delta=0.5),
            "gaussian": lambda y: F.gaussian_nll_loss(y[..., :n], real, y[..., n:].exp() + 1e-6, eps=1e-6),
            "bce": lambda y: F.binary_cross_entropy_with_logits(y, (real > 0).float(), pos_weight=weights),
            "cross_entropy": lambda y: F.cross_entropy(y.view(-1, n), labels),
            "cross_entropy-weighted": lambda y: F.cross_entropy(y.view(-1, n), labels, weights, label_smoothing=0.1),
            "ctc": lambda y: F.ctc_loss(F.log_softmax(y, 2), words, *lengths, reduction="sum"),
        }[name]

    def run(self, steps):
        for _ in range(steps):
            self.value = self.loss(self.output)
            (self.gradient,) = torch.autograd.grad(self.value, self.output)

    def values(self):
        return [self.value.item(), (self.gradient.double() * self.output).sum().item()]
