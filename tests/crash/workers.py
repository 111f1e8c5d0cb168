"""`python -m tests.crash.workers`: the real registry, but a plan may have workers.

The registry refuses such plans until the playbooks can install one. What is not installed for
real can have two machines all the same, and two show more than one: each slot may die apart.
"""

import runpy

from registry_svc import plans

if __name__ == "__main__":
    plans.refuse_workers = lambda _: None
    runpy.run_module("registry_svc", run_name="__main__", alter_sys=True)
