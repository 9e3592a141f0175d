"""Layers that PyTorch lacks, or that give more than an output: what a user would write with its modules and functions.

`order` is the order in which a module reads and writes steps, sequences and features, if it is not that one."""

import torch
import torch.nn.functional as F
from torch import nn

from torch_layers import GruStates, ProjectedLstmStates
from workloads import STEPS

BATCH_FIRST = (1, 0, 2)


class Causal(nn.Module):
    """A convolution that sees no later step."""

    order = (1, 2, 0)

    def __init__(self, features, dilation):
        super().__init__()
        self.padding, self.inner = 4 * dilation, nn.Conv1d(features, features, 5, dilation=dilation)

    def forward(self, x):
        return self.inner(F.pad(x, (self.padding, 0)))


class Output(nn.Module):
    """A recurrent module without its carry."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x)[0]


class GruByHand(Output):
    """The layers and directions of an `nn.GRU`, with a hand-written backward pass."""

    def direction(self, x, suffix):
        """One direction of one layer, over the steps in order."""
        weight_ih, weight_hh, bias_ih, bias_hh = (
            getattr(self.inner, name + suffix) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        return GruStates.apply(F.linear(x, weight_ih, bias_ih), weight_hh, bias_hh)

    def forward(self, x):
        for layer in range(self.inner.num_layers):
            y = self.direction(x, f"_l{layer}")
            if self.inner.bidirectional:
                y = torch.cat([y, self.direction(x.flip(0), f"_l{layer}_reverse").flip(0)], 2)
            x = y
        return x


class ProjectedLstmByHand(Output):
    """An `nn.LSTM` with `proj_size`, with a hand-written backward pass."""

    def forward(self, x):
        weight_ih, weight_hh, bias_ih, bias_hh, projection = self.inner.parameters()
        return ProjectedLstmStates.apply(F.linear(x, weight_ih, bias_ih + bias_hh), weight_hh, projection)


class Residual(nn.Module):
    """A residual connection around a linear layer and a ReLU."""

    def __init__(self, features):
        super().__init__()
        self.inner = nn.Linear(features, features)

    def forward(self, x):
        return x + F.relu(self.inner(x))


class Highway(nn.Module):
    """A highway around a linear layer and a ReLU."""

    def __init__(self, features):
        super().__init__()
        self.gate, self.inner = nn.Linear(features, features), nn.Linear(features, features)

    def forward(self, x):
        return torch.lerp(x, F.relu(self.inner(x)), torch.sigmoid(self.gate(x)))


class PoolingBySum(nn.Module):
    """Attention pooling. The weighted mean is a product and a sum."""

    def __init__(self, features):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(features, features))
        self.bias, self.query = (nn.Parameter(torch.zeros(features)) for _ in range(2))

    def attention(self, x, steps):
        """The weights of the steps, which are this dimension of `x`."""
        return torch.softmax(torch.tanh(F.linear(x, self.weight, self.bias)) @ self.query, steps)

    def forward(self, x):
        return (self.attention(x, 0)[..., None] * x).sum(0, keepdim=True)


class PoolingByProduct(PoolingBySum):
    """Attention pooling. The weighted mean is a matrix product for each sequence."""

    order = BATCH_FIRST

    def forward(self, x):
        return self.attention(x, 1)[:, None] @ x


class SelfAttention(nn.Module):
    """Causal self-attention over the last `window` steps, by PyTorch's function."""

    order = BATCH_FIRST

    def __init__(self, features, window):
        super().__init__()
        self.window = window
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * features, features))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * features))
        steps = torch.arange(STEPS)
        self.mask = self.additive(steps[:, None] - steps)

    def additive(self, distance):
        """What is added to a score, by the distance from the query back to the key."""
        return torch.zeros(distance.shape).masked_fill((distance < 0) | (distance >= self.window), -torch.inf)

    def projected(self, x):
        """Queries, keys and values."""
        return F.linear(x, self.in_proj_weight, self.in_proj_bias).chunk(3, 2)

    def forward(self, x):
        q, k, v = (part[:, None] for part in self.projected(x))
        if self.window >= STEPS:
            return F.scaled_dot_product_attention(q, k, v, is_causal=True)[:, 0]
        return F.scaled_dot_product_attention(q, k, v, attn_mask=self.mask)[:, 0]


class SelfAttentionByProducts(SelfAttention):
    """Causal self-attention as two batches of products with a softmax in between."""

    def forward(self, x):
        q, k, v = self.projected(x)
        scores = torch.baddbmm(self.mask, q, k.transpose(1, 2), alpha=q.shape[2] ** -0.5)
        return torch.softmax(scores, 2) @ v


class SelfAttentionInBlocks(SelfAttention):
    """Causal self-attention in which the queries of a block of `window` steps see the keys of that block and of the
    block before, instead of all keys."""

    def __init__(self, features, window):
        super().__init__(features, window)
        self.blocks = -(-STEPS // window)
        distance = torch.arange(window)[:, None] + window - torch.arange(2 * window)
        self.mask = self.additive(distance).repeat(self.blocks, 1, 1)
        # There is no block before the first one.
        self.mask[0, :, :window] = -torch.inf

    def forward(self, x):
        padded = F.pad(x, (0, 0, 0, self.blocks * self.window - STEPS))
        q, k, v = (part.unflatten(1, (self.blocks, self.window)) for part in self.projected(padded))
        k, v = (torch.cat([F.pad(part, (0, 0, 0, 0, 1, 0))[:, :-1], part], 2) for part in (k, v))
        scores = (q * q.shape[3] ** -0.5) @ k.transpose(2, 3) + self.mask
        return (torch.softmax(scores, 3) @ v).flatten(1, 2)[:, :STEPS]
