// One trace: its waterfall or flame chart, and the chosen span in full. Only rows in sight are in the document, so 10 000 spans scroll smoothly.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { getTrace, type Tag } from '../lib/api';
import { serviceColor } from '../lib/color';
import { count, dur, pct } from '../lib/fmt';
import { T } from '../lib/i18n';
import { pageKeys } from '../lib/keys';
import { useData, utc } from '../lib/live';
import { clause } from '../lib/logs';
import { clock } from '../lib/time';
import { buildTrace, selfTime, spanHas, visibleSpans, type Span, type Trace } from '../lib/traces';
import { go, href, param } from '../lib/url';
import { Failure, Tabs, Teach } from '../ui/parts';
import { Flame, Minimap } from '../ui/Flame';
import { Waterfall } from '../ui/Waterfall';

export function TraceView({ id }: { id: string }) {
  const { value, error, busy } = useData(id, (s) => getTrace(id, s));
  const trace = useMemo(() => (value ? buildTrace(value) : null), [value]);
  return (
    <div class="pg fill tv">
      <div>
        <Failure error={error} />
        <a class="lnk" href={href('/traces')}>
          ← {T('Traces')}
        </a>
      </div>
      <section class="card">{trace && trace.spans.length > 0 ? <View trace={trace} /> : !busy && <Teach>{T('No trace with this id is stored.')}</Teach>}</section>
    </div>
  );
}

function View({ trace }: { trace: Trace }) {
  const [closed, setClosed] = useState<ReadonlySet<string>>(new Set());
  const [find, setFind] = useState('');
  const rows = useMemo(() => visibleSpans(trace, closed), [trace, closed]);
  const hits = useMemo(() => (find.trim() ? new Set(trace.spans.filter((s) => spanHas(s, find.trim().toLowerCase()))) : null), [trace, find]);
  const at = param('span') ? rows.findIndex((s) => s.id === param('span')) : -1;
  const chosen = at >= 0 ? rows[at] : null;
  const choose = (s: Span | null) => go(href(null, { span: s && s.id !== param('span') ? s.id : null }), true);
  const fold = (s: Span) => {
    const next = new Set(closed);
    if (!next.delete(s.id)) next.add(s.id);
    setClosed(next);
  };
  useEffect(
    () =>
      pageKeys({
        move: (by) => {
          const next = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
          go(href(null, { span: next.id }), true);
        },
        open: () => chosen && fold(chosen),
        close: () => choose(null),
      }),
    [rows, at, closed],
  );
  const root = trace.roots[0];
  const view = param('view', 'timeline');
  const logs = href('/logs', { q: clause('trace_id', trace.id), from: Math.floor(trace.start / 1e3) - 60_000, to: Math.ceil((trace.start + trace.duration) / 1e3) + 60_000 });
  return (
    <>
      <h2>
        <span class="cut">
          <b class="svc" style={{ '--c': serviceColor(root.service) }}>{root.service}</b> {root.name}
        </span>
        <small class="m">{trace.id}</small>
        <span class="grow" />
        <Tabs name="view" at={view} of={[['timeline', 'Timeline'], ['flame', 'Flame']]} />
        <a class="btn" href={logs}>
          ≡ {T('Logs of this trace')}
        </a>
        <a class="btn" data-server href={`/api/traces/${trace.id}`} target="_blank" rel="noreferrer">
          JSON
        </a>
      </h2>
      <div class="sum">
        <span>{clock(trace.start / 1e3, utc.value, { day: true, ms: true })}</span>
        <span>
          <b>{dur(trace.duration / 1e3)}</b> {T('total')}
        </span>
        <span>
          <b>{count(trace.spans.length)}</b> {T('spans')} · {T('{0} services', trace.services.length)}
        </span>
        {trace.errors > 0 && (
          <span class="e">
            <b>{trace.errors}</b> {T('errors')}
          </span>
        )}
        {trace.roots.length > 1 && <span class="w">{T('{0} parts without a parent', trace.roots.length)}</span>}
        <span class="grow" />
        <input class="find" type="search" aria-label={T('Find in the spans')} placeholder={T('Find in the spans')} value={find} onInput={(e) => setFind(e.currentTarget.value)} />
        {hits && <span>{T('{0} found', hits.size)}</span>}
        <a class="lnk" onClick={() => setClosed(closed.size ? new Set() : new Set(trace.spans.filter((s) => s.depth >= 1 && s.children.length).map((s) => s.id)))}>
          {closed.size ? T('open all') : T('fold')}
        </a>
      </div>
      {view === 'flame' ? (
        <Flame trace={trace} chosen={chosen} hits={hits} choose={choose} />
      ) : (
        <>
          {trace.spans.length > 60 && <Minimap trace={trace} />}
          <Waterfall trace={trace} rows={rows} at={at} closed={closed} hits={hits} choose={choose} fold={fold} />
        </>
      )}
      {chosen && <Detail span={chosen} trace={trace} />}
    </>
  );
}

