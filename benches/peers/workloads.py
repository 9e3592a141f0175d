"""The workloads of the comparison, and the initial weights and inputs that are the same for every peer."""

from dataclasses import asdict, dataclass

import numpy as np

FEATURES = 3
STEPS = 150
CLASSES = 6
GATES = {"elman": 1, "gru": 3, "lstm": 4}

PYTHON = ("jax", "torch")
RUST = ("burn", "candle")


@dataclass(frozen=True)
class Workload:
    """A row of the table. `window` is the number of steps per truncation window, 0 for whole sequences."""

    name: str
    kind: str
    cell: str
    units: int
    batch: int
    window: int = 0
    peers: tuple = PYTHON

    def request(self):
        """Returns the fields that are sent to a worker."""
        return {key: value for key, value in asdict(self).items() if key not in ("name", "peers")}

    def checked_steps(self):
        """Number of first steps that are compared between frameworks. With more steps, rounding errors grow: training
        leaves the region in which the loss is smooth."""
        return 1 if self.kind in ("infer", "layer") else 15


WORKLOADS = [
    Workload("study-50-30", "study", "elman", 50, 1, 30),
    Workload("study-50-10", "study", "elman", 50, 1, 10),
    Workload("study-100-30", "study", "elman", 100, 1, 30),
    Workload("elman-50-b32", "train", "elman", 50, 32, peers=PYTHON + RUST),
    Workload("elman-128-b64", "train", "elman", 128, 64),
    Workload("lstm-64-b32", "train", "lstm", 64, 32),
    Workload("lstm-128-b64", "train", "lstm", 128, 64, peers=PYTHON + RUST),
    Workload("gru-64-b32", "train", "gru", 64, 32, peers=PYTHON + RUST),
    Workload("gru-128-b64", "train", "gru", 128, 64),
    Workload("infer-elman-50-b32", "infer", "elman", 50, 32),
    Workload("infer-lstm-128-b32", "infer", "lstm", 128, 32),
    Workload("infer-gru-64-b32", "infer", "gru", 64, 32),
    Workload("stream-elman-50", "stream", "elman", 50, 1, peers=("torch",)),
    Workload("stream-gru-64", "stream", "gru", 64, 1, peers=("torch",)),
    Workload("stream-lstm-128", "stream", "lstm", 128, 1, peers=("torch",)),
]

LAYERS = """conv conv-dilated layer_norm rms_norm max_over_time mean_over_time tanh sigmoid relu leaky_relu gelu silu softplus elu
hard_sigmoid hard_tanh hard_swish linear residual highway embedding dropout variational_dropout attention_pooling
self_attention-32 self_attention-150 projected_lstm bidirectional-lstm bidirectional-gru stack-lstm stack-gru""".split()
LOSSES = "mse mae huber gaussian bce cross_entropy cross_entropy-weighted ctc".split()
WORKLOADS += [Workload(f"layer-{name}", "layer", name, 64, 32, peers=("torch",)) for name in LAYERS]
WORKLOADS += [Workload(f"loss-{name}", "layer", name, 20, 32, peers=("torch",)) for name in LOSSES]

# Number of each tensor in the generator of initial values.
INPUT, WEIGHT_IH, WEIGHT_HH, BIAS_IH, BIAS_HH, HEAD_WEIGHT, HEAD_BIAS = range(7)


def uniform(tensor, shape):
    """A tensor with elements in [-1, 1): the finaliser of splitmix64 of the tensor's number and the row-major index."""
    index = np.arange(np.prod(shape), dtype=np.uint64)
    z = (np.uint64(tensor << 32) + index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    unit = (z >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    return unit.reshape(shape)


def initial(workload):
    """Returns the initial weights of all peers, by PyTorch's names."""
    units, rows = workload.units, GATES[workload.cell] * workload.units
    bound = np.float32(1 / np.sqrt(units))
    shapes = {
        "weight_ih": (WEIGHT_IH, (rows, FEATURES)),
        "weight_hh": (WEIGHT_HH, (rows, units)),
        "bias_ih": (BIAS_IH, (rows,)),
        "bias_hh": (BIAS_HH, (rows,)),
        "head_weight": (HEAD_WEIGHT, (CLASSES, units)),
        "head_bias": (HEAD_BIAS, (CLASSES,)),
    }
    return {name: bound * uniform(tensor, shape) for name, (tensor, shape) in shapes.items()}


def inputs(workload):
    """Returns the inputs, steps x sequences x features."""
    return uniform(INPUT, (STEPS, workload.batch, FEATURES))


def classes(workload):
    """Returns the class of each sequence."""
    return np.full(1, 3) if workload.kind == "study" else np.arange(workload.batch) % CLASSES
