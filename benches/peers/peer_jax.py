"""JAX's worker of compare.py."""

import os

from worker import pin, serve

threads = pin()
# XLA sizes its pool by the cores that it sees; on one core its matrix products need not ask for helpers either.
if threads == 1:
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax  # noqa: E402  (after the process is pinned)

import jax_jobs  # noqa: E402

serve("jax", jax.__version__, jax_jobs.forms)
