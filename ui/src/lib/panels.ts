// The panels of the Metrics page as they stand in its URL. The first panel's keys are bare (q, q2, view, unit...), those of the n-th begin with "pn.":
//   q, q2..q9  expressions     view  lines | stack | bars | heat | table     unit  see fmt.ts      step  a duration
//   y0=1  scale from zero      ex=0  without exemplars     only  names of the lines shown alone, each as nameKey()     tree=1  the plan is open    sort  column of the table
import { hash } from './color';
import { parseDuration } from './time';

export const QUERIES_MAX = 9;
export const PANELS_MAX = 50;

export interface Panel {
  queries: string[]; // at least one, perhaps empty
  view: string; // empty: what suits the answer
  unit: string;
  step: string;
  zero: boolean;
  exemplars: boolean;
  only: string[];
  tree: boolean;
  sort: string;
}

export const emptyPanel = (q = ''): Panel => ({ queries: [q], view: '', unit: '', step: '', zero: false, exemplars: true, only: [], tree: false, sort: '' });

export const VIEWS: [string, string][] = [['lines', 'Lines'], ['stack', 'Stacked'], ['bars', 'Bars'], ['heat', 'Heatmap'], ['table', 'Table']];

const KEY = /^(?:p(\d{1,2})\.)?(q([2-9])?|view|unit|step|y0|ex|only|tree|sort)$/;

export function readPanels(query: URLSearchParams): Panel[] {
  const panels: Panel[] = [emptyPanel()];
  for (const [key, value] of query) {
    const m = KEY.exec(key);
    if (!m) continue;
    const at = Number(m[1] ?? 1) - 1;
    if (at < 0 || at >= PANELS_MAX || (at === 0 && m[1])) continue;
    while (panels.length <= at) panels.push(emptyPanel());
    const p = panels[at];
    switch (m[2]) {
      case 'view': p.view = VIEWS.some(([v]) => v === value) ? value : ''; break;
      case 'unit': p.unit = value; break;
      case 'step': p.step = parseDuration(value) ? value : ''; break;
      case 'y0': p.zero = value === '1'; break;
      case 'ex': p.exemplars = value !== '0'; break;
      case 'only': p.only = value.split('.').filter(Boolean); break;
      case 'tree': p.tree = value === '1'; break;
      case 'sort': p.sort = value; break;
      default: {
        const i = Number(m[3] ?? 1) - 1;
        while (p.queries.length <= i) p.queries.push('');
        p.queries[i] = value;
      }
    }
  }
  return panels;
}

/** The query part of a URL with these panels instead of those it had; other keys stay. */
export function writePanels(panels: Panel[], at: URLSearchParams): string {
  const out = new URLSearchParams([...at].filter(([k]) => !KEY.test(k)));
  panels.forEach((p, n) => {
    const pre = n ? `p${n + 1}.` : '';
    const put = (key: string, value: string) => value && out.set(pre + key, value);
    p.queries.forEach((q, i) => (q || i || (n && p.queries.length === 1)) && out.set(pre + (i ? `q${i + 1}` : 'q'), q));
    put('view', p.view);
    put('unit', p.unit);
    put('step', p.step);
    put('y0', p.zero ? '1' : '');
    put('ex', p.exemplars ? '' : '0');
    put('only', p.only.join('.'));
    put('tree', p.tree ? '1' : '');
    put('sort', p.sort);
  });
  return out.toString().replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%2F', '/');
}

/** The short name of a line in the URL. */
export const nameKey = (name: string): string => hash(name).toString(36);

/** "2026-11-22 14:32:10" and "2026-11-22T14:32:10Z" as Prometheus writes them: UTC. In ms; null: neither. */
function prometheusTime(text: string | null): number | null {
  if (!text) return null;
  if (/^\d{9,11}(\.\d+)?$/.test(text)) return Math.round(Number(text) * 1e3);
  const t = Date.parse(text.trim().replace(' ', 'T').replace(/Z?$/, 'Z'));
  return Number.isNaN(t) ? null : t;
}

const SHAPES: Record<string, string> = { stacked: 'stack', heatmap: 'heat', lines: '' };

/** The state in a link to Prometheus' own page, /graph?g0.expr=... or /query?g0.expr=...: its panels, and the window of the first that has one. */
export function fromPrometheus(q: URLSearchParams): string {
  const panels: Panel[] = [];
  const window = new URLSearchParams();
  for (let i = 0; i < PANELS_MAX && q.has(`g${i}.expr`); i++) {
    const of = (key: string) => q.get(`g${i}.${key}`);
    const p = emptyPanel(of('expr') ?? '');
    const tab = of('tab');
    p.view = tab === '1' || tab === 'table' ? 'table' : of('stacked') === '1' ? 'stack' : SHAPES[of('display_mode') ?? ''] ?? '';
    p.tree = tab === 'explain' || of('show_tree') === '1';
    p.zero = of('y_axis_min') === '0';
    p.exemplars = of('show_exemplars') !== '0';
    const step = of('res_step') ?? of('step_input');
    if (step && /^\d+(\.\d+)?$/.test(step)) p.step = step + 's';
    else if (step && parseDuration(step)) p.step = step;
    panels.push(p);
    if (window.has('from')) continue;
    const range = of('range_input');
    const end = prometheusTime(of('end_input') ?? of('moment_input'));
    const length = parseDuration(range ?? '') ?? 36e5;
    if (end !== null) {
      window.set('from', String(end - length));
      window.set('to', String(end));
    } else if (range && parseDuration(range)) window.set('from', '-' + range);
  }
  return writePanels(panels.length ? panels : [emptyPanel()], window);
}
