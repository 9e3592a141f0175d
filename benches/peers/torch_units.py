"""One layer or one loss in PyTorch, forward and backward; `longhand/layers.rs` has the same. Layers read `steps x batch x features`,
except for those that are faster in another order."""

import math

import torch
import torch.nn.functional as F
from torch import nn

from torch_layers import tensor
from torch_modules import (
    Causal,
    GruByHand,
    Highway,
    Output,
    PoolingByProduct,
    PoolingBySum,
    ProjectedLstmByHand,
    Residual,
    SelfAttention,
    SelfAttentionByProducts,
    SelfAttentionInBlocks,
)
from workloads import INPUT, STEPS, WEIGHT_HH, WEIGHT_IH, uniform
from worker import Job


TOKENS = 1_000
PROBABILITY = 0.5

# What makes a layer from the number of features, or several forms of one, by name.
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
    "linear": lambda n: nn.Linear(n, n),
    "residual": Residual,
    "highway": Highway,
    "attention_pooling": {"sum": PoolingBySum, "matrix product": PoolingByProduct},
    "self_attention-32": {
        "all keys": lambda n: SelfAttention(n, 32),
        "all keys, by products": lambda n: SelfAttentionByProducts(n, 32),
        "in blocks, by products": lambda n: SelfAttentionInBlocks(n, 32),
    },
    "self_attention-150": {
        "scaled_dot_product_attention": lambda n: SelfAttention(n, 150),
        "by products": lambda n: SelfAttentionByProducts(n, 150),
    },
    "projected_lstm": {
        "nn.LSTM": lambda n: Output(nn.LSTM(n, n, proj_size=n // 2)),
        "backward by hand": lambda n: ProjectedLstmByHand(nn.LSTM(n, n, proj_size=n // 2)),
    },
    "bidirectional-lstm": lambda n: Output(nn.LSTM(n, n, bidirectional=True)),
    "bidirectional-gru": {
        "nn.GRU": lambda n: Output(nn.GRU(n, n, bidirectional=True)),
        "backward by hand": lambda n: GruByHand(nn.GRU(n, n, bidirectional=True)),
    },
    "stack-lstm": lambda n: Output(nn.LSTM(n, n, num_layers=2)),
    "stack-gru": {
        "nn.GRU": lambda n: Output(nn.GRU(n, n, num_layers=2)),
        "backward by hand": lambda n: GruByHand(nn.GRU(n, n, num_layers=2)),
    },
}


def forms(workload):
    """Returns the forms of a layer or of a loss by name."""
    n, name = workload.units, workload.cell
    if name == "embedding":
        return {"": EmbeddingJob(workload, nn.Embedding(TOKENS, n))}
    if name == "dropout":
        return {"": DropoutJob(workload, lambda x: F.dropout(x, PROBABILITY))}
    if name == "variational_dropout":
        mask = torch.ones(1, workload.batch, n)
        return {"": DropoutJob(workload, lambda x: x * F.dropout(mask, PROBABILITY))}
    if name not in LAYERS:
        return {"": LossJob(workload)}
    made = LAYERS[name] if isinstance(LAYERS[name], dict) else {"": LAYERS[name]}
    return {form: LayerJob(workload, make(n)) for form, make in made.items()}


def scaled_product(a, b):
    """The sum of the products of all elements, divided by the square root of their number: if the elements have random
    signs, of the order of one product."""
    return ((a.double() * b).sum() / math.sqrt(a.numel())).item()


class LayerJob(Job):
    """Forward and backward, with the gradients of the input and of the parameters."""

    def __init__(self, workload, layer):
        self.layer = layer
        self.parameters = list(layer.parameters()) if isinstance(layer, nn.Module) else []
        with torch.no_grad():
            for number, parameter in enumerate(self.parameters):
                is_kernel = parameter.dim() == 3
                shape = (len(parameter), 1, 1) if is_kernel else tuple(parameter.shape)
                elements = uniform(WEIGHT_HH, (100_000 * number + math.prod(shape),))[100_000 * number :]
                # A value for each row, because the order of the columns of a kernel is no part of the comparison.
                parameter.copy_(0.25 * tensor(elements).reshape(shape).expand_as(parameter))
        order = getattr(layer, "order", (0, 1, 2))
        self.x = self.input(workload, order)
        # The shape of the output in the order steps, sequences, features.
        shape = self.layer(self.x).shape
        shape = [shape[order.index(dimension)] for dimension in range(3)]
        self.d_y = tensor(uniform(WEIGHT_IH, shape)).permute(order).contiguous()

    def input(self, workload, order):
        """Returns the input of the layer, in this order."""
        x = 2.0 * tensor(uniform(INPUT, (STEPS, workload.batch, workload.units)))
        return x.permute(order).contiguous().requires_grad_()

    def run(self, steps):
        for _ in range(steps):
            self.y = self.layer(self.x)
            self.gradients = torch.autograd.grad(self.y, [self.x, *self.parameters], self.d_y)

    def values(self):
        d_x, *gradients = self.gradients
        sums = [g.double().sum() / math.sqrt(self.x.numel()) for g in gradients]
        return [scaled_product(self.y, self.d_y), scaled_product(d_x, self.x), *(value.item() for value in sums)]


class EmbeddingJob(LayerJob):
    """An embedding, whose input has no gradient."""

    def input(self, workload, order):
        return (7_919 * torch.arange(STEPS * workload.batch) % TOKENS).view(STEPS, workload.batch)

    def run(self, steps):
        for _ in range(steps):
            self.y = self.layer(self.x)
            self.gradients = torch.autograd.grad(self.y, self.parameters, self.d_y)

    def values(self):
        # The sum of the gradients alone would not depend on the ids.
        return [scaled_product(self.y, self.d_y), scaled_product(self.gradients[0], self.parameters[0])]


class DropoutJob(LayerJob):
    """Dropout in training."""

    def values(self):
        """Frameworks draw different masks, so these do not depend on the mask: the share of dropped elements to one
        digit, the largest error of an element that is kept, and the difference between the masks of the two passes."""
        dropped = self.y == 0.0
        errors = (self.y - self.x / (1.0 - PROBABILITY)).abs().masked_fill(dropped, 0.0)
        difference = scaled_product(self.y, self.d_y) - scaled_product(self.gradients[0], self.x)
        return [round(dropped.double().mean().item(), 1), errors.max().item(), difference]


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
