"""Peers' OpenMetrics texts: `binnacle check metrics --openmetrics` must agree with each verdict."""
import json
import os
import subprocess
import sys

import bn

cases = os.path.join(bn.CASES, "openmetrics")
if not os.path.isdir(cases):
    print("skipped: %s is not there" % cases)
    sys.exit(77)

good, total = 0, 0
for name in sorted(os.listdir(cases)):
    with open(os.path.join(cases, name, "test.json")) as f:
        expected = json.load(f)["shouldParse"]
    run = subprocess.run([bn.BINNACLE, "check", "metrics", "--openmetrics", os.path.join(cases, name, "metrics")],
                         capture_output=True, text=True, errors="replace")
    total += 1
    if run.returncode in (0, 2) and (run.returncode == 0) == expected:
        good += 1
    else:
        print(f"{name}: expected {'accepted' if expected else 'refused'}, exit code {run.returncode}: {run.stderr.strip()}")
print(f"openmetrics: {good} of {total}")
sys.exit(good != total)
