"""Our own PromQL test scripts, as `binnacle promqltest` runs them."""
import glob
import os
import subprocess

import bn

SCRIPTS = sorted(glob.glob(os.path.join(os.path.dirname(os.path.abspath(__file__)), '../golden/promql/*.test')))


def test_every_evaluation_passes():
    bn.eq(bool(SCRIPTS), True)
    run = subprocess.run([bn.BINNACLE, 'promqltest', *SCRIPTS], capture_output=True, text=True)
    bn.eq((run.returncode, run.stdout.endswith(' passed, 0 failed\n')), (0, True), run.stdout)


bn.main()
