// Traces: search on /traces, one trace on /traces/:id.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { findTraces, operations, scatter, services, type Scatter } from '../lib/api';
import { css, serviceColor } from '../lib/color';
import { count, dur } from '../lib/fmt';
import { T } from '../lib/i18n';
import { pageKeys } from '../lib/keys';
import { useData, utc, win } from '../lib/live';
import { clock, parseDuration, tickLabel, ticks, type Window } from '../lib/time';
import { parseTags, summarise, type Found } from '../lib/traces';
import { go, href, loc, param } from '../lib/url';
import { useDrag, useCanvas, type Drag } from '../ui/canvas';
import { Failure, origin, Teach } from '../ui/parts';
import { VList } from '../ui/VList';
import { TraceView } from './TraceView';

const LIMITS = [20, 50, 100, 200, 500];

export function Page() {
  const id = /^\/traces\/([0-9a-f]+)$/i.exec(loc.value.path)?.[1];
  return id ? <TraceView id={id} /> : <Search />;
}

interface Form {
  service: string;
  op: string;
  tags: string;
  min: string;
  max: string;
  limit: string;
}
const formInUrl = (): Form => ({ service: param('service'), op: param('op'), tags: param('tags'), min: param('min'), max: param('max'), limit: param('limit', '100') });

/** Durations as typed: "700ms", or a plain number of ms. */
const durationParam = (text: string): string => (/^\d+(\.\d+)?$/.test(text) ? text + 'ms' : text);

const conditions = (f: Form) => ({ service: f.service, operation: f.op, tags: f.tags, minDuration: durationParam(f.min), maxDuration: durationParam(f.max) });

async function search(f: Form, w: Window, signal: AbortSignal): Promise<Found[]> {
  const found = await findTraces({ ...conditions(f), limit: f.limit, start: Math.round(w.a * 1e3), end: Math.round(w.z * 1e3) }, signal);
  return found.map(summarise).sort((a, b) => b.start - a.start);
}

function Search() {
  const w = win.value;
  const form = formInUrl();
  const names = useData(`${Math.floor(w.z / 15e3)}`, services);
  const tagsGood = !form.tags || parseTags(form.tags) !== null;
  const key = tagsGood ? JSON.stringify([form, w.a, w.z]) : null;
  const found = useData(key, (s) => search(form, w, s));
  const dots = useData(key, (s) => scatter(w.a, w.z, conditions(form), s));
  const rows = found.value ?? [];
  const [cursor, setCursor] = useState(-1);
  useEffect(
    () =>
      pageKeys({
        move: (by) => setCursor((c) => Math.max(0, Math.min(rows.length - 1, c + by))),
        open: () => rows[cursor] && go(href('/traces/' + rows[cursor].id)),
      }),
    [rows, cursor],
  );
  return (
    <div class="pg fill tr" style={{ gridTemplateRows: 'auto auto minmax(0, 1fr)' }}>
      <SearchForm form={form} names={names.value ?? []} stat={found.value ? T('{0} traces', rows.length) : ''} />
      <div>
        <Failure error={names.error ?? found.error ?? dots.error} />
        {!tagsGood && <p class="note err">{T('Tags are written key=value, separated by spaces; quote values with spaces.')}</p>}
        <section class="card">
          <h2>
            {T('Duration over time')}
            <small>{dots.value && T('{0} found, {1} drawn · red = error · drag a box to zoom', count(dots.value.total), count(dots.value.t.length))}</small>
          </h2>
          <Plot dots={dots.value ?? NO_DOTS} window={w} />
        </section>
      </div>
      <section class="card" style={{ display: 'flex', flexDirection: 'column', minHeight: '120px' }}>
        {found.value && rows.length === 0 ? (
          <Teach command={names.value?.length ? undefined : `OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_ENDPOINT=${origin()} your-program`}>
            {names.value?.length ? T('No trace matches in this window.') : T('No traces yet. Any OpenTelemetry, Jaeger or Zipkin client can send them; for example:')}
          </Teach>
        ) : (
          <Results rows={rows} cursor={cursor} setCursor={setCursor} />
        )}
      </section>
    </div>
  );
}

