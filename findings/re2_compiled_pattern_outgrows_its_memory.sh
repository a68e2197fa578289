#!/usr/bin/env bash
# A pattern that google-re2 has compiled may still run out of memory while it matches, and goes on
# some twenty times slower.
#
# Seen with google-re2 1.1.20251105, Python 3.11: an alternation of 600 names (program size 24,708)
# looks through a megabyte in 1.2 ms, one of 1,200 names (49,375) in 31 ms; with Options.max_mem at
# 64 MiB instead of the default of 8 MiB in 1.2 ms again. Compiling succeeds either way, and matching
# raises nothing: the only sign is "DFA out of memory" on stderr, at each search, and with
# log_errors=False, which keeps a terminal clean, there is none.
#   600 names    24708  default and 64 MiB alike
#   1200 names   49375  default many times slower than 64 MiB
#
# What we expected: the time of this engine depends on the text, and a pattern that is too large is
# refused when it is compiled. In fact the states made while matching share the same memory (our
# questions' names outgrew it at size 25,069, because each name takes more states). Set max_mem where
# patterns are made of what users write, and measure: nothing else tells.
# Run: bash findings/re2_compiled_pattern_outgrows_its_memory.sh
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q 'google-re2==1.1.20251105'
"$work/venv/bin/python" - <<'PY'
import time

import re2

TEXT = ("surprise" + " " * 1_000_000).encode()


def measured(names: int, max_mem: int | None) -> tuple[int, float]:
    words = [f"item {n} *(?:value|score|rating)?" for n in range(names)] + ["surprise"]
    each = "|".join(f"(?:{w})(?: +- +| *[:=]|[ ,]*(?:is|was)?) *[0-9]" for w in words)
    options = re2.Options()
    options.log_errors = False
    if max_mem is not None:
        options.max_mem = max_mem
    regex = re2.compile(rf"(?m)^[-*> ]*(?:{each})", options)
    seconds = []
    for _ in range(5):
        before = time.process_time()
        assert not list(regex.finditer(TEXT))
        seconds.append(time.process_time() - before)
    return regex.programsize, min(seconds)


ratios = {}
for names in (600, 1200):
    size, usual = measured(names, None)
    _, roomy = measured(names, 64 << 20)
    ratios[names] = usual / roomy
    print(f"{names:>5} names  size {size}  default {usual * 1e3:.1f} ms  64 MiB {roomy * 1e3:.1f} ms")
assert ratios[600] < 3 < 6 < ratios[1200], f"the behaviour has changed: {ratios}"
PY
