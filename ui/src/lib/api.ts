// The server's APIs, as this page uses them: Prometheus /api/v1, Elasticsearch _search, Jaeger /api, and /ui/api which exists for this page.

export class ApiError extends Error {
  constructor(message: string, readonly status: number) {
    super(message);
  }
}
export const isAbort = (e: unknown): boolean => e instanceof DOMException && e.name === 'AbortError';

/** The page's own polling is not to show up among the traces it looks at: a trace context that is not sampled (W3C Trace Context, flags 00). */
const UNTRACED = { traceparent: `00-${hex(16)}-${hex(8)}-00` };

function hex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (b) => b.toString(16).padStart(2, '0')).join('');
}

/** Longer parameters go into a form, which the endpoints that take long ones (queries) accept, too. */
const ADDRESS_MAX = 4000;

type Params = Record<string, string | number | null | undefined>;

/** The message inside the error bodies of all three APIs. */
function reason(body: any, status: number): string {
  const es = body?.error;
  if (typeof es === 'string') return es;
  if (es?.root_cause?.[0]?.reason ?? es?.reason) return es?.root_cause?.[0]?.reason ?? es.reason;
  return body?.errors?.[0]?.msg ?? body?.message ?? `the server answered ${status}`;
}

async function call<T>(url: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, { ...init, headers: { ...UNTRACED, ...init.headers } });
  } catch (e) {
    if (isAbort(e)) throw e;
    throw new ApiError('the server does not answer', 0);
  }
  const text = await response.text();
  let body: any;
  try {
    body = JSON.parse(text);
  } catch {
    throw new ApiError(response.ok ? 'the answer is not JSON' : text.slice(0, 300) || `the server answered ${response.status}`, response.status);
  }
  if (!response.ok) throw new ApiError(reason(body, response.status), response.status);
  return body;
}

export function get<T>(path: string, params: Params, signal: AbortSignal): Promise<T> {
  const query = new URLSearchParams();
  for (const [k, v] of Object.entries(params)) if (v !== null && v !== undefined && v !== '') query.set(k, String(v));
  const text = query.toString();
  if (text.length > ADDRESS_MAX) return call<T>(path, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: text, signal });
  return call<T>(text ? `${path}?${text}` : path, { signal });
}

// --- Prometheus

export type Labels = Record<string, string>;
/** A native histogram: its buckets are [boundaries, lower, upper, count]. */
export interface Histogram {
  count: string;
  sum: string;
  buckets?: [number, string, string, string][];
}
export interface Series {
  metric: Labels;
  values?: [number, string][];
  histograms?: [number, Histogram][];
}
/** A node of a query's plan and what it cost. */
export interface Explained {
  type: string;
  text: string;
  start: number;
  end: number;
  series: number;
  samples: number;
  seconds: number;
  children: Explained[];
}
export interface Instant {
  resultType: 'vector' | 'scalar' | 'string' | 'matrix';
  result: any;
  warnings: string[];
  infos: string[];
}
interface PromReply<T> {
  data: T;
  warnings?: string[];
  infos?: string[];
}

const prom = <T>(path: string, params: Params, signal: AbortSignal) => get<PromReply<T>>('/api/v1/' + path, params, signal);

export interface RangeResult {
  series: Series[];
  warnings: string[];
  infos: string[];
  explain?: Explained;
}

/** From start to end by step, all in s. */
export async function queryGrid(query: string, start: number, end: number, step: number, signal: AbortSignal, explain = false): Promise<RangeResult> {
  const r = await prom<{ result: Series[]; explain?: Explained }>('query_range', { query, start, end, step, explain: explain ? 1 : '' }, signal);
  return { series: r.data.result, warnings: r.warnings ?? [], infos: r.infos ?? [], explain: r.data.explain };
}

export async function queryInstant(query: string, at: number, signal: AbortSignal): Promise<Instant> {
  const r = await prom<Instant>('query', { query, time: at / 1e3 }, signal);
  return { ...r.data, warnings: r.warnings ?? [], infos: r.infos ?? [] };
}

/** Fails with the parser's words if the text is no PromQL. */
export const parseQuery = (query: string, signal: AbortSignal): Promise<unknown> => prom('parse_query', { query }, signal);
export const formatQuery = async (query: string, signal: AbortSignal): Promise<string> => (await prom<string>('format_query', { query }, signal)).data;

export const labelValues = async (name: string, a: number, z: number, signal: AbortSignal, match = ''): Promise<string[]> =>
  (await prom<string[]>(`label/${encodeURIComponent(name)}/values`, { start: a / 1e3, end: z / 1e3, 'match[]': match }, signal)).data;
export const labelNames = async (match: string, a: number, z: number, signal: AbortSignal): Promise<string[]> =>
  (await prom<string[]>('labels', { start: a / 1e3, end: z / 1e3, 'match[]': match }, signal)).data;
