#!/usr/bin/env python3
"""The peers' PromQL test scripts, run by `binnacle promqltest`: every evaluation has to pass."""
import glob
import os
import subprocess
import sys

shared = os.environ.get("SHARED", "../shared")
binnacle = os.environ.get("BINNACLE", "build/release/binnacle")
files = sorted(glob.glob(os.path.join(shared, "cases/promql/*.test")))
if not files:
    print("no cases in", shared)
    sys.exit(77)

run = subprocess.run([binnacle, "promqltest", "-v"] + files, capture_output=True, text=True)
passed = failed = 0
for line in run.stdout.splitlines():
    passed += line.startswith("ok ")
    failed += line.startswith("not ok ")
    if line.startswith("not ok ") or line.startswith("  #"):
        print(line)
print(run.stderr, end="")
print(f"promql: {passed} of {passed + failed} evaluations pass")
sys.exit(1 if failed or run.returncode or passed == 0 else 0)
