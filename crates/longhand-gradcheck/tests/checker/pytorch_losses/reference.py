"""Computes the reference values of mod.rs with PyTorch in double precision.

    python -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python reference.py > reference.json

The tests do not run this script: they read its output, reference.json, which is in the same directory. Outputs are lists
of sequences, a sequence is a list of steps, and a step a list of features. The losses that compare step by step read the
steps of all sequences as one batch, so nothing depends on padding.
"""

import json
import math
import random
import sys

import torch
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def case(about, output, target, evaluate, reductions=("sum", "mean")):
    """Evaluates `evaluate(output, reduction)` and its gradient with respect to the output."""
    results = {}
    for reduction in reductions:
        leaf = output.clone().requires_grad_()
        value = evaluate(leaf, reduction)
        value.backward()
        results[reduction] = {"loss": value.item(), "gradient": leaf.grad.tolist()}
    return about | {"output": output.tolist(), "target": target.tolist(), "reductions": results}


def labels(classes, columns, ignored):
    target = torch.randint(classes, (columns,))
    target[torch.rand(columns) < 0.2] = ignored
    target[0] = 0
    return target


def softmax(seed, classes, columns, smoothing, size):
    """Cross-entropy with class weights, label smoothing and ignored labels."""
    torch.manual_seed(seed)
    z, weight = size * torch.randn(columns, classes), 3 * torch.rand(classes)
    ignored = [-100, -1, classes - 1][seed % 3]
    target = labels(classes, columns, ignored)

    def evaluate(z, reduction):
        return F.cross_entropy(
            z, target, weight=weight, reduction=reduction, label_smoothing=smoothing, ignore_index=ignored
        )

    about = {"loss": "softmax", "weights": weight.tolist(), "smoothing": smoothing, "ignored": ignored}
    return case(about, z, target, evaluate)


def sigmoid(seed, classes, columns, size):
    """Binary cross-entropy with positive weights."""
    torch.manual_seed(seed)
    z, weight = size * torch.randn(columns, classes), 4 * torch.rand(classes)
    target = torch.rand(columns, classes)

    def evaluate(z, reduction):
        return F.binary_cross_entropy_with_logits(z, target, pos_weight=weight, reduction=reduction)

    return case({"loss": "sigmoid", "weights": weight.tolist()}, z, target, evaluate)


def focal(seed, classes, columns, gamma, size):
    """The definition of the focal loss, differentiated by PyTorch."""
    torch.manual_seed(seed)
    z, alpha = size * torch.randn(columns, classes), 2 * torch.rand(classes)
    target = labels(classes, columns, 0)

    def evaluate(z, reduction):
        log_p = F.log_softmax(z, 1)[range(columns), target]
        loss = -alpha[target] * (1 - log_p.exp()) ** gamma * log_p
        return loss.sum() if reduction == "sum" else loss.mean()

    return case({"loss": "focal", "gamma": gamma, "alpha": alpha.tolist()}, z, target, evaluate)


def absolute(seed, features, columns):
    torch.manual_seed(seed)
    y, target = torch.randn(columns, features), torch.randn(columns, features)
    target[0, 0] = y[0, 0]
    return case({"loss": "absolute"}, y, target, lambda y, r: F.l1_loss(y, target, reduction=r))


def huber(seed, features, columns, delta):
    torch.manual_seed(seed)
    y, target = 2 * torch.randn(columns, features), torch.randn(columns, features)
    target[0, 0] = y[0, 0]
    return case({"loss": "huber", "delta": delta}, y, target, lambda y, r: F.huber_loss(y, target, reduction=r, delta=delta))


def quantile(seed, targets, columns, quantiles):
    """The definition of the quantile loss, differentiated by PyTorch."""
    torch.manual_seed(seed)
    y, target = torch.randn(columns, targets * len(quantiles)), torch.randn(columns, targets)

    def evaluate(y, reduction):
        above = target[:, :, None] - y.reshape(columns, targets, len(quantiles))
        q = torch.tensor(quantiles)
        loss = torch.maximum(q * above, (q - 1) * above)
        return loss.sum() if reduction == "sum" else loss.mean()

    return case({"loss": "quantile", "quantiles": quantiles}, y, target, evaluate)


