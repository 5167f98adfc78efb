// One panel: its queries, what the server said of them, and their answer as a chart with its legend, a heat map or a table.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatQuery, type Labels } from '../../lib/api';
import { lineColor, serviceColor } from '../../lib/color';
import { ask, letter, LINES_MAX, seriesKey, useBefore, useExemplars, type Answer } from '../../lib/ask';
import { dur } from '../../lib/fmt';
import { ran } from '../../lib/history';
import { heatRows } from '../../lib/heat';
import { T } from '../../lib/i18n';
import { useData, win } from '../../lib/live';
import { metricMeta } from '../../lib/names';
import { nameKey, QUERIES_MAX, VIEWS, type Panel } from '../../lib/panels';
import { errorPosition, noteIn, type Note } from '../../lib/series';
import { formatDuration, parseDuration, stepFor } from '../../lib/time';
import { observedUnit, UNITS, unitOfAll } from '../../lib/units';
import { go, href } from '../../lib/url';
import { Chart } from '../../ui/Chart';
import { Heat } from '../../ui/Heat';
import { Icon } from '../../ui/icons';
import { Failure, Teach, useMenu } from '../../ui/parts';
import type { Mark } from '../../ui/plot';
import { Query } from '../../ui/Query';
import { ExplainLine, ExplainTree } from './Explain';
import { Legend, type Shown } from './Legend';
import { Table } from './Table';

const POINTS = 360;
const POINTS_MAX = 11_000;

interface PanelProps {
  panel: Panel;
  first: boolean;
  marks: Mark[];
  run: (query: number, text: string) => void;
  set: (change: Partial<Panel>, replace?: boolean) => void;
  focus: (query: number) => void;
  up?: () => void;
  down?: () => void;
  remove?: () => void;
}

const NOT_YET = { key: null as string | null, tick: '' };

/** True while the element is in sight or near it; what is far away asks the server nothing. */
function useInSight(ref: { current: HTMLElement | null }): boolean {
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const watch = new IntersectionObserver(([e]) => setSeen(e.isIntersecting), { rootMargin: '200px' });
    watch.observe(ref.current!);
    return () => watch.disconnect();
  }, []);
  return seen;
}

/** The value as it was when `on` was last true; `none` before that. */
function useHeld<T>(value: T, on: boolean, none: T): T {
  const held = useRef(none);
  if (on) held.current = value;
  return held.current;
}

export function PanelView(props: PanelProps) {
  const { panel, run, set } = props;
  const box = useRef<HTMLDivElement>(null);
  const inSight = useInSight(box);
  const w = win.value;
  const chosenStep = (parseDuration(panel.step) ?? 0) / 1e3;
  const step = Math.max(chosenStep || Math.max(1, stepFor(w, POINTS)), (w.z - w.a) / 1e3 / POINTS_MAX);
  const any = panel.queries.some(Boolean);
  const table = panel.view === 'table';
  const grid = { start: Math.ceil(w.a / 1e3 / step) * step, end: Math.floor(w.z / 1e3 / step) * step, step };
  if (grid.end < grid.start) grid.end = grid.start;
  const span = w.relative ? String(w.z - w.a) : `${w.a} ${w.z}`;
  const wanted = useHeld({ key: any && !table ? JSON.stringify([panel.queries, step, span]) : null, tick: `${grid.start} ${grid.end}` }, inSight, NOT_YET);
  const { value, error, busy } = useData(wanted.key, (s) => ask(panel.queries, grid, s), wanted.tick);
  const notes = useMemo(() => panel.queries.map((q, i) => notesOf(value, q, i)), [value, panel.queries]);
  const trees = (value?.results ?? []).map((r) => r?.explain);
  return (
    <div class={'panel' + (busy && value ? ' busy' : '')} ref={box}>
      {panel.queries.map((q, i) => (
        <div key={i}>
          <Query lang="promql" label={letter(i)} value={q} hint={T('PromQL expression, for example up')} notes={notes[i]} onRun={(text) => run(i, text)} onFocus={() => props.focus(i)} main={props.first && i === 0}>
            {i === 0 && any && !table && value && (
              <span class="stat">{T('{0} series · {1} points · {2}', value.total, value.x.length, dur(value.ms))}</span>
            )}
            {q && (
              <button class="ib m" title={T('Format')} onClick={() => void formatQuery(q, new AbortController().signal).then((text) => run(i, text), () => {})}>
                {'{}'}
              </button>
            )}
            <History pick={(text) => run(i, text)} />
            {panel.queries.length > 1 && (
              <button class="ib" title={T('Remove')} onClick={() => set({ queries: panel.queries.filter((_, k) => k !== i), only: [] })}>
                ×
              </button>
            )}
            {i === 0 && trees.some(Boolean) && (
              <button class="btn" aria-pressed={panel.tree} onClick={() => set({ tree: !panel.tree }, true)}>
                {T('Explain')}
              </button>
            )}
          </Query>
          {notes[i].map((n) => <NoteLine query={q} note={n} />)}
          {trees[i] && (panel.tree ? <ExplainTree root={trees[i]!} open={(text) => run(i, text)} /> : <ExplainLine root={trees[i]!} />)}
        </div>
      ))}
      <Failure error={error} />
      <section class="card">
        {table ? <TableCard {...props} at={w.z} any={any} /> : <GraphCard {...props} answer={value} step={step} any={any} />}
      </section>
    </div>
  );
}

