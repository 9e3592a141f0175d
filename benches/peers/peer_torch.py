"""The worker of compare.py for PyTorch."""

from worker import pin, serve

threads = pin()

import torch  # noqa: E402  (after the process is pinned)

import torch_jobs  # noqa: E402

torch.set_num_threads(threads)
torch.set_num_interop_threads(threads)
serve("torch", torch.__version__, torch_jobs.forms)
