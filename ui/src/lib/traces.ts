// Jaeger's traces as trees in time order, and what can be told from them.
import type { JaegerSpan, JaegerTrace, Tag } from './api';

export interface Span {
  id: string;
  parent: Span | null;
  children: Span[];
  depth: number;
  size: number; // spans of the subtree, itself included
  service: string;
  name: string;
  start: number; // µs since the trace's start
  duration: number; // µs
  error: boolean;
  critical: boolean;
  raw: JaegerSpan;
  process: Tag[];
}

export interface Trace {
  id: string;
  start: number; // µs, Unix time
  duration: number; // µs
  roots: Span[];
  /** Depth first, children by start: the order of the waterfall. */
  spans: Span[];
  services: string[];
  errors: number;
}

export const tag = (tags: Tag[], key: string): unknown => tags.find((t) => t.key === key)?.value;

const isError = (tags: Tag[]): boolean => {
  const e = tag(tags, 'error');
  return e === true || e === 'true' || tag(tags, 'otel.status_code') === 'ERROR';
};

export function buildTrace(t: JaegerTrace): Trace {
  const byId = new Map<string, Span>();
  let start = Infinity;
  let end = 0;
  for (const s of t.spans) {
    start = Math.min(start, s.startTime);
    end = Math.max(end, s.startTime + s.duration);
  }
  const all = t.spans.map((raw): Span => {
    const process = t.processes[raw.processID];
    return {
      id: raw.spanID,
      parent: null,
      children: [],
      depth: 0,
      size: 1,
      service: process?.serviceName ?? '',
      name: raw.operationName,
      start: raw.startTime - start,
      duration: raw.duration,
      error: isError(raw.tags),
      critical: false,
      raw,
      process: process?.tags ?? [],
    };
  });
  for (const s of all) byId.set(s.id, s);
  const roots: Span[] = [];
  for (const s of all) {
    const up = s.raw.references?.find((r) => r.refType === 'CHILD_OF' && r.traceID === s.raw.traceID) ?? s.raw.references?.find((r) => r.traceID === s.raw.traceID);
    const parent = up ? byId.get(up.spanID) : undefined;
    if (parent && !descends(parent, s)) {
      s.parent = parent;
      parent.children.push(s);
    } else roots.push(s);
  }
  const spans = order(roots);
  for (const r of roots) markCritical(r);
  return {
    id: t.traceID,
    start: start === Infinity ? 0 : start,
    duration: Math.max(0, end - start),
    roots,
    spans,
    services: [...new Set(spans.map((s) => s.service))],
    errors: spans.reduce((n, s) => n + Number(s.error), 0),
  };
}

/** Broken data may hold circles: is `span` already above (or the same as) `other`? */
function descends(span: Span, other: Span): boolean {
  for (let s: Span | null = span; s; s = s.parent) if (s === other) return true;
  return false;
}

/** Depth first without recursion: traces can be thousands deep. Sets depth and size. */
function order(roots: Span[]): Span[] {
  const byStart = (a: Span, b: Span) => a.start - b.start || b.duration - a.duration;
  const out: Span[] = [];
  const todo = roots.sort(byStart).slice().reverse();
  while (todo.length) {
    const s = todo.pop()!;
    s.depth = s.parent ? s.parent.depth + 1 : 0;
    out.push(s);
    s.children.sort(byStart);
    for (let i = s.children.length - 1; i >= 0; i--) todo.push(s.children[i]);
  }
  for (let i = out.length - 1; i >= 0; i--) if (out[i].parent) out[i].parent!.size += out[i].size;
  return out;
}

/** The critical path: going back from the end of a span, the child that ended last before that moment is what the span waited for. */
function markCritical(root: Span): void {
  const todo: [Span, number][] = [[root, root.start + root.duration]];
  while (todo.length) {
    const [s, until] = todo.pop()!;
    s.critical = true;
    let at = Math.min(until, s.start + s.duration);
    const byEnd = s.children.slice().sort((a, b) => b.start + b.duration - (a.start + a.duration));
    for (const c of byEnd) {
      const end = c.start + c.duration;
      if (end > at || c.start < s.start) continue;
      todo.push([c, at]);
      at = c.start;
    }
  }
}

/** Time of a span in which none of its children ran, µs. */
export function selfTime(s: Span): number {
  let covered = 0;
  let at = s.start;
  const end = s.start + s.duration;
  for (const c of s.children) {
    const from = Math.max(c.start, at);
    const to = Math.min(c.start + c.duration, end);
    if (to > from) {
      covered += to - from;
      at = to;
    }
  }
  return s.duration - covered;
}

/** Rows of the waterfall when the spans in `closed` are folded. */
export function visibleSpans(t: Trace, closed: ReadonlySet<string>): Span[] {
  if (closed.size === 0) return t.spans;
  const out: Span[] = [];
  for (let i = 0; i < t.spans.length; ) {
    const s = t.spans[i];
    out.push(s);
    i += closed.has(s.id) ? s.size : 1;
  }
  return out;
}

export interface Found {
  id: string;
  start: number; // ms
  duration: number; // ms
  name: string;
  service: string;
  spans: number;
  services: string[];
  errors: number;
}

/** One line of a result list. The whole trace lasts as long as its spans do together. */
export function summarise(t: JaegerTrace): Found {
  let start = Infinity;
  let end = 0;
  let errors = 0;
  const ids = new Set(t.spans.map((s) => s.spanID));
  let root: JaegerSpan | null = null;
  for (const s of t.spans) {
    start = Math.min(start, s.startTime);
    end = Math.max(end, s.startTime + s.duration);
    if (isError(s.tags)) errors++;
    const orphan = !s.references?.some((r) => ids.has(r.spanID));
    if (orphan && (!root || s.startTime < root.startTime)) root = s;
  }
  const service = (s: JaegerSpan | null) => (s && t.processes[s.processID]?.serviceName) ?? '';
  return {
    id: t.traceID,
    start: start / 1e3,
    duration: (end - start) / 1e3,
    name: root?.operationName ?? '',
    service: service(root),
    spans: t.spans.length,
    services: [...new Set(t.spans.map(service))],
    errors,
  };
}

/** `key=value key2="two words"` as Jaeger's search form writes tags; null: not of that form. */
export function parseTags(text: string): Record<string, string> | null {
  const out: Record<string, string> = {};
  const rest = text.replace(/([\w.\-/:@]+)=("((?:[^"\\]|\\.)*)"|\S*)/g, (_, key: string, value: string, quoted?: string) => {
    out[key] = quoted === undefined ? value : quoted.replace(/\\(.)/g, '$1');
    return '';
  });
  return rest.trim() === '' ? out : null;
}

/** Does a span hold the text anywhere a person would look? */
export function spanHas(s: Span, lower: string): boolean {
  const has = (v: unknown) => String(v).toLowerCase().includes(lower);
  const anyTag = (tags: Tag[]) => tags.some((t) => has(t.key) || has(t.value) || has(`${t.key}=${t.value}`));
  return has(s.name) || has(s.service) || s.id === lower || anyTag(s.raw.tags) || anyTag(s.process) || (s.raw.logs ?? []).some((l) => anyTag(l.fields));
}
