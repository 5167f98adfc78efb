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
  waiting: LogRow[]; // newer lines, until the list is scrolled to its top
  missed: number; // as many more are newer and not here
  gap: boolean; // lines are missing between those waiting, or to come, and those shown
}
export const NO_LOGS: LogList = { scope: '', rows: [], more: false, waiting: [], missed: 0, gap: false };
const WAITING_MAX = 2000;

/**
 * The list with newer lines: put in, or kept waiting while it is not at its top. After a gap (lines were skipped, or `full`, a page that is full of
 * unknown ones) the list starts anew with what came behind it: the lines in between are read again when it is scrolled down.
 */
export function arrive(list: LogList, rows: LogRow[], skipped: number, full: boolean, atTop: boolean, oldest: number, max: number): LogList {
  const known = new Set([...list.rows, ...list.waiting].map((r) => r.id));
  const unseen = rows.filter((r) => !known.has(r.id));
  const torn = skipped > 0 || (full && rows.length > 0 && unseen.length === rows.length);
  const gap = torn || list.gap;
  if (!atTop) {
    if (!unseen.length && !torn) return list;
    const waiting = torn ? unseen : mergeRows(unseen, list.waiting, WAITING_MAX);
    return { ...list, waiting, gap, missed: list.missed + skipped + unseen.length + list.waiting.length - waiting.length };
  }
  const fresh = torn ? rows : mergeRows(rows, list.waiting, max);
  if (gap && !fresh.length) return { ...list, gap };
  if (gap) return { ...list, rows: fresh, more: true, waiting: [], missed: 0, gap: false };
  return { ...list, rows: mergeRows(fresh, list.rows, max).filter((r) => r.t >= oldest), waiting: [], missed: 0 };
}

/** The list after its newest page was read again. */
export function advance(old: LogList, page: LogPage, scope: string, atTop: boolean, oldest: number, max: number): LogList {
  if (scope !== old.scope) return { ...NO_LOGS, ...page, scope };
  return arrive(old, page.rows, 0, page.more, atTop, oldest, max);
}

