// What metrics there are: found by name, type or help, with their series counts; of the chosen one its labels and their values.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { cardinality, labelValues, metadata, seriesOf } from '../../lib/api';
import { count } from '../../lib/fmt';
import { T } from '../../lib/i18n';
import { useData, win } from '../../lib/live';
import { metricsOf } from '../../lib/promql';
import { families, firstQuery, labelCounts, withMatcher, type MetricRow } from '../../lib/series';
import { go, href, param } from '../../lib/url';
import { Failure, Teach } from '../../ui/parts';
import { VList } from '../../ui/VList';

const SERIES_MAX = 5000;
const VALUES_MAX = 50;

const parts = (r: MetricRow): string[] => (r.type === 'histogram' ? [r.name, r.name + '_bucket', r.name + '_count', r.name + '_sum'] : r.type === 'summary' ? [r.name, r.name + '_count', r.name + '_sum'] : [r.name]);

interface ExplorerProps {
  chosen: string; // the query that has the focus
  choose: (query: string) => void;
  add: (query: string) => void;
}

export function Explorer({ chosen, choose, add }: ExplorerProps) {
  const [find, setFind] = useState(param('find'));
  useEffect(() => {
    const later = setTimeout(() => find !== param('find') && go(href(null, { find }), true), 400);
    return () => clearTimeout(later);
  }, [find]);
  const w = win.value;
  const minute = Math.floor(w.z / 6e4);
  const names = useData(String(w.z - w.a), (s) => labelValues('__name__', w.a, w.z, s), String(minute));
  const meta = useData('', (s) => metadata(s).catch(() => ({})), String(minute));
  const sizes = useData('', (s) => cardinality(10_000, s).catch(() => null), String(minute));
  const rows = useMemo(() => families(names.value ?? [], meta.value ?? {}), [names.value, meta.value]);
  const size = useMemo(() => new Map(sizes.value?.seriesCountByMetricName.map((c) => [c.name, c.value])), [sizes.value]);
  const words = find.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = words.length ? rows.filter((r) => words.every((x) => r.name.toLowerCase().includes(x) || r.type === x || r.help.toLowerCase().includes(x))) : rows;
  const mentioned = useMemo(() => new Set(metricsOf(chosen)), [chosen]);
  const isOn = (r: MetricRow) => parts(r).some((n) => mentioned.has(n));
  const detail = rows.find((r) => r.name === param('m')) ?? rows.find(isOn);
  const pick = (r: MetricRow) => choose(firstQuery(r, '1m'));
  return (
    <aside class="fac ex" onKeyDown={alongRows}>
      <label>
        <input type="search" aria-label={T('Find a metric')} placeholder={T('Find a metric by name, type or help')} value={find} onInput={(e) => setFind(e.currentTarget.value)} onKeyDown={(e) => e.key === 'Enter' && shown[0] && pick(shown[0])} />
        <span class="m">{count(shown.length)}</span>
      </label>
      <Failure error={names.error} />
      {names.value && rows.length === 0 && <Teach>{T('No metrics in this window.')}</Teach>}
      <VList
        n={shown.length}
        size={45}
        at={shown.findIndex(isOn)}
        keyOf={(i) => shown[i]?.name ?? i}
        row={(i) => {
          const r = shown[i];
          if (!r) return null;
          const n = parts(r).reduce((sum, part) => sum + (size.get(part) ?? 0), 0);
          return (
            <div class={'mi' + (isOn(r) ? ' on' : '')} title={r.help}>
              <button onClick={() => pick(r)}>
                <b>{r.name}</b>
                <span>
                  {r.type && <em class={r.type}>{r.type}</em>}
                  {r.help || ' '}
                </span>
              </button>
              <u>{n ? count(n) : ''}</u>
              <button class="ib plus" title={T('Add as a panel')} onClick={() => add(firstQuery(r, '1m'))}>
                +
              </button>
            </div>
          );
        }}
      />
      {detail && <Detail key={detail.name} row={detail} query={chosen} choose={choose} add={add} />}
    </aside>
  );
}

/** Arrows go from the search field to the list, and from row to row. */
function alongRows(e: KeyboardEvent & { currentTarget: HTMLElement }): void {
  if (e.key !== 'ArrowDown' && e.key !== 'ArrowUp') return;
  const rows = [...e.currentTarget.querySelectorAll<HTMLElement>('.mi > button:first-child')].sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
  const at = rows.indexOf(document.activeElement as HTMLElement);
  const to = rows[at < 0 ? rows.findIndex((r) => r.getBoundingClientRect().top >= e.currentTarget.getBoundingClientRect().top) : at + (e.key === 'ArrowDown' ? 1 : -1)];
  if (!to) return;
  e.preventDefault();
  to.focus();
}

/** The labels of a metric and how many values each has; a click on a value narrows the query to it. */
function Detail({ row, query, choose, add }: { row: MetricRow; query: string; choose: (q: string) => void; add: (q: string) => void }) {
  const w = win.value;
  const name = row.type === 'histogram' ? row.name + '_bucket' : row.name;
  const match = row.type === 'histogram' ? `{__name__=~"${row.name}(_bucket)?"}` : `{__name__="${row.name}"}`;
  const { value, error } = useData(`${match} ${w.z - w.a}`, (s) => seriesOf(match, w.a, w.z, SERIES_MAX, s), String(Math.floor(w.z / 6e4)));
  const labels = useMemo(() => labelCounts(value ?? []), [value]);
  const [open, setOpen] = useState('');
  const narrow = (label: string, v: string) => choose(withMatcher(metricsOf(query).some((m) => m === row.name || m === name) ? query : firstQuery(row, '1m'), metricsOf(query).find((m) => m === row.name || m === name) ?? name, label, v));
  return (
    <div class="det">
      <h3>
        <span class="cut" title={row.help}>
          {row.name}
        </span>
        <button class="lnk" onClick={() => add(firstQuery(row, '1m'))}>
          + {T('panel')}
        </button>
      </h3>
      {row.help && <p class="t2">{row.help}</p>}
      <Failure error={error} />
      {value && value.length >= SERIES_MAX && <p class="note warn">{T('Counted over the first {0} series.', SERIES_MAX)}</p>}
      {labels.map((l) => (
        <div>
          <button class="fv" aria-expanded={open === l.name} onClick={() => setOpen(open === l.name ? '' : l.name)}>
            <span class="cut">{l.name}</span>
            <em>{count(l.values.length)}</em>
          </button>
          {open === l.name &&
            l.values.slice(0, VALUES_MAX).map(([v, n]) => (
              <button class="fv val" title={T('Narrow the query to {0}', `${l.name}=${JSON.stringify(v)}`)} onClick={() => narrow(l.name, v)}>
                <span class="cut m">{v}</span>
                <em>{count(n)}</em>
                <u style={{ width: `${(n / (value?.length || 1)) * 100}%` }} />
              </button>
            ))}
          {open === l.name && l.values.length > VALUES_MAX && <p class="note">{T('and {0} more', count(l.values.length - VALUES_MAX))}</p>}
        </div>
      ))}
    </div>
  );
}

