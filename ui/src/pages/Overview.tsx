// Overview: services as their traces show them, machines, and what the logs complain about.
import { logFilter, queryGrid, searchLogs, serviceRows, strip, type ServiceRow } from '../lib/api';
import { serviceColor, SEVERITIES, SEVERITY_VAR } from '../lib/color';
import { bytes, count, dur, num, pct } from '../lib/fmt';
import { T } from '../lib/i18n';
import { useData, utc, win } from '../lib/live';
import { lucene, toRow } from '../lib/logs';
import { stepFor } from '../lib/time';
import { href } from '../lib/url';
import { bySeverity, Histogram } from '../ui/Histogram';
import { Failure, origin, Teach } from '../ui/parts';
import { Bar, Spark } from '../ui/Spark';
import { clock } from '../lib/time';

const SERVICES_SHOWN = 30;
const ERRORS_SHOWN = 12;
const POINTS = 60;

export function Page() {
  return (
    <div class="pg ov">
      <div>
        <Services />
        <Machines />
      </div>
      <div>
        <LogVolume />
        <Complaints />
      </div>
    </div>
  );
}

function Services() {
  const w = win.value;
  const { value, error } = useData(`${w.a} ${w.z}`, (s) => serviceRows(w.a, w.z, s));
  const rows = value?.services ?? [];
  return (
    <section class="card">
      <h2>
        {T('Services')}
        <small>{value ? T('{0} · from traces', rows.length) : ''}</small>
      </h2>
      <Failure error={error} />
      {value && rows.length === 0 ? (
        <Teach command={`OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf OTEL_EXPORTER_OTLP_ENDPOINT=${origin()} your-program`}>{T('No traces in this window. Point an OpenTelemetry program here, for example:')}</Teach>
      ) : (
        <table class="sv">
          <thead>
            <tr>
              <th>{T('Service')}</th>
              <th class="n">{T('Rate')}</th>
              <th class="chart-col" />
              <th class="n">{T('Errors')}</th>
              <th class="chart-col" />
              <th class="n">p50</th>
              <th class="n">p99</th>
              <th class="chart-col" />
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, SERVICES_SHOWN).map((r) => (
              <Service key={r.service} r={r} seconds={(w.z - w.a) / 1e3} />
            ))}
          </tbody>
        </table>
      )}
      {rows.length > SERVICES_SHOWN && <p class="note">{T('{0} more services', rows.length - SERVICES_SHOWN)}</p>}
    </section>
  );
}

function Service({ r, seconds }: { r: ServiceRow; seconds: number }) {
  const share = r.count ? r.errors / r.count : 0;
  const trouble = share > 0.05 ? 'e' : share > 0.01 ? 'w' : share === 0 ? 't3' : '';
  return (
    <tr>
      <td>
        <a href={href('/traces', { service: r.service })}>
          <i class="sw" style={{ background: serviceColor(r.service) }} />
          {r.service || T('(no name)')}
        </a>
      </td>
      <td class="n">
        {num(r.count / seconds)}
        <u>/s</u>
      </td>
      <td class="chart-col">
        <Spark v={r.rate_points} color="var(--tx2)" />
      </td>
      <td class="n">
        <a class={trouble} href={href('/traces', { service: r.service, tags: 'error=true' })}>
          {pct(share)}
          <u>%</u>
        </a>
      </td>
      <td class="chart-col">
        <Spark v={r.error_points} color="var(--err)" max={Math.max(0.1, ...r.error_points.map((x) => x ?? 0))} />
      </td>
      <td class="n">{dur(r.p50)}</td>
      <td class="n">{dur(r.p99)}</td>
      <td class="chart-col">
        <Spark v={r.p99_points} />
      </td>
    </tr>
  );
}

function LogVolume() {
  const w = win.value;
  const { value, error } = useData(`${w.a} ${w.z}`, (s) => strip(w.a, w.z, 90, '', s));
  const sum = (v: number[]) => v.reduce((a, b) => a + b, 0);
  return (
    <section class="card">
      <h2>
        <a href={href('/logs')}>{T('Logs')}</a>
      </h2>
      <Failure error={error} />
      <div class="tiny">
        <div class="key">
          {value &&
            SEVERITIES.map((s) => (
              <span>
                <i class="sw" style={{ background: `var(${SEVERITY_VAR[s]})`, marginRight: '5px' }} />
                {T(s)} {num(sum(value[s]))}
              </span>
            ))}
        </div>
        <Histogram data={value && bySeverity(value)} window={w} class="bars" />
      </div>
    </section>
  );
}

/** The latest errors, as lines. */
function Complaints() {
  const w = win.value;
  const q = 'severity_number:[17 TO 24]';
  const { value, error } = useData(`${w.a} ${w.z}`, (s) => searchLogs({ size: ERRORS_SHOWN, query: logFilter([lucene(q)], w.a, w.z), sort: [{ '@timestamp': { order: 'desc', unmapped_type: 'date' } }], track_total_hits: true }, s));
  const rows = value?.hits.hits.map(toRow) ?? [];
  return (
    <section class="card">
      <h2>
        {T('Recent errors')}
        <small>{value ? count(value.hits.total.value) : ''}</small>
        <span class="grow" />
        <a class="lnk" href={href('/logs', { q })}>
          {T('all')}
        </a>
      </h2>
      <Failure error={error} />
      <ul class="feed">
        {rows.map((r) => (
          <li key={r.id}>
            <time>{clock(r.t, utc.value)}</time>
            <a class="cut svc" style={{ '--c': serviceColor(r.source) }} href={href('/logs', { q, open: r.id })}>
              {r.source}
            </a>
            <p>{r.message.slice(0, 400)}</p>
          </li>
        ))}
      </ul>
      {value && rows.length === 0 && <p class="note">{T('No errors in this window.')}</p>}
    </section>
  );
}

