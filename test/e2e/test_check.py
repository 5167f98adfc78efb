"""binnacle check config: what serve would say of a file, without starting it."""
import os
import subprocess
import tempfile

import bn


def check(text):
    """(exit code, standard output, standard error) for a file with that text; its path is written FILE."""
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, 'b.yml')
        with open(path, 'w') as f:
            f.write(text)
        r = subprocess.run([bn.BINNACLE, 'check', 'config', path], capture_output=True, text=True, timeout=60)
        bn.eq(os.listdir(d), ['b.yml'])
        return r.returncode, r.stdout.replace(path, 'FILE'), r.stderr.replace(path, 'FILE')


def test_a_good_file_is_ok():
    bn.eq(check('retention:\n  logs: 3d\nscrape_configs:\n  - job_name: app\n    static_configs:\n      - targets: [localhost:8080]\n'), (0, 'FILE: ok\n', ''))


def test_errors_name_file_line_and_column():
    bn.eq(check('data: x\nretention:\n  log: 3d\n'), (2, '', 'binnacle: FILE:3:3: unknown key "retention.log"; did you mean "retention.logs"?\n'))
    code, out, err = check('retention:\n  logs: 3 days\n')
    bn.eq((code, out, err[:20]), (2, '', 'binnacle: FILE:2:3: '))  # where the key stands


def test_a_missing_file_is_one_clear_line():
    r = subprocess.run([bn.BINNACLE, 'check', 'config', '/no/such.yml'], capture_output=True, text=True, timeout=60)
    bn.eq((r.returncode, r.stdout, len(r.stderr.splitlines())), (3, '', 1))
    bn.has(r.stderr, '/no/such.yml')


def test_usage():
    for args, code in ((['config'], 2), (['config', '--help'], 0)):
        bn.eq(subprocess.run([bn.BINNACLE, 'check', *args], capture_output=True, timeout=60).returncode, code)


bn.main()