function SearchForm({ form, names, stat }: { form: Form; names: string[]; stat: string }) {
  const ops = useData(form.service || null, (s) => operations(form.service, s));
  const [draft, setDraft] = useState(form);
  useEffect(() => setDraft(form), [JSON.stringify(form)]);
  const set = (change: Partial<Form>) => setDraft({ ...draft, ...change });
  const apply = (f: Form) => go(href(null, { service: f.service, op: f.op, tags: f.tags, min: f.min, max: f.max, limit: f.limit === '100' ? null : f.limit }));
  const submit = (e: Event) => {
    e.preventDefault();
    apply(draft);
  };
  const bad = (text: string) => (text && parseDuration(durationParam(text)) === null && !/^[\d.]+(us|µs|ns)$/.test(text) ? 'e' : '');
  const [tags, setTags] = useState<HTMLInputElement | null>(null);
  useEffect(() => {
    const focus = () => tags?.focus();
    addEventListener('focus-query', focus);
    return () => removeEventListener('focus-query', focus);
  }, [tags]);
  return (
    <form class="form" onSubmit={submit}>
      <label>
        {T('service')}
        <select class="w1" value={draft.service} onChange={(e) => apply({ ...draft, service: e.currentTarget.value, op: '' })}>
          <option value="">{T('all')}</option>
          {[...new Set(form.service ? [...names, form.service] : names)].sort().map((n) => <option value={n}>{n}</option>)}
        </select>
      </label>
      <label>
        {T('operation')}
        <select class="w1" value={draft.op} disabled={!draft.service} onChange={(e) => apply({ ...draft, op: e.currentTarget.value })}>
          <option value="">{T('all')}</option>
          {[...new Set([...(ops.value ?? []), ...(draft.op ? [draft.op] : [])])].sort().map((n) => <option value={n}>{n}</option>)}
        </select>
      </label>
      <label class="tags">
        {T('tags')}
        <input ref={setTags} value={draft.tags} placeholder='error=true http.status_code=500' onInput={(e) => set({ tags: e.currentTarget.value })} />
      </label>
      <label>
        {T('min')}
        <input class={'w0 ' + bad(draft.min)} value={draft.min} placeholder="100ms" onInput={(e) => set({ min: e.currentTarget.value })} />
      </label>
      <label>
        {T('max')}
        <input class={'w0 ' + bad(draft.max)} value={draft.max} placeholder="5s" onInput={(e) => set({ max: e.currentTarget.value })} />
      </label>
      <label>
        {T('limit')}
        <select value={draft.limit} onChange={(e) => apply({ ...draft, limit: e.currentTarget.value })}>
          {LIMITS.map((n) => <option value={String(n)}>{n}</option>)}
        </select>
      </label>
      <span class="stat">{stat}</span>
      <button class="btn pri">{T('Search')} ⏎</button>
    </form>
  );
}

const LEFT = 58;
const ROUND = [1e-3, 1e-2, 0.1, 1, 10, 100, 1e3, 1e4, 1e5, 1e6];

const NO_DOTS: Scatter = { total: 0, trace: [], t: [], duration: [], error: [] };

