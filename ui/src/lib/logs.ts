// Log documents as rows, and edits of a Lucene query.
import type { Hit } from './api';
import type { Severity } from './color';

export interface LogRow {
  id: string;
  t: number; // ms
  severity: Severity;
  source: string;
  message: string;
  traceId: string;
  hit: Hit;
}

/** Leaves of a document by dotted name, as Elasticsearch names fields; arrays stay whole. */
export function flatten(doc: Record<string, unknown>, prefix = '', out: [string, unknown][] = []): [string, unknown][] {
  for (const [key, value] of Object.entries(doc)) {
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) flatten(value as Record<string, unknown>, prefix + key + '.', out);
    else out.push([prefix + key, value]);
  }
  return out;
}

const SOURCES = ['service.name', 'service', 'kubernetes.labels.app', 'kubernetes.container_name', 'k8s.container.name', 'container_name', 'container.name', 'host.name', 'host', 'hostname', 'agent.name'];
const MESSAGES = ['message', 'log', 'msg', 'body', 'MESSAGE'];
const LEVELS = ['severity_text', 'level', 'log.level', 'severity', 'loglevel', 'lvl'];

export function severityOf(number: unknown, text: unknown): Severity {
  const n = Number(number);
  if (n >= 17) return 'error';
  if (n >= 13) return 'warn';
  if (n >= 9) return 'info';
  if (n >= 1) return 'debug';
  const t = String(text ?? '').toLowerCase();
  if (/^(err|fatal|crit|emerg|alert|panic|severe|[ef]$)/.test(t)) return 'error';
  if (/^(warn|w$)/.test(t)) return 'warn';
  return /^(debug|trace|verbose|fine|[dt]$)/.test(t) ? 'debug' : 'info';
}

const timeOf = (value: unknown): number => (typeof value === 'number' ? value : Date.parse(String(value ?? '')) || 0);

export function toRow(hit: Hit): LogRow {
  const fields = new Map(flatten(hit._source));
  const first = (names: string[]) => {
    for (const name of names) {
      const v = fields.get(name);
      if (v !== undefined && v !== null && v !== '') return v;
    }
    return undefined;
  };
  const message = first(MESSAGES);
  return {
    id: hit._id,
    t: fields.has('@timestamp') ? timeOf(fields.get('@timestamp')) : Number(hit.sort?.[0] ?? 0),
    severity: severityOf(fields.get('severity_number'), first(LEVELS)),
    source: String(first(SOURCES) ?? hit._index ?? ''),
    message: message === undefined ? JSON.stringify(hit._source) : String(message).trimEnd(),
    traceId: String(first(['trace_id', 'trace.id', 'traceId', 'traceID']) ?? ''),
    hit,
  };
}

/** Newest first; what is in both lists counts once. */
export function mergeRows(fresh: LogRow[], old: LogRow[], max: number): LogRow[] {
  const seen = new Set(fresh.map((r) => r.id));
  const all = [...fresh, ...old.filter((r) => !seen.has(r.id))];
  return all.sort((a, b) => b.t - a.t).slice(0, max);
}

export interface LogPage {
  rows: LogRow[]; // newest first
  more: boolean; // older ones are left
}
export interface LogList extends LogPage {
  scope: string; // query and kind of window: another one starts afresh
  pending: number; // newer lines that wait until the list is scrolled to its top
}
export const NO_LOGS: LogList = { scope: '', rows: [], more: false, pending: 0 };

/** The list after its newest page was read again. A page without any known line leaves a gap, so the list starts anew with it. */
export function advance(old: LogList, page: LogPage, scope: string, atTop: boolean, oldest: number, max: number): LogList {
  const fresh = { ...page, scope, pending: 0 };
  if (scope !== old.scope) return fresh;
  const known = new Set(old.rows.map((r) => r.id));
  const unseen = page.rows.filter((r) => !known.has(r.id)).length;
  if (!atTop) return { ...old, pending: unseen };
  if (page.more && unseen === page.rows.length) return fresh;
  return { ...old, rows: mergeRows(page.rows, old.rows, max).filter((r) => r.t >= oldest), pending: 0 };
}

/** A phrase in Lucene's quotes. */
export const quote = (value: string): string => '"' + value.replace(/[\\"]/g, '\\$&') + '"';
/** A field name with the characters escaped that mean something in a query. */
const fieldName = (name: string): string => name.replace(/[\s+\-!(){}[\]^"~*?:\\/&|]/g, '\\$&');

export function clause(field: string, value: unknown): string {
  const text = String(value);
  const plain = typeof value === 'boolean' || (typeof value === 'number' && value >= 0) || /^[A-Za-z][A-Za-z0-9_.]*$/.test(text);
  return `${fieldName(field)}:${plain && !/^(AND|OR|NOT|TO)$/.test(text) ? text : quote(text)}`;
}

/** Adds a clause to a query, takes it away when it is there, and turns it round when its opposite is. */
export function toggleClause(query: string, text: string, exclude: boolean): string {
  const parts = splitAnd(query);
  const wanted = exclude ? 'NOT ' + text : text;
  const opposite = exclude ? text : 'NOT ' + text;
  const rest = parts.filter((p) => p !== wanted && p !== opposite);
  if (!parts.includes(wanted)) rest.push(wanted);
  return rest.join(' AND ');
}

/** The top-level parts of a query joined by AND; a part that holds OR on the top level is put in brackets. */
export function splitAnd(query: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let quoted = false;
  let from = 0;
  let hasOr = false;
  const take = (to: number) => {
    const part = query.slice(from, to).trim();
    if (part) parts.push(part);
  };
  for (let i = 0; i < query.length; i++) {
    const c = query[i];
    if (c === '\\') i++;
    else if (c === '"') quoted = !quoted;
    else if (!quoted && '([{'.includes(c)) depth++;
    else if (!quoted && ')]}'.includes(c)) depth--;
    else if (!quoted && depth === 0 && /\s/.test(c)) {
      if (query.startsWith('AND ', i + 1)) {
        take(i);
        from = i + 5;
        i += 4;
      } else if (query.startsWith('OR ', i + 1)) hasOr = true;
    }
  }
  take(query.length);
  return hasOr ? [`(${query.trim()})`] : parts;
}
/** Is this clause part of the query? */
export const hasClause = (query: string, text: string): boolean => splitAnd(query).includes(text);

export interface Piece {
  kind: 'text' | 'key' | 'value' | 'number';
  text: string;
}

/** A message cut for colouring: key=value pairs and numbers with their units. */
export function pieces(message: string): Piece[] {
  const out: Piece[] = [];
  const put = (kind: Piece['kind'], text: string) => text && out.push({ kind, text });
  let at = 0;
  for (const m of message.matchAll(/\b([a-zA-Z_][\w.-]*=)("[^"]*"|[^\s,;:)\]]+)|(?<![\w.:-])(\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?:ms|µs|us|ns|s|m|h|%|[KMGT]i?B?|B)?)(?![\w.-]|:\d)/g)) {
    put('text', message.slice(at, m.index));
    if (m[1]) {
      put('key', m[1]);
      put('value', m[2]);
    } else put('number', m[3]);
    at = m.index + m[0].length;
  }
  put('text', message.slice(at));
  return out;
}