export const seriesOf = async (match: string, a: number, z: number, limit: number, signal: AbortSignal): Promise<Labels[]> =>
  (await prom<Labels[]>('series', { start: a / 1e3, end: z / 1e3, 'match[]': match, limit }, signal)).data;

export interface Exemplars {
  seriesLabels: Labels;
  exemplars: { labels: Labels; value: string; timestamp: number }[];
}
export const queryExemplars = async (query: string, a: number, z: number, signal: AbortSignal): Promise<Exemplars[]> =>
  (await prom<Exemplars[] | null>('query_exemplars', { query, start: a / 1e3, end: z / 1e3 }, signal)).data ?? [];

export interface NameCount {
  name: string;
  value: number;
}
export interface Cardinality {
  headStats: { numSeries: number; numLabelPairs: number };
  seriesCountByMetricName: NameCount[];
  labelValueCountByLabelName: NameCount[];
  memoryInBytesByLabelName: NameCount[];
  seriesCountByLabelValuePair: NameCount[];
  /** Whose new series are turned away by limit.series: samples of each, `last` in s. */
  refusedSamplesByTarget?: (NameCount & { last: number })[];
}
export const cardinality = async (limit: number, signal: AbortSignal): Promise<Cardinality> => (await prom<Cardinality>('status/tsdb', { limit }, signal)).data;

export interface Meta {
  type: string;
  help: string;
  unit: string;
}
export const metadata = async (signal: AbortSignal): Promise<Record<string, Meta[]>> => (await prom<Record<string, Meta[]>>('metadata', {}, signal)).data;

export interface Target {
  labels: Labels;
  scrapePool: string;
  scrapeUrl: string;
  lastError: string;
  lastScrape: string;
  lastScrapeDuration: number;
  health: string;
}
export const targets = async (signal: AbortSignal): Promise<Target[]> =>
  (await prom<{ activeTargets: Target[] }>('targets', { state: 'active' }, signal)).data.activeTargets;

// --- Elasticsearch

export interface Hit {
  _id: string;
  _index: string;
  _source: Record<string, unknown>;
  sort?: (number | string)[];
}
export interface SearchReply {
  took: number;
  hits: { total: { value: number; relation: string }; hits: Hit[] };
  aggregations?: Record<string, any>;
}

/** The filter of a window and whatever else must hold, in Elasticsearch's language. */
export const logFilter = (parts: object[], a: number, z: number) => ({
  bool: { filter: [{ range: { '@timestamp': { gte: a, lte: z, format: 'epoch_millis' } } }, ...parts] },
});

export const searchLogs = (body: object, signal: AbortSignal): Promise<SearchReply> =>
  call('/_search?ignore_unavailable=true', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), signal });

/** What the server's parser says of a query; empty: it is good. */
export const parseLogs = async (query: object, signal: AbortSignal): Promise<string> => (await get<{ error: string }>('/ui/api/parse', { dsl: JSON.stringify(query) }, signal)).error;
/** The words the standard analyzer makes of a text. */
export async function analyze(text: string, signal: AbortSignal): Promise<string[]> {
  const body = JSON.stringify({ analyzer: 'standard', text });
  const r = await call<{ tokens: { token: string }[] }>('/_analyze', { method: 'POST', headers: { 'content-type': 'application/json' }, body, signal });
  return r.tokens.map((t) => t.token);
}

export interface LogField {
  name: string;
  /** Its whole, unanalysed values: what can be counted. */
  exact: string;
  type: string; // keyword, long, date...
}

export async function logFields(signal: AbortSignal): Promise<LogField[]> {
  const r = await get<{ fields: Record<string, Record<string, { aggregatable: boolean }>> }>('/_field_caps', { fields: '*' }, signal);
  const names = Object.keys(r.fields).filter((f) => !f.startsWith('_') && !f.endsWith('.keyword'));
  return names.sort().map((name) => ({ name, exact: r.fields[name + '.keyword'] ? name + '.keyword' : name, type: Object.keys(r.fields[name])[0] }));
}

export interface LogPattern {
  text: string;
  field: string;
  service: string;
  severity: number;
  count: number;
  before: number;
  first?: number; // ms
  points: number[];
}
export interface LogPatterns {
  base: number;
  from: number;
  to: number;
  lines: number;
  before: number;
  shapes: number;
  omitted: number;
  partial: boolean;
  patterns: LogPattern[];
}
export const logPatterns = (a: number, z: number, dsl: string, signal: AbortSignal): Promise<LogPatterns> =>
  get('/ui/api/patterns', { from: Math.round(a), to: Math.round(z), dsl }, signal);

export interface TailNews {
  hits: Hit[];
  skipped: number;
}
/** New lines as they come, until the signal; ends by throwing when the server is gone or refuses. Server-sent events, read by fetch for its headers. */
export async function followLogs(dsl: string, onNews: (n: TailNews) => void, signal: AbortSignal): Promise<never> {
  const r = await fetch('/ui/api/tail?' + new URLSearchParams({ dsl }), { headers: UNTRACED, signal });
  if (!r.ok || !r.body) throw new ApiError(reason(await r.json().catch(() => null), r.status), r.status);
  const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ; ) {
    const { value, done } = await reader.read();
    if (done) throw new ApiError('the server does not answer', 0);
    const events = (text + value).split('\n\n');
    text = events.pop()!;
    for (const e of events) if (e.startsWith('data: ')) onNews(JSON.parse(e.slice(6)));
  }
}