/** What tells where a line came from: the fields and values of the most particular source it names. */
const STREAMS = [
  ['kubernetes.pod_name', 'kubernetes.container_name'],
  ['k8s.pod.name', 'k8s.container.name'],
  ['log.file.path'],
  ['service.instance.id'],
  ['host.name', 'service.name'],
  ['service.name'],
  ['container_name'],
  ['hostname', 'appname'],
  ['host'],
];
export function streamOf(hit: Hit): [string, string][] {
  const fields = new Map(flatten(hit._source));
  for (const names of STREAMS) {
    const found = names.filter((n) => typeof fields.get(n) === 'string' && fields.get(n) !== '');
    if (found[0] === names[0]) return found.map((n) => [n, fields.get(n) as string]);
  }
  return [];
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

/** The clauses of a query's top level, without the words between them. What is quoted, in brackets or in slashes stays whole. */
export function clausesOf(query: string): { text: string; not: boolean }[] {
  const words: string[] = [];
  let depth = 0;
  let close = ''; // of the quotes or slashes we are in
  let word = '';
  for (let i = 0; i < query.length; i++) {
    const c = query[i];
    if (c === '\\') word += c + (query[++i] ?? '');
    else if (close) (word += c), c === close && (close = '');
    else if (c === '"' || (c === '/' && /(^|[:(])$/.test(word))) (word += c), (close = c);
    else if (/\s/.test(c) && depth === 0) word && words.push(word), (word = '');
    else (word += c), (depth = Math.max(0, depth + ('([{'.includes(c) ? 1 : ')]}'.includes(c) ? -1 : 0)));
  }
  if (word) words.push(word);
  const out: { text: string; not: boolean }[] = [];
  let not = false;
  for (const w of words) {
    if (/^(AND|OR|&&|\|\|)$/.test(w)) continue;
    if (/^(NOT|!)$/.test(w)) not = true;
    else {
      const sign = /^[-!+](?=.)/.exec(w)?.[0] ?? '';
      out.push({ text: w.slice(sign.length), not: not || sign === '-' || sign === '!' });
      not = false;
    }
  }
  return out;
}

/** The field of a clause, unescaped, and the rest; field '' when it names none. */
export function fieldOf(text: string): { field: string; value: string } {
  const m = /^((?:[^\s:\\"(/]|\\.)+):(.*)$/s.exec(text);
  return m ? { field: m[1].replace(/\\(.)/g, '$1'), value: m[2] } : { field: '', value: text };
}

// --- what is searched for: a text in one of three languages, and filters beside it

export const MODES = ['lucene', 'kql', 'text'] as const;
export type Mode = (typeof MODES)[number];
export interface Pill {
  text: string; // a Lucene clause
  not: boolean;
  off: boolean;
  pin: boolean; // stays when the rest is replaced
}
export interface Search {
  q: string;
  mode: Mode;
  pills: Pill[];
}

const pillText = (p: Pill): string => (p.not ? '-' : '+') + (p.off ? '~' : '') + (p.pin ? '^' : '') + ' ' + p.text;
/** Pills as text for the URL, a JSON list; empty: none. */
export const pillsText = (pills: Pill[]): string => (pills.length ? JSON.stringify(pills.map(pillText)) : '');
export function readPills(text: string): Pill[] {
  try {
    const all: unknown = JSON.parse(text || '[]');
    if (!Array.isArray(all)) return [];
    return all.flatMap((one) => {
      const m = /^([-+])(~?)(\^?) (.+)$/s.exec(String(one));
      return m ? [{ not: m[1] === '-', off: m[2] !== '', pin: m[3] !== '', text: m[4] }] : [];
    });
  } catch {
    return [];
  }
}

/** Adds a filter, takes it away when it is there, turns it round when its opposite is, switches it on when it is off. */
export function togglePill(pills: Pill[], text: string, not: boolean): Pill[] {
  const at = pills.findIndex((p) => p.text === text);
  if (at < 0) return [...pills, { text, not, off: false, pin: false }];
  const old = pills[at];
  if (old.not === not && !old.off) return pills.filter((_, i) => i !== at);
  return pills.map((p, i) => (i === at ? { ...p, not, off: false } : p));
}
export const hasPill = (pills: Pill[], text: string): boolean => pills.some((p) => p.text === text && !p.not && !p.off);

export const lucene = (query: string): object => ({ query_string: { query, analyze_wildcard: true, default_operator: 'AND' } });
/** Plain text anywhere in the message, whatever its case. */
export const substring = (text: string): object => ({
  bool: { should: MESSAGES.map((f) => ({ wildcard: { [f + '.keyword']: { value: '*' + text.replace(/[\\*?]/g, '\\$&') + '*', case_insensitive: true } } })), minimum_should_match: 1 },
});
const inMode: Record<Mode, (q: string) => object> = { lucene, kql: (query) => ({ kql: { query } }), text: substring };
export const modeQuery = (q: string, mode: Mode): object => inMode[mode](q);

/** The parts of a search that must all hold, in Elasticsearch's language. */
export const partsOf = (s: Search): object[] => [
  ...(s.q.trim() ? [modeQuery(s.q, s.mode)] : []),
  ...s.pills.filter((p) => !p.off).map((p) => lucene(p.not ? 'NOT ' + p.text : p.text)),
];
/** The same as one query for the server's own endpoints; empty: everything. */
export const dslOf = (s: Search): string => {
  const parts = partsOf(s);
  return parts.length ? JSON.stringify({ bool: { filter: parts } }) : '';
};

/** The lines of a shape: its holes are wild. */
export const patternClause = (field: string, text: string): string =>
  fieldName(field) + '.keyword:' + text.replace(/\u2039\*\u203a/g, '\0').replace(/[\s+\-!(){}[\]^"~*?:\\/&|]/g, '\\$&').replace(/\0/g, '*').replace(/\**$/, '*');

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
