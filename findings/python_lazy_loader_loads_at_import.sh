#!/usr/bin/env bash
# A module that importlib.util.LazyLoader has put into sys.modules is loaded by the next plain import.
#
# Seen with Python 3.8 to 3.13: the recipe of importlib's documentation puts a _LazyModule into
# sys.modules. `import name` finds it there, asks for its __spec__ to see whether it is still being
# initialised, and that is an attribute like any other: the module's code runs, though nothing of it
# was used.
#   put there: _LazyModule, its code ran: False
#   after `import slow`: module, its code ran: True
#
# What we expected: LazyLoader "postpones the execution of the loader of a module until the module
# has an attribute accessed", and an import statement accesses none that its reader sees, so that
# one entry at the start makes a slow package lazy for every library that imports it. It helps only
# the one who keeps the returned object and never writes `import`. Import inside the function that
# needs it instead.
# Run: bash findings/python_lazy_loader_loads_at_import.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
echo 'import sys; sys.ran = True' > "$work/slow.py"
cd "$work"
python3 - <<'PY'
import importlib.util
import sys

sys.ran = False
sys.path.insert(0, "")
spec = importlib.util.find_spec("slow")
spec.loader = importlib.util.LazyLoader(spec.loader)
module = importlib.util.module_from_spec(spec)
sys.modules["slow"] = module
spec.loader.exec_module(module)
before = (type(module).__name__, sys.ran)
print("put there: {}, its code ran: {}".format(*before))
import slow  # noqa: E402, F401

after = (type(module).__name__, sys.ran)
print("after `import slow`: {}, its code ran: {}".format(*after))
assert (before, after) == (("_LazyModule", False), ("module", True)), "the behaviour has changed"
PY