function notesOf(a: Answer | null, query: string, i: number): Note[] {
  if (!a || a.queries[i] !== query) return [];
  const r = a.results[i];
  const e = a.errors[i];
  return [
    ...(e ? [noteIn(e.message, query, 'error')] : []),
    ...(r?.warnings ?? []).map((t) => noteIn(t, query, 'warning')),
    ...(r?.infos ?? []).map((t) => noteIn(t, query, 'info')),
  ];
}

/** The server's words; for an error the line it means, and a mark under the place. */
export function NoteLine({ query, note }: { query: string; note: Note }) {
  const at = note.kind === 'error' ? errorPosition(note.text) : null;
  const line = at ? query.split('\n')[at.line - 1] : undefined;
  return (
    <p class={'note ' + { error: 'err', warning: 'warn', info: 'info' }[note.kind]} role={note.kind === 'error' ? 'alert' : 'status'}>
      {at && line !== undefined ? `${line}\n${' '.repeat(Math.max(0, at.column - 1))}^\n` : ''}
      {note.text}
    </p>
  );
}

function History({ pick }: { pick: (query: string) => void }) {
  const { open, setOpen, ref } = useMenu();
  const [find, setFind] = useState('');
  const shown = ran.value.filter((q) => q.toLowerCase().includes(find.toLowerCase()));
  if (!ran.value.length) return null;
  return (
    <div class="menu" ref={ref}>
      <button class="ib" title={T('Queries run before')} aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon n="clock" s={13} />
      </button>
      {open && (
        <div class="pop past">
          <input type="search" ref={(e) => e?.focus()} aria-label={T('Find')} placeholder={T('Find')} value={find} onInput={(e) => setFind(e.currentTarget.value)} />
          {shown.map((q) => (
            <button title={q} onClick={() => (setOpen(false), pick(q))}>
              {q}
            </button>
          ))}
        </div>
      )}
    </div>
  );
}

/** The panel's own order: move up, down, remove. */
function Order({ up, down, remove }: PanelProps) {
  if (!remove) return null;
  return (
    <span class="row order">
      <button class="ib" title={T('Move up')} disabled={!up} onClick={up}>
        ↑
      </button>
      <button class="ib" title={T('Move down')} disabled={!down} onClick={down}>
        ↓
      </button>
      <button class="ib" title={T('Remove the panel')} onClick={remove}>
        ×
      </button>
    </span>
  );
}

function Views({ panel, set, now }: PanelProps & { now: string }) {
  return (
    <span class="tabs" role="tablist">
      {VIEWS.map(([v, word]) => (
        <button role="tab" aria-selected={now === v} class={now === v ? 'on' : ''} onClick={() => panel.view !== v && set({ view: v === 'lines' && now !== 'heat' ? '' : v })}>
          {T(word)}
        </button>
      ))}
    </span>
  );
}

const addQuery = ({ panel, set, focus }: PanelProps) =>
  panel.queries.length < QUERIES_MAX && (
    <button class="btn" onClick={() => (set({ queries: [...panel.queries, ''] }), focus(panel.queries.length))}>
      + {T('query')}
    </button>
  );

function TableCard(props: PanelProps & { at: number; any: boolean }) {
  return (
    <>
      <div class="ctl">
        <Views {...props} now="table" />
        {addQuery(props)}
        <span class="grow" />
        <Order {...props} />
      </div>
      {!props.any && <Teach>{T('Choose a metric on the left, or write a query: the lines come here.')}</Teach>}
      {props.panel.queries.map((q, i) => q && <Table key={i} query={q} at={props.at} panel={props.panel} sort={(by) => props.set({ sort: by }, true)} />)}
    </>
  );
}

const SERVICE = /^(service|service_name|app|job)$/;

/** Colours: services have their own on every page; other lines take turns. */
function colored(lines: Answer['lines']): Shown[] {
  const differ = soleLabel(lines);
  return lines.map((l, i) => ({ ...l, id: nameKey(`${l.query} ${l.name}`), color: differ && SERVICE.test(differ) ? serviceColor(l.labels[differ] ?? '') : lineColor(i) }));
}

/** The one label that tells the lines of one query apart; empty if there are several, or none. */
function soleLabel(lines: { query: number; labels: Labels }[]): string {
  const names = new Set<string>();
  for (const { labels } of lines) for (const k in labels) if (labels[k] !== lines[0].labels[k]) names.add(k);
  const [name] = names;
  return names.size === 1 && lines.every((l) => l.query === lines[0].query && name in l.labels) ? name : '';
}