/** Traces as points: time to the right, logarithm of the duration upwards. A click opens one, a dragged box becomes window and limits. */
function Plot({ dots, window: w }: { dots: Scatter; window: Window }) {
  const [drag, setDrag] = useState<Drag | null>(null);
  const range = useMemo(() => {
    let lo = Infinity;
    let hi = 0;
    for (const d of dots.duration) {
      lo = Math.min(lo, Math.max(1e-3, d));
      hi = Math.max(hi, d);
    }
    return hi > 0 ? [Math.log10(lo) - 0.15, Math.log10(Math.max(hi, lo)) + 0.2] : [0, 3];
  }, [dots]);
  const x = (t: number, width: number) => LEFT + ((t - w.a) / (w.z - w.a)) * (width - LEFT - 10);
  const y = (d: number, height: number) => height - 20 - ((Math.log10(Math.max(1e-3, d)) - range[0]) / (range[1] - range[0])) * (height - 30);
  const { ref } = useCanvas(
    (g, width, height) => {
      g.font = '10.5px ' + css('--mono');
      for (const d of ROUND) {
        const at = y(d, height);
        if (at < 6 || at > height - 20) continue;
        g.fillStyle = css('--line');
        g.fillRect(LEFT, at, width - LEFT - 10, 1);
        g.fillStyle = css('--tx3');
        g.textAlign = 'right';
        g.fillText(dur(d), LEFT - 8, at + 4);
      }
      g.textAlign = 'center';
      g.fillStyle = css('--tx3');
      for (const t of ticks(w, width / 130, utc.value)) g.fillText(tickLabel(t, w.z - w.a, utc.value), x(t, width), height - 4);
      for (const bad of [false, true]) {
        g.fillStyle = css(bad ? '--err' : '--acc');
        g.globalAlpha = bad ? 0.9 : 0.5;
        for (let i = 0; i < dots.t.length; i++) {
          if (dots.error[i] !== bad) continue;
          g.beginPath();
          g.arc(x(dots.t[i], width), y(dots.duration[i], height), bad ? 3 : 2.5, 0, 7);
          g.fill();
        }
      }
      g.globalAlpha = 1;
      if (!drag) return;
      g.strokeStyle = css('--brass');
      g.fillStyle = css('--brass-a');
      g.setLineDash([4, 3]);
      g.fillRect(drag.x0, drag.y0, drag.x1 - drag.x0, drag.y1 - drag.y0);
      g.strokeRect(drag.x0, drag.y0, drag.x1 - drag.x0, drag.y1 - drag.y0);
    },
    [dots, w, drag, range, utc.value],
  );
  /** The point under the pointer; -1: none near. */
  const nearest = (px: number, py: number): number => {
    const c = ref.current!;
    let best = -1;
    let far = 12;
    for (let i = 0; i < dots.t.length; i++) {
      const d = Math.hypot(x(dots.t[i], c.clientWidth) - px, y(dots.duration[i], c.clientHeight) - py);
      if (d < far) [best, far] = [i, d];
    }
    return best;
  };
  const zoom = (d: Drag) => {
    const c = ref.current!;
    const time = (px: number) => Math.round(w.a + ((px - LEFT) / (c.clientWidth - LEFT - 10)) * (w.z - w.a));
    const ms = (py: number) => 10 ** (range[0] + ((c.clientHeight - 20 - py) / (c.clientHeight - 30)) * (range[1] - range[0]));
    const text = (v: number) => (v >= 1 ? `${Math.round(v)}ms` : `${Math.max(1, Math.round(v * 1e3))}us`);
    const tall = d.y1 - d.y0 > 8;
    go(href(null, { from: time(d.x0), to: time(d.x1), ...(tall ? { min: text(ms(d.y1)), max: text(ms(d.y0)) } : {}) }));
  };
  const handlers = useDrag(setDrag, zoom, (px, py) => {
    const i = nearest(px, py);
    if (i >= 0) go(href('/traces/' + dots.trace[i]));
  });
  const hint = (e: PointerEvent) => {
    handlers.onPointerMove(e);
    const i = nearest(e.offsetX, e.offsetY);
    ref.current!.title = i >= 0 ? `${clock(dots.t[i], utc.value, { ms: true })}  ${dur(dots.duration[i])}` : '';
    ref.current!.style.cursor = i >= 0 ? 'pointer' : 'crosshair';
  };
  return <canvas class="scat" ref={ref} role="img" aria-label={T('Duration over time')} {...handlers} onPointerMove={hint} />;
}

function Results({ rows, cursor, setCursor }: { rows: Found[]; cursor: number; setCursor: (i: number) => void }) {
  const longest = rows.reduce((m, r) => Math.max(m, r.duration), 0) || 1;
  return (
    <>
      <div class="rl head">
        <span>{T('Start')}</span>
        <span>{T('Service · operation')}</span>
        <span class="n">{T('Spans')}</span>
        <span>{T('Services')}</span>
        <span class="n">{T('Duration')}</span>
        <span />
      </div>
      <VList
        n={rows.length}
        size={30}
        at={cursor}
        keyOf={(i) => rows[i]?.id ?? i}
        row={(i) => {
          const r = rows[i];
          if (!r) return null;
          return (
            <a class={'rl' + (i === cursor ? ' on' : '')} href={href('/traces/' + r.id)} onMouseEnter={() => setCursor(i)}>
              <time>{clock(r.start, utc.value, { ms: true, day: longWindow() })}</time>
              <span class="cut">
                <b class="svc" style={{ '--c': serviceColor(r.service) }}>{r.service}</b> {r.name}
                {r.errors > 0 && <em class="tag err">{T('{0} errors', r.errors)}</em>}
              </span>
              <span class="n">{r.spans}</span>
              <span class="cut" title={r.services.join(', ')}>
                {r.services.slice(0, 12).map((s) => <i class="sw" style={{ background: serviceColor(s), marginRight: '3px' }} />)}
              </span>
              <span class="n">{dur(r.duration)}</span>
              <span>
                <i class="len" style={{ width: `${Math.max(0.5, (r.duration / longest) * 100)}%`, background: r.errors ? 'var(--err)' : 'var(--acc)' }} />
              </span>
            </a>
          );
        }}
      />
    </>
  );
}

/** Dates are shown when the window is longer than a day. */
const longWindow = (): boolean => win.value.z - win.value.a > 864e5;