interface Machine {
  instance: string;
  [column: string]: string | (number | null)[];
}

const RATE = '[2m]';
const DISK = 'fstype!~"tmpfs|overlay|squashfs|ramfs|proc|sysfs|devtmpfs|cgroup.*"';
/** What is read of every machine: column, PromQL (one series an instance). */
const COLUMNS: [name: string, query: string][] = [
  ['cpu', `1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}${RATE}))`],
  ['cores', 'count by (instance) (node_cpu_seconds_total{mode="idle"})'],
  ['memory', '1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes'],
  ['total', 'node_memory_MemTotal_bytes'],
  ['load', 'node_load1'],
  ['disk', `max by (instance) (1 - node_filesystem_avail_bytes{${DISK}} / node_filesystem_size_bytes{${DISK}})`],
  ['io', `sum by (instance) (rate(node_disk_read_bytes_total${RATE}) + rate(node_disk_written_bytes_total${RATE}))`],
  ['net', `sum by (instance) (rate(node_network_receive_bytes_total{device!="lo"}${RATE}) + rate(node_network_transmit_bytes_total{device!="lo"}${RATE}))`],
];

const finite = (text: string): number | null => (Number.isFinite(Number(text)) ? Number(text) : null);

async function readMachines(a: number, z: number, step: number, signal: AbortSignal): Promise<Machine[]> {
  // The last point is now, not the last round step: it is what the row says in numbers.
  const n = Math.floor((z - a) / 1e3 / step) + 1;
  const start = Math.floor(z / 1e3) - (n - 1) * step;
  const answers = await Promise.all(COLUMNS.map(([, q]) => queryGrid(q, start, start + (n - 1) * step, step, signal)));
  const machines = new Map<string, Machine>();
  answers.forEach(({ series }, c) => {
    for (const s of series) {
      const instance = s.metric.instance ?? '';
      const m = machines.get(instance) ?? { instance };
      const v: (number | null)[] = new Array(n).fill(null);
      for (const [t, text] of (s.values ?? [])) v[Math.round((t - start) / step)] = finite(text);
      m[COLUMNS[c][0]] = v;
      machines.set(instance, m);
    }
  });
  return [...machines.values()].sort((x, y) => (x.instance < y.instance ? -1 : 1));
}

const lastOf = (v: unknown): number | null => (Array.isArray(v) ? ((v as (number | null)[]).findLast((x) => x !== null) ?? null) : null);

function Machines() {
  const w = win.value;
  const step = Math.max(5, stepFor(w, POINTS));
  const { value, error } = useData(`${w.a} ${w.z}`, (s) => readMachines(w.a, w.z, step, s));
  return (
    <section class="card">
      <h2>
        {T('Machines')}
        <small>{value ? value.length : ''}</small>
      </h2>
      <Failure error={error} />
      {value && value.length === 0 ? (
        <Teach>{T('No node_* metrics in this window: binnacle collects those of its own machine, and scrapes node exporters.')}</Teach>
      ) : (
        <table>
          <thead>
            <tr>
              <th>{T('Machine')}</th>
              <th>CPU</th>
              <th class="chart-col" />
              <th />
              <th>{T('Memory')}</th>
              <th />
              <th class="n">{T('Load')}</th>
              <th>{T('Fullest disk')}</th>
              <th class="n">{T('Disk I/O')}</th>
              <th class="n">{T('Network')}</th>
            </tr>
          </thead>
          <tbody>{value?.map((m) => <MachineRow key={m.instance} m={m} />)}</tbody>
        </table>
      )}
    </section>
  );
}

function MachineRow({ m }: { m: Machine }) {
  const get = (column: string) => lastOf(m[column]);
  const [cpu, cores, memory, total, disk] = ['cpu', 'cores', 'memory', 'total', 'disk'].map(get);
  const series = (column: string) => (m[column] as (number | null)[] | undefined) ?? [];
  return (
    <tr>
      <td>
        <a href={href('/metrics-explorer', { q: `sum by (mode) (rate(node_cpu_seconds_total{instance=${JSON.stringify(m.instance)}}[1m]))`, view: 'stack' })}>{m.instance}</a>
      </td>
      <td>{cpu !== null && <Bar v={cpu} w={90} />}</td>
      <td class="chart-col">
        <Spark v={series('cpu')} max={1} w={76} />
      </td>
      <td class="n">
        {cpu !== null && cores !== null ? (cpu * cores).toFixed(2) : '–'}
        <u>/ {cores ?? '–'}</u>
      </td>
      <td>{memory !== null && <Bar v={memory} w={90} />}</td>
      <td class="n">
        {memory !== null && total !== null ? bytes(memory * total) : '–'}
        <u>/ {total !== null ? bytes(total) : '–'}</u>
      </td>
      <td class="n">{num(get('load'))}</td>
      <td>{disk !== null && <Bar v={disk} w={60} />}</td>
      <td class="n">{get('io') !== null ? bytes(get('io')!) + '/s' : '–'}</td>
      <td class="n">{get('net') !== null ? bytes(get('net')!) + '/s' : '–'}</td>
    </tr>
  );
}