const asText = (v: unknown): string => (typeof v === 'string' ? v : JSON.stringify(v));

const Tags = ({ tags }: { tags: Tag[] }) => (
  <div class="kvs">
    {tags.map((t) => (
      <div>
        <em title={t.key}>{t.key}</em>
        <span class={t.key === 'error' || (t.key === 'http.status_code' && Number(t.value) >= 500) ? 'e' : ''}>{asText(t.value)}</span>
      </div>
    ))}
  </div>
);

function Detail({ span, trace }: { span: Span; trace: Trace }) {
  const own = selfTime(span);
  const links = (span.raw.references ?? []).filter((r) => r.traceID !== trace.id || (span.parent && r.spanID !== span.parent.id));
  return (
    <div class="sd">
      <h3>
        <b class="svc" style={{ '--c': serviceColor(span.service) }}>{span.service}</b>
        <b>{span.name}</b>
        <span class="m t3">{span.id}</span>
        <span class="grow" />
        <span>
          <b>{dur(span.duration / 1e3)}</b> · {T('self {0}', dur(own / 1e3))} · {T('starts at {0}', dur(span.start / 1e3))}
          {trace.duration > 0 && ` · ${pct(span.duration / trace.duration)} %`}
        </span>
      </h3>
      {span.raw.warnings?.map((w) => <p class="note warn">{w}</p>)}
      <Tags tags={span.raw.tags} />
      {span.process.length > 0 && <h4>{T('Process')}</h4>}
      <Tags tags={span.process} />
      {span.raw.logs?.length > 0 && <h4>{T('Events')}</h4>}
      {span.raw.logs?.map((l) => (
        <div class="kvs">
          <div>
            <em>+ {dur((l.timestamp - trace.start) / 1e3 - span.start / 1e3)}</em>
            <span>{l.fields.map((f) => (f.key === 'event' || f.key === 'message' ? asText(f.value) : `${f.key}=${asText(f.value)}`)).join('  ')}</span>
          </div>
        </div>
      ))}
      {links.length > 0 && <h4>{T('Links')}</h4>}
      {links.map((r) => (
        <p>
          <a class="lnk m" href={href('/traces/' + r.traceID, { span: r.spanID })}>
            {r.refType} {r.traceID}
          </a>
        </p>
      ))}
      <div class="jumps">
        <a class="btn" href={href('/logs', { q: clause('span_id', span.id), from: Math.floor((trace.start + span.start) / 1e3) - 60_000, to: Math.ceil((trace.start + span.start + span.duration) / 1e3) + 60_000 })}>
          ≡ {T('Logs of this span')}
        </a>
        <a class="btn" href={href('/traces', { service: span.service, op: span.name })}>
          {T('More of this operation')}
        </a>
      </div>
    </div>
  );
}