// --- Jaeger

export interface Tag {
  key: string;
  type?: string;
  value: unknown;
}
export interface JaegerSpan {
  traceID: string;
  spanID: string;
  operationName: string;
  references: { refType: string; traceID: string; spanID: string }[];
  startTime: number; // µs
  duration: number; // µs
  tags: Tag[];
  logs: { timestamp: number; fields: Tag[] }[];
  processID: string;
  warnings?: string[] | null;
}
export interface JaegerTrace {
  traceID: string;
  spans: JaegerSpan[];
  processes: Record<string, { serviceName: string; tags: Tag[] }>;
}

const jaeger = async <T>(path: string, params: Params, signal: AbortSignal): Promise<T> => (await get<{ data: T }>('/api/' + path, params, signal)).data;

export const services = async (signal: AbortSignal): Promise<string[]> => ((await jaeger<string[] | null>('services', {}, signal)) ?? []).sort();
export const operations = async (service: string, signal: AbortSignal): Promise<string[]> =>
  (await jaeger<string[] | null>(`services/${encodeURIComponent(service)}/operations`, {}, signal)) ?? [];
export const findTraces = async (params: Params, signal: AbortSignal): Promise<JaegerTrace[]> => (await jaeger<JaegerTrace[] | null>('traces', params, signal)) ?? [];
export async function getTrace(id: string, signal: AbortSignal): Promise<JaegerTrace | null> {
  try {
    return (await jaeger<JaegerTrace[] | null>('traces/' + id, {}, signal))?.[0] ?? null;
  } catch (e) {
    if (e instanceof ApiError && e.status === 404) return null;
    throw e;
  }
}

// --- this page's own; times in ms, columns as arrays

export interface Strip {
  from: number;
  step: number;
  error: number[];
  warn: number[];
  info: number[];
  debug: number[];
  marks: { t: number; kind: 'up' | 'down' | 'restart'; name: string }[];
}
export const strip = (a: number, z: number, n: number, dsl: string, signal: AbortSignal): Promise<Strip> =>
  get('/ui/api/strip', { from: Math.round(a), to: Math.round(z), n, dsl }, signal);

export interface Scatter {
  total: number;
  trace: string[];
  t: number[];
  duration: number[]; // ms
  error: boolean[];
}
export const scatter = (a: number, z: number, search: Params, signal: AbortSignal): Promise<Scatter> =>
  get('/ui/api/scatter', { ...search, from: Math.round(a), to: Math.round(z) }, signal);

export interface MovedMetric {
  metric: Labels; // the series that moved most
  rate: boolean; // a counter: by its growth per second
  d: number; // Kolmogorov-Smirnov, 0..1
  before: number; // means
  inside: number;
  others: number; // series of the same metric that moved, too
  points: (number | null)[]; // from base to `to`
}
export interface Moved {
  base: number;
  from: number;
  to: number;
  series: number;
  compared: number;
  moved: MovedMetric[];
}
export const moved = (a: number, z: number, signal: AbortSignal): Promise<Moved> => get('/ui/api/moved', { from: Math.round(a), to: Math.round(z) }, signal);

export interface ServiceRow {
  service: string;
  count: number;
  errors: number;
  p50: number; // ms
  p99: number;
  rate_points: number[]; // spans/s
  error_points: number[]; // share
  p99_points: (number | null)[];
}
export interface Services {
  from: number;
  step: number;
  services: ServiceRow[];
  omitted: number;
}
export const serviceRows = (a: number, z: number, signal: AbortSignal): Promise<Services> => get('/ui/api/services', { from: Math.round(a), to: Math.round(z) }, signal);

export interface Flow {
  received: number;
  stored: number;
  rejected: number;
  dropped: number;
}
export interface EventStats extends Flow {
  truncated_values: number;
  head_events: number;
  head_bytes: number;
  parts: number;
  part_bytes: number;
  part_events: number;
  damaged_blocks: number;
  min_ms: number;
  max_ms: number;
}
export interface Status {
  version: string;
  now_ms: number;
  start_ms: number;
  process: { pid: number; rss_bytes: number; cpu_ms: number; threads: number; open_fds: number; cores: number };
  metrics: Flow & Record<string, number>;
  logs: EventStats;
  spans: EventStats;
  wal: Record<string, number> | null;
  disk_full: boolean;
  http: Record<string, number>;
  pool: Record<'query' | 'background', { queued: number; running: number; done: number; refused: number }>;
  settings: Record<string, unknown>;
}
export const status = (signal: AbortSignal): Promise<Status> => get('/ui/api/status', {}, signal);
