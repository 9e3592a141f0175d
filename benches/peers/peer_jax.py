"""The worker of compare.py for JAX."""

import os

from worker import pin, serve

threads = pin()
# XLA's thread pool has the size of the visible cores. On one core, also disable threads in its matrix products.
if threads == 1:
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402  (after the process is pinned)

import jax_jobs  # noqa: E402

serve("jax", jax.__version__, jax_jobs.forms)
