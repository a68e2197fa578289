#!/usr/bin/env bash
# Hydra executes a plugin's module a second time when it was imported before the first scan.
#
# Seen with hydra-core 1.3.8, Python 3.11: Plugins.instance() looks through hydra._internal.core_plugins
# and hydra_plugins; a module that is in sys.modules already is not reused but executed once more in
# the same module object. A class imported before is then no longer the one that Hydra makes sweepers
# of: patching it, or asking isinstance, has no effect; imported after the scan it is the same.
#   imported before the scan: the class Hydra uses is ours: False, isinstance: False
#   imported after the scan:  True
#
# What we expected: one class a module, as the import system has it, so that replacing
# BasicSweeper.split_arguments for the time of a sweep reaches Hydra's sweeper. It does not, silently.
# Take the class from Plugins.instance().class_name_to_class instead (runner/config/hydra_inside.py).
# Run: bash findings/hydra_runs_an_imported_plugin_module_again.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'hydra-core==1.3.8' 'omegaconf==2.3.1'
"$work/venv/bin/python" - <<'PY'
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper as before
from hydra.core.plugins import Plugins

used = Plugins.instance().class_name_to_class[f"{before.__module__}.{before.__name__}"]
made = used(max_batch_size=None)
print("imported before the scan: the class Hydra uses is ours:", used is before, end=", ")
print("isinstance:", isinstance(made, before))
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper as after  # noqa: E402

print("imported after the scan: ", used is after)
seen = (used is before, isinstance(made, before), used is after)
assert seen == (False, False, True), "the behaviour has changed"
PY
