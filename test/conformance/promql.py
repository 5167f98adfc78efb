"""The peers' PromQL test scripts, run by `binnacle promqltest`: every evaluation has to pass."""
import glob
import os
import re
import subprocess
import sys

import bn

files = sorted(glob.glob(os.path.join(bn.CASES, "promql/*.test")))
if not files:
    print("skipped: no scripts in %s/promql" % bn.CASES)
    sys.exit(77)

run = subprocess.run([bn.BINNACLE, "promqltest", *files], capture_output=True, text=True)
lines = run.stdout.splitlines()
closing = re.fullmatch(r"(\d+) passed, (\d+) failed", lines[-1] if lines else "")
for line in lines[:-1]:
    print(line)
print(run.stderr, end="")
if not closing:
    sys.exit("promqltest ended with %d and no closing line" % run.returncode)
passed, failed = int(closing[1]), int(closing[2])
print(f"promql: {passed} of {passed + failed}")
sys.exit(1 if run.returncode or passed == 0 else 0)
