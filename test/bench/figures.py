"""figures: what the benchmarks share: reading /proc, medians, one line per figure as it is measured, then JSON and the README's table.

    f = figures.Figures('./dev bench metrics')
    f.line('new series', 'cpu-s/M', {'binnacle': 1.1, 'VictoriaMetrics': 58.0}, promise=Promise('<= 3', lambda v: v['binnacle'] <= 3))
    sys.exit(f.finish(json_path, readme))
"""
import json
import os
import platform
import re
import resource
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '../..')


def cpu_seconds(pid):
    """User and system time of all threads of a process, those that ended included, to the nanosecond (clock_getcpuclockid(3))."""
    return time.clock_gettime(~pid << 3 | 2)


def memory_bytes(pid, field='VmRSS'):
    with open('/proc/%d/status' % pid) as f:
        return next(int(line.split()[1]) for line in f if line.startswith(field + ':')) * 1024


def folder_bytes(path):
    """Apparent bytes of all files; a file that is linked twice counts once."""
    seen = {}
    for folder, _, names in os.walk(path):
        for name in names:
            st = os.lstat(os.path.join(folder, name))
            seen[st.st_ino] = st.st_size
    return sum(seen.values())


def machine():
    with open('/proc/cpuinfo') as f:
        model = next((line.split(':')[1].strip() for line in f if line.startswith('model name')), '?')
    return '%d x %s, Linux %s' % (os.cpu_count(), model, platform.release())


def number(v):
    """Three significant digits, thousands and millions with k and M."""
    if v is None:
        return '-'
    if isinstance(v, str):
        return v
    for limit, suffix in ((1e6, ' M'), (1e4, ' k')):
        if abs(v) >= limit:
            return number(v / (1e6 if suffix == ' M' else 1e3)) + suffix
    return '%.0f' % v if abs(v) >= 100 else '%.1f' % v if abs(v) >= 10 else '%.2f' % v if abs(v) >= 1 or v == 0 else '%.3g' % v


class Promise:
    """text: as it is printed; kept: values by program -> bool. A program that could not do it has the value None."""

    def __init__(self, text, kept):
        self.text, self.kept = text, kept


def at_most(limit):
    return Promise('<= %s' % number(limit), lambda v: v['binnacle'] <= limit)


def at_least(limit):
    return Promise('>= %s' % number(limit), lambda v: v['binnacle'] >= limit)


def share_of(program, share, text):
    """At most that share of another program's value; nothing is promised where that did not run."""
    return Promise(text, lambda v: v.get(program) is None or v['binnacle'] <= share * v[program])


def below_all():
    return Promise('below both', lambda v: all(v['binnacle'] < x for name, x in v.items() if name != 'binnacle' and x is not None))


class Figures:
    COLUMNS = ('binnacle', 'Prometheus', 'VictoriaMetrics')

    def __init__(self, command, columns=COLUMNS):
        self.command, self.columns, self.rows, self.missed = command, columns, [], 0
        self.began = time.time()

    def head(self, text):
        print(text + '\n')
        print('%-58s %-9s' % ('', 'unit') + ''.join(' %15s' % c for c in self.columns) + '  %-18s %s' % ('promise', ''), flush=True)

    def line(self, what, unit, values, promise=None, detail=False):
        """Ratios are the other programs' values over binnacle's: above 1, binnacle needs less. A detail is left out of the README."""
        ok = promise is None or promise.kept(values)
        self.missed += not ok
        own = values.get('binnacle')
        ratios = {name: v / own for name, v in values.items() if name != 'binnacle' and own and isinstance(v, (int, float))}
        self.rows.append({'what': what, 'unit': unit, 'values': values, 'ratios': ratios, 'promise': promise.text if promise else '', 'ok': ok, 'detail': detail})
        cells = [number(values.get(c)) + (' (%sx)' % number(ratios[c]) if c in ratios else '') for c in self.columns]
        print('%-58s %-9s' % (what, unit) + ''.join(' %15s' % c for c in cells) + '  %-18s %s' % (self.rows[-1]['promise'], '' if promise is None else 'ok' if ok else 'MISSED'), flush=True)

    def markdown(self):
        out = ['| what | unit | %s | promised |' % ' | '.join(self.columns), '|---|---|%s---|' % ('---|' * len(self.columns))]
        for r in (r for r in self.rows if not r['detail']):
            cells = ['%s (%sx)' % (number(r['values'].get(c)), number(r['ratios'][c])) if c in r['ratios'] else number(r['values'].get(c)) for c in self.columns]
            out.append('| %s | %s | %s | %s |' % (r['what'], r['unit'], ' | '.join(cells), (r['promise'] + ('' if r['ok'] else ', **missed**')) if r['promise'] else ''))
        return '\n'.join(out)

    def write_readme(self):
        """The table between the README's markers of this command."""
        path = os.path.join(ROOT, 'README.md')
        with open(path) as f:
            text = f.read()
        marker = '<!-- figures: %s --readme -->' % self.command
        new, n = re.subn(re.escape(marker) + r'\n.*?<!-- /figures -->', lambda _: '%s\n%s\n<!-- /figures -->' % (marker, self.markdown()), text, flags=re.S)
        if n != 1:
            raise SystemExit('README.md has no "%s"' % marker)
        with open(path, 'w') as f:
            f.write(new)

    def finish(self, json_path=None, readme=False, about=None):
        promised = sum(1 for r in self.rows if r['promise'])
        print('\n%s' % ('%d of %d promises missed' % (self.missed, promised) if self.missed else 'every promise kept (%d)' % promised))
        if json_path:
            with open(json_path, 'w') as f:
                json.dump({**(about or {}), 'seconds': round(time.time() - self.began), 'rows': self.rows}, f, indent=1)
        if readme:
            self.write_readme()
        return 1 if self.missed else 0


def own_cpu_seconds():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime
