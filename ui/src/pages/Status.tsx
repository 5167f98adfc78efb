// Status: what is kept and what was lost, what the process costs, targets, and how it is set up.
import type { ComponentChildren } from 'preact';
import { targets, type EventStats, type Flow, type Status, type Target } from '../lib/api';
import { bytes, count, dur, num } from '../lib/fmt';
import { T } from '../lib/i18n';
import { utc } from '../lib/live';
import { useData } from '../lib/live';
import { rates, self } from '../lib/self';
import { clock } from '../lib/time';
import { Failure, Teach } from '../ui/parts';
import { Cardinality } from './Cardinality';

export function Page() {
  const s = self.value;
  if (!s) return <div class="pg" />;
  return (
    <div class="pg st">
      <Stored s={s} />
      <Targets at={s.now_ms} />
      <Cardinality at={s.now_ms} />
      <Facts title="Process" rows={processRows(s)} />
      <Facts title="Metrics" rows={metricRows(s)} />
      <Facts title="Logs" rows={eventRows(s.logs)} />
      <Facts title="Traces" rows={eventRows(s.spans)} />
      <Facts title="Write-ahead log" rows={walRows(s)} />
      <Facts title="HTTP" rows={httpRows(s)} />
      <Facts title="Worker pool" rows={poolRows(s)} />
      <Settings s={s} />
    </div>
  );
}

type FactRow = [name: string, value: ComponentChildren];

function Facts({ title, rows }: { title: string; rows: FactRow[] }) {
  return (
    <section class="card">
      <h2>{T(title)}</h2>
      <dl class="facts">
        {rows.map(([name, value]) => (
          <>
            <dt>{T(name)}</dt>
            <dd>{value}</dd>
          </>
        ))}
      </dl>
    </section>
  );
}

/** The balance: everything received is stored, rejected or dropped, and the sum must be right. */
function Stored({ s }: { s: Status }) {
  const r = rates.value;
  const row = (name: string, f: Flow, rate: number | undefined, kept: number, disk: number) => {
    const missing = f.received - f.stored - f.rejected - f.dropped;
    return (
      <tr>
        <td>{T(name)}</td>
        <td class="n">{rate === undefined ? '–' : num(rate) + '/s'}</td>
        <td class="n">{count(f.received)}</td>
        <td class="n">{count(f.stored)}</td>
        <td class={'n' + (f.rejected ? ' w' : ' t3')}>{count(f.rejected)}</td>
        <td class={'n' + (f.dropped ? ' e' : ' t3')}>{count(f.dropped)}</td>
        <td class={missing ? 'e' : 'ok'}>{missing ? T('{0} unaccounted for', count(missing)) : T('balanced')}</td>
        <td class="n">{bytes(disk)}</td>
        <td class="n">{kept && disk ? T('{0} B each', num(disk / kept)) : '–'}</td>
      </tr>
    );
  };
  return (
    <section class="card wide">
      <h2>
        {T('Stored')}
        <small>{T('since the start {0} ago; received = stored + rejected + dropped', dur(s.now_ms - s.start_ms))}</small>
        {s.disk_full && <span class="tag err">{T('disk full: pushes are refused')}</span>}
      </h2>
      <table>
        <thead>
          <tr>
            <th />
            <th class="n">{T('rate')}</th>
            <th class="n">{T('received')}</th>
            <th class="n">{T('stored')}</th>
            <th class="n">{T('rejected')}</th>
            <th class="n">{T('dropped')}</th>
            <th>{T('balance')}</th>
            <th class="n">{T('in parts')}</th>
            <th class="n">{T('size')}</th>
          </tr>
        </thead>
        <tbody>
          {row('samples', s.metrics, r?.samples, s.metrics.part_samples, s.metrics.part_bytes)}
          {row('logs', s.logs, r?.logs, s.logs.part_events, s.logs.part_bytes)}
          {row('spans', s.spans, r?.spans, s.spans.part_events, s.spans.part_bytes)}
        </tbody>
      </table>
    </section>
  );
}

function Targets({ at }: { at: number }) {
  const { value, error } = useData(String(Math.floor(at / 5e3)), targets);
  const down = value?.filter((t) => t.health === 'down').length ?? 0;
  return (
    <section class="card wide">
      <h2>
        {T('Targets')}
        <small>{value ? count(value.length) : ''}</small>
        {down > 0 && <span class="tag err">{T('{0} down', down)}</span>}
      </h2>
      <Failure error={error} />
      {value && value.length === 0 ? (
        <Teach>{T('Nothing is scraped. Name targets in a Prometheus configuration file and start with --config.')}</Teach>
      ) : (
        <table>
          <thead>
            <tr>
              <th>{T('State')}</th>
              <th>{T('Pool')}</th>
              <th>{T('Address')}</th>
              <th>{T('Labels')}</th>
              <th class="n">{T('Last scrape')}</th>
              <th class="n">{T('took')}</th>
              <th>{T('Last error')}</th>
            </tr>
          </thead>
          <tbody>
            {value
              ?.slice()
              .sort((a, b) => Number(b.health === 'down') - Number(a.health === 'down'))
              .slice(0, 500)
              .map((t) => <TargetRow key={t.scrapePool + t.scrapeUrl} t={t} at={at} />)}
          </tbody>
        </table>
      )}
    </section>
  );
}

function TargetRow({ t, at }: { t: Target; at: number }) {
  const scraped = Date.parse(t.lastScrape);
  return (
    <tr>
      <td class={t.health === 'up' ? 'ok' : t.health === 'down' ? 'e' : 't3'}>{t.health}</td>
      <td>{t.scrapePool}</td>
      <td class="m">{t.scrapeUrl}</td>
      <td class="m t2 cut" style={{ maxWidth: '320px' }} title={JSON.stringify(t.labels)}>
        {Object.entries(t.labels).map(([k, v]) => `${k}=${v}`).join(' ')}
      </td>
      <td class="n">{scraped > 0 ? T('{0} ago', dur(Math.max(0, at - scraped))) : T('never')}</td>
      <td class="n">{dur(t.lastScrapeDuration * 1e3)}</td>
      <td class="err-text cut" title={t.lastError}>
        {t.lastError}
      </td>
    </tr>
  );
}

const when = (ms: number): string => (ms > 0 ? clock(ms, utc.value, { day: true }) : '–');

const processRows = (s: Status): FactRow[] => [
  ['version', s.version],
  ['started', when(s.start_ms)],
  ['running for', dur(s.now_ms - s.start_ms)],
  ['process id', s.process.pid],
  ['memory', bytes(s.process.rss_bytes)],
  ['CPU time', dur(s.process.cpu_ms)],
  ['CPU now', rates.value ? T('{0} of {1} cores', rates.value.cpu.toFixed(3), s.process.cores) : '–'],
];

const metricRows = (s: Status): FactRow[] => [
  ['series', count(s.metrics.series)],
  ['targets', count(s.metrics.targets)],
  ['shapes', count(s.metrics.shapes)],
  ['in memory', T('{0} samples, {1}', num(s.metrics.head_samples), bytes(s.metrics.head_bytes))],
  ['parts', T('{0}: {1} samples, {2}', count(s.metrics.parts), num(s.metrics.part_samples), bytes(s.metrics.part_bytes))],
  ['oldest', when(s.metrics.min_ms)],
  ['newest', when(s.metrics.max_ms)],
  ['rejected: out of order', count(s.metrics.rejected_order)],
  ['rejected: duplicate', count(s.metrics.rejected_duplicate)],
  ['rejected: labels', count(s.metrics.rejected_labels)],
  ['dropped: series limit', count(s.metrics.dropped_series_limit)],
  ['dropped: disk', count(s.metrics.dropped_io)],
];

const eventRows = (e: EventStats): FactRow[] => [
  ['in memory', T('{0} events, {1}', num(e.head_events), bytes(e.head_bytes))],
  ['parts', T('{0}: {1} events, {2}', count(e.parts), num(e.part_events), bytes(e.part_bytes))],
  ['oldest', when(e.min_ms)],
  ['newest', when(e.max_ms)],
  ['values cut short', count(e.truncated_values)],
  ['damaged blocks', count(e.damaged_blocks)],
];

const walRows = (s: Status): FactRow[] =>
  s.wal
    ? [
        ['size on disk', bytes(s.wal.bytes)],
        ['records', count(s.wal.records)],
        ['groups', count(s.wal.groups)],
        ['failed groups', count(s.wal.failed_groups)],
        ['last sync', when(s.wal.last_sync_ms)],
        ['state', s.wal.refusing ? <span class="e">{T('refusing')}</span> : T('writing')],
        ['frames read at start', count(s.wal.replayed_frames)],
        ['damaged frames', count(s.wal.damaged_frames)],
      ]
    : [['state', T('off: memory only')]];

const httpRows = (s: Status): FactRow[] =>
  s.http
    ? [
        ['requests', count(s.http.requests)],
        ['answered 2xx', count(s.http.replies_2xx)],
        ['answered 4xx', count(s.http.replies_4xx)],
        ['answered 5xx', count(s.http.replies_5xx)],
        ['connections', count(s.http.connections_open)],
        ['refused: body too large', count(s.http.refused_body)],
        ['refused: busy', count(s.http.refused_busy)],
        ['bytes in', bytes(s.http.bytes_in)],
        ['bytes out', bytes(s.http.bytes_out)],
      ]
    : [];

const poolRows = (s: Status): FactRow[] =>
  (['query', 'background'] as const).flatMap((lane): FactRow[] => [
    [`${lane}: running`, count(s.pool[lane].running)],
    [`${lane}: queued`, count(s.pool[lane].queued)],
    [`${lane}: done`, count(s.pool[lane].done)],
    [`${lane}: refused`, count(s.pool[lane].refused)],
  ]);

function Settings({ s }: { s: Status }) {
  const isDoor = (k: string) => k === 'listen' || k.startsWith('door.');
  const doors = Object.entries(s.settings).filter(([k]) => isDoor(k) && (k === 'listen' || s.settings.doors !== 'off'));
  const rest = Object.entries(s.settings).filter(([k]) => !isDoor(k));
  const list = (rows: [string, unknown][]) => (
    <dl class="facts">
      {rows.map(([k, v]) => (
        <>
          <dt class="m">{k}</dt>
          <dd>{String(v)}</dd>
        </>
      ))}
    </dl>
  );
  return (
    <>
      {doors.length > 0 && (
        <section class="card">
          <h2>{T('Doors')}</h2>
          {list(doors)}
        </section>
      )}
      {rest.length > 0 && (
        <section class="card wide">
          <h2>{T('Settings')}</h2>
          {list(rest)}
        </section>
      )}
    </>
  );
}
