"""The page's own sources: types check, unit tests pass, the lock file names no download host. Skipped without Node or before the first `npm ci`."""
import os
import re
import shutil
import subprocess

import bn

UI = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../../ui')


def run(*command):
    if not shutil.which('node') or not os.path.isdir(os.path.join(UI, 'node_modules')):
        raise bn.Skip('no node, or ui/node_modules is not there yet')
    r = subprocess.run(command, cwd=UI, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
    if r.returncode:
        raise AssertionError(' '.join(command) + ':\n' + r.stdout[-6000:])
    return r.stdout


def test_types_check():
    run('node', 'node_modules/typescript/bin/tsc', '-p', '.')


def test_unit_tests_pass():
    out = run('node', 'test/run.mjs')
    passed, failed = (int(re.search(r'^(?:# |\u2139 )%s (\d+)' % word, out, re.M).group(1)) for word in ('pass', 'fail'))
    print('     %d unit tests of the page' % passed)
    assert passed >= 60 and failed == 0, (passed, failed)


def test_lock_file_names_no_host():
    with open(os.path.join(UI, 'package-lock.json')) as f:
        bn.eq(re.findall(r'"resolved".*', f.read()), [])


if __name__ == '__main__':
    bn.main()
