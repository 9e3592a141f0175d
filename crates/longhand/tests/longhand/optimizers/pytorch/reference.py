"""Computes the reference values of mod.rs with PyTorch in double precision.

    python -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python reference.py > reference.json

The tests do not run this script: they read its output, reference.json, which is in the same directory.
"""

import json
import sys

import torch
from torch.optim import lr_scheduler, swa_utils

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

torch.manual_seed(1)
RATES = [0.1 / (1 + step) for step in range(12)]
START = [torch.randn(13), torch.randn(6)]
# Gradients of different sizes, some of them zero.
SIZES = torch.tensor([1.0, 1e-5, 30.0, 0.0, 2.0]).repeat(3)
GRADIENTS = [[torch.randn(t.shape) * SIZES[: len(t)] for t in START] for _ in RATES]


def lists(tensors):
    return [t.tolist() for t in tensors]


def optimizer(name, **settings):
    """Runs an optimizer on two tensors. The second one has half the learning rate, and a weight decay of its own."""
    tensors = [t.clone().requires_grad_() for t in START]
    groups = [{"params": [tensors[0]]}, {"params": [tensors[1]], "weight_decay": 0.25}]
    algorithm = getattr(torch.optim, name)(groups, lr=1.0, **settings)
    parameters = []
    for rate, gradients in zip(RATES, GRADIENTS):
        for t, gradient in zip(tensors, gradients):
            t.grad = gradient.clone()
        for group, factor in zip(algorithm.param_groups, [1.0, 0.5]):
            group["lr"] = rate * factor
        algorithm.step()
        parameters.append(lists(tensors))
    return {"name": name, "settings": settings, "parameters": parameters}


def average(decay):
    """The average after each update: equal, or exponential with a decay."""
    torch.manual_seed(2)
    model = torch.nn.Linear(3, 2)
    function = None if decay is None else swa_utils.get_ema_multi_avg_fn(decay)
    averaged = swa_utils.AveragedModel(model, multi_avg_fn=function)
    models, averages = [], []
    for _ in range(10):
        with torch.no_grad():
            for p in model.parameters():
                p.add_(torch.randn(p.shape))
        averaged.update_parameters(model)
        models.append([*model.weight.T.flatten().tolist(), *model.bias.tolist()])
        module = averaged.module
        averages.append([*module.weight.T.flatten().tolist(), *module.bias.tolist()])
    return {"decay": decay, "models": models, "averages": averages}


def schedule(name, steps, **settings):
    """The factors of a schedule. The largest learning rate is 1."""
    algorithm = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = getattr(lr_scheduler, name)(algorithm, **settings)
    factors = [scheduler.get_last_lr()[0]]
    for _ in range(steps - 1):
        algorithm.step()
        scheduler.step()
        factors.append(scheduler.get_last_lr()[0])
    return {"name": name, "settings": settings, "factors": factors}


json.dump(
    {
        "torch": torch.__version__,
        "rates": RATES,
        "start": lists(START),
        "gradients": [lists(gradients) for gradients in GRADIENTS],
        "optimizers": [
            optimizer("RMSprop"),
            optimizer("RMSprop", alpha=0.9, eps=1e-3, weight_decay=0.1),
            optimizer("RMSprop", momentum=0.9, weight_decay=0.1),
            optimizer("RMSprop", alpha=0.9, centered=True),
            optimizer("RMSprop", alpha=0.8, centered=True, momentum=0.7, weight_decay=0.1),
            optimizer("Adagrad"),
            optimizer("Adagrad", lr_decay=0.2, weight_decay=0.1),
            optimizer("Adagrad", initial_accumulator_value=0.3, eps=1e-3),
            optimizer("AdamW", weight_decay=0.1),
        ],
        "averages": [average(None), average(0.9), average(0.3)],
        "schedules": [
            schedule("CosineAnnealingWarmRestarts", 25, T_0=7, T_mult=1, eta_min=0.0),
            schedule("CosineAnnealingWarmRestarts", 70, T_0=5, T_mult=2, eta_min=0.1),
            schedule("CosineAnnealingWarmRestarts", 60, T_0=1, T_mult=3, eta_min=0.0),
            schedule("OneCycleLR", 40, total_steps=40, max_lr=1.0, pct_start=0.25),
            schedule("OneCycleLR", 50, total_steps=50, max_lr=1.0, pct_start=0.5, div_factor=10, final_div_factor=20),
            schedule("PolynomialLR", 30, total_iters=20, power=2.0),
            schedule("PolynomialLR", 30, total_iters=25, power=0.5),
        ],
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