function GraphCard(props: PanelProps & { answer: Answer | null; step: number; any: boolean }) {
  const { panel, set, answer, step, any, marks } = props;
  const w = win.value;
  const meta = useData('', metricMeta);
  const known = (m: string) => meta.value?.[m]?.[0]?.unit;
  const unit = panel.unit in UNITS ? panel.unit : unitOfAll(panel.queries, known);
  const { format, steps } = UNITS[unit];
  const observed = UNITS[panel.unit in UNITS ? panel.unit : observedUnit(panel.queries.find(Boolean) ?? '', known)];
  const series = useMemo(() => answer?.results.flatMap((r) => r?.series ?? []) ?? [], [answer]);
  const native = series.some((s) => s.histograms?.length);
  const view = panel.view || (native ? 'heat' : 'lines');
  const rows = useMemo(() => (view === 'heat' && answer ? heatRows(series, answer.x[0], answer.step, answer.x.length) : []), [series, view]);
  const lines = useMemo(() => colored(answer?.lines ?? []), [answer]);
  const drawn = useMemo(() => (panel.only.length ? lines.filter((l) => panel.only.includes(l.id)) : lines), [lines, panel.only.join()]);
  const answered = panel.queries.filter((q, i) => q && answer?.queries[i] === q && answer.results[i]);
  const exemplars = useExemplars(panel.exemplars && view !== 'heat' ? answered : [], w);
  const before = useBefore(lines.length ? answered : [], w);
  const zoom = (from: number, to: number) => to - from >= 100 && go(href(null, { from, to }));
  const empty = answer && answer.total === 0 && !answer.errors.some(Boolean);
  return (
    <>
      <div class="ctl">
        <Views {...props} now={view} />
        {addQuery(props)}
        <span class="grow" />
        {marks.length > 0 && <span class="key"><i class="deploy" /> {T('starts and outages')}</span>}
        {(exemplars.length > 0 || !panel.exemplars) && (
          <label class="key" title={T('Each leads to its trace')}>
            <input type="checkbox" checked={panel.exemplars} onChange={(e) => set({ exemplars: e.currentTarget.checked }, true)} />
            <i class="diamond" /> {T('{0} exemplars → traces', exemplars.length)}
          </label>
        )}
        <label>
          {T('step')}
          <input key={panel.step} defaultValue={panel.step} placeholder={formatDuration(step * 1e3)} onChange={(e) => set({ step: parseDuration(e.currentTarget.value) ? e.currentTarget.value : '' })} />
        </label>
        <label>
          {T('unit')}
          <select value={panel.unit} onChange={(e) => set({ unit: e.currentTarget.value }, true)}>
            <option value="">{T('auto: {0}', T((view === 'heat' ? observed : UNITS[unitOfAll(panel.queries, known)]).name))}</option>
            {Object.entries(UNITS).map(([id, u]) => <option value={id}>{T(u.name)}</option>)}
          </select>
        </label>
        {view === 'lines' && (
          <label>
            <input type="checkbox" checked={panel.zero} onChange={(e) => set({ zero: e.currentTarget.checked }, true)} />
            {T('from zero')}
          </label>
        )}
        <Order {...props} />
      </div>
      {!any ? (
        <Teach>{T('Choose a metric on the left, or write a query: the lines come here.')}</Teach>
      ) : empty ? (
        <Teach>{T('The query is fine, but no series matches it in this window.')}</Teach>
      ) : view === 'heat' && answer && !rows.length ? (
        <Teach>{T('A heat map needs a histogram: a native one, or the buckets of a classic one by le, as in {0}', 'sum by (le) (rate(…_bucket[1m]))')}</Teach>
      ) : view === 'heat' ? (
        <Heat x={answer?.x ?? []} rows={rows} window={w} format={observed.format} steps={observed.steps} onZoom={zoom} />
      ) : (
        <Chart x={answer?.x ?? []} lines={drawn} window={w} shape={view === 'stack' || view === 'bars' ? view : 'lines'} zero={panel.zero} format={format} steps={steps} marks={marks} exemplars={exemplars} onZoom={zoom} />
      )}
      {native && view !== 'heat' && <p class="note">{T('Native histograms are drawn as a heat map; lines show none of them.')}</p>}
      {answer && view !== 'heat' && answer.total > lines.length + series.filter((s) => s.histograms?.length).length && <p class="note warn">{T('{0} series; the first {1} are drawn. Aggregate, or narrow the selector.', answer.total, LINES_MAX)}</p>}
      {lines.length > 0 && view !== 'heat' && <Legend lines={lines} x={answer!.x} only={panel.only} setOnly={(only) => set({ only }, true)} format={format} label={soleLabel(lines)} before={before && ((l) => before.get(seriesKey(panel.queries[l.query], l.labels)))} />}
    </>
  );
}
