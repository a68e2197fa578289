#!/usr/bin/env bash
# A plain scalar has no style in PyYAML's Python loader, and an empty one in its C loader.
#
# Seen with PyYAML 6.0.3, Python 3.11: yaml.compose("a: null", Loader=yaml.SafeLoader) gives a node
# whose style is None, as ScalarNode has it by default, and Loader=yaml.CSafeLoader gives one whose
# style is ''. For quoted and block scalars both say the same ("'", '"', '|', '>').
#   SafeLoader   plain None  quoted "'"
#   CSafeLoader  plain ''    quoted "'"
#
# What we expected: the two loaders, documented as interchangeable but for speed, make equal nodes, so
# that `node.style is not None` tells quoted text from plain words. With the C loader it holds for
# every word, and a plain null was taken for text. Ask `bool(node.style)`.
# Run: bash findings/pyyaml_plain_scalars_differ_by_loader.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'PyYAML==6.0.3'
"$work/venv/bin/python" - <<'PY'
import yaml

styles = {}
for loader in (yaml.SafeLoader, yaml.CSafeLoader):
    root = yaml.compose("a: null\nb: 'null'\n", Loader=loader)
    plain, quoted = (value.style for _, value in root.value)
    print(f"{loader.__name__:<12} plain {plain!r:<5} quoted {quoted!r}")
    styles[loader.__name__] = (plain, quoted)
assert styles == {"SafeLoader": (None, "'"), "CSafeLoader": ("", "'")}, "the behaviour has changed"
PY
