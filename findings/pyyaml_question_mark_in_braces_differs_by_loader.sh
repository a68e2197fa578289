#!/usr/bin/env bash
# A question mark at the end of a plain word in braces: PyYAML's Python loader refuses the file, its C
# loader takes it.
#
# Seen with PyYAML 6.0.3, Python 3.11:
#   SafeLoader   {ask: How clear?, minimum: 1}  ParserError
#   CSafeLoader  {ask: How clear?, minimum: 1}  {'ask': 'How clear?', 'minimum': 1}
# The same in brackets ([What?, 1]); on a line of its own (ask: How clear?) both take it.
#
# What we expected: the two loaders, documented as interchangeable but for speed, take the same files.
# A questionnaire in flow style that the C loader takes is refused by yaml.safe_load, which is the Python
# loader also where the C one is installed. Quote what asks: {ask: 'How clear?'}.
# Run: bash findings/pyyaml_question_mark_in_braces_differs_by_loader.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'PyYAML==6.0.3'
"$work/venv/bin/python" - <<'PY'
import yaml

TEXTS = ("ask: How clear?", "{ask: 'How clear?', minimum: 1}", "{ask: How clear?, minimum: 1}", "[What?, 1]")
taken = {}
for loader in (yaml.SafeLoader, yaml.CSafeLoader):
    for text in TEXTS:
        try:
            said = yaml.load(text, Loader=loader)
        except yaml.YAMLError as error:
            said = None
            print(f"{loader.__name__:<12} {text:<32} {type(error).__name__}")
        else:
            print(f"{loader.__name__:<12} {text:<32} {said}")
        taken.setdefault(loader.__name__, []).append(said is not None)
expected = {"SafeLoader": [True, True, False, False], "CSafeLoader": [True] * 4}
assert taken == expected, "the behaviour has changed"
PY