def gaussian(seed, targets, columns, smallest, full, size):
    """GaussianNLLLoss of the variance exp(s) + smallest, which its own lower bound does not change."""
    torch.manual_seed(seed)
    output, target = size * torch.randn(columns, 2 * targets), torch.randn(columns, targets)

    def evaluate(output, reduction):
        variance = output[:, targets:].exp() + smallest
        return F.gaussian_nll_loss(output[:, :targets], target, variance, full=full, eps=1e-12, reduction=reduction)

    return case({"loss": "gaussian", "smallest": smallest, "full": full}, output, target, evaluate)


def ctc(seed):
    """A ragged batch with repeated labels, empty targets, and sometimes labels that are impossible."""
    generator = random.Random(seed)
    torch.manual_seed(seed)
    classes, batch = generator.randint(2, 7), generator.randint(1, 4)
    blank = generator.randrange(classes)
    zero_infinity = seed % 4 == 0
    size = generator.choice([0.3, 1.0, 4.0])
    lengths = [generator.randint(1, 14) for _ in range(batch)]
    targets = []
    for b, length in enumerate(lengths):
        others = [k for k in range(classes) if k != blank]
        target = []
        for _ in range(generator.randint(0, length)):
            again = target and generator.random() < 0.3
            target.append(target[-1] if again else generator.choice(others))
        needed = lambda: len(target) + sum(a == b for a, b in zip(target, target[1:]))
        while needed() > length:
            target.pop()
        if zero_infinity and b == 0:
            target = [others[0]] * (length + 1)
        targets.append(target)
    steps = max(lengths)
    z = size * torch.randn(steps, batch, classes)
    flat = torch.tensor([k for target in targets for k in target], dtype=torch.long)
    results = {}
    for reduction in ["none", "sum", "mean"]:
        leaf = z.clone().requires_grad_()
        value = F.ctc_loss(
            F.log_softmax(leaf, 2),
            flat,
            torch.tensor(lengths),
            torch.tensor([len(target) for target in targets]),
            blank=blank,
            reduction=reduction,
            zero_infinity=zero_infinity,
        )
        if reduction == "none":
            results[reduction] = value.tolist()
            continue
        value.backward()
        gradient = leaf.grad.transpose(0, 1)
        gradient = [gradient[b, :length].tolist() for b, length in enumerate(lengths)]
        results[reduction] = {"loss": value.item(), "gradient": gradient}
    return {
        "blank": blank,
        "zero_infinity": zero_infinity,
        "output": [z[:length, b].tolist() for b, length in enumerate(lengths)],
        "targets": targets,
        "reductions": results,
    }


cases = []
for seed in range(6):
    generator = random.Random(seed)
    classes, columns, size = generator.randint(2, 6), generator.randint(2, 6), generator.choice([0.5, 2.0, 5.0])
    cases += [
        softmax(seed, classes, columns, [0.0, 0.1, 0.6][seed % 3], size),
        softmax(seed + 50, classes, columns, [0.0, 0.3][seed % 2], size),
        sigmoid(seed, classes, columns, size),
        focal(seed, classes, columns, [0.0, 0.5, 1.0, 2.0, 3.5, 5.0][seed], size),
        absolute(seed, classes, columns),
        huber(seed, classes, columns, [0.2, 1.0, 1.5][seed % 3]),
        quantile(seed, classes, columns, [[0.5], [0.1, 0.9], [0.05, 0.5, 0.75]][seed % 3]),
        gaussian(seed, classes, columns, [1e-6, 1e-3, 0.5][seed % 3], seed % 2 == 0, [0.5, 2.0][seed % 2]),
    ]
result = {"torch": torch.__version__, "steps": cases, "sequences": [ctc(seed) for seed in range(32)]}
assert not any(math.isinf(case["reductions"]["sum"]["loss"]) for case in result["sequences"])
json.dump(result, sys.stdout, separators=(",", ":"))
print()
