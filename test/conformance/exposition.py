"""Real metrics pages are accepted, the peers' tables of broken pages are refused as there."""
import json
import os
import subprocess
import sys

import bn

cases = os.path.join(bn.CASES, "exposition")
if not os.path.isdir(cases):
    print("skipped: %s is not there" % cases)
    sys.exit(77)

good, total = 0, 0


def check(what, arguments, page, accepted):
    global good, total
    total += 1
    run = subprocess.run([bn.BINNACLE, "check", "metrics", *arguments], input=page, capture_output=True)
    if run.returncode in (0, 2) and (run.returncode == 0) == accepted:
        good += 1
    else:
        print(f"{what}: expected {'accepted' if accepted else 'refused'}, exit code {run.returncode}: {run.stderr.decode(errors='replace').strip()}")


for name in sorted(os.listdir(cases)):
    path = os.path.join(cases, name)
    with open(path, "rb") as f:
        page = f.read()
    if name.endswith("_errors.json"):
        form = ["--scrape-openmetrics"] if name.startswith("openmetrics") else []
        for i, case in enumerate(json.loads(page)):
            # "" and "EOF" say that the parser reached the end without an error
            check(f"{name}[{i}] {case['input_latin1']!r}", form, case["input_latin1"].encode("latin-1"), case["err"] in ("", "EOF"))
    else:
        check(name, ["--scrape-openmetrics"] if name.endswith(".om.txt") else [], page, True)
print(f"exposition: {good} of {total}")
sys.exit(good != total)
