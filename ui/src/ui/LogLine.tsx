// One line of a log, and what opens under it: every field with a filter in and out, where it leads, and the lines around it.
import { useState } from 'preact/hooks';
import { analyze, logFilter, searchLogs, type Hit } from '../lib/api';
import { ansiPieces, hasAnsi, stripAnsi } from '../lib/ansi';
import { serviceColor } from '../lib/color';
import { T } from '../lib/i18n';
import { useData, utc } from '../lib/live';
import { clause, flatten, pieces, streamOf, toRow, type LogRow } from '../lib/logs';
import { clock } from '../lib/time';
import { href } from '../lib/url';
import { Copy, Failure } from './parts';

const LINE_MAX = 2000;
const AROUND = 10;
const DAY = 864e5;

export const asText = (v: unknown): string => (typeof v === 'string' ? v : JSON.stringify(v));
const isTrace = (id: string): boolean => /^[0-9a-f]{16,32}$/i.test(id);

/** A message with its own colours, or else with numbers and keys told apart. */
export function Message({ text, lines }: { text: string; lines: boolean }) {
  const short = text.length > LINE_MAX ? text.slice(0, LINE_MAX) : text;
  const shown = lines ? short : short.replace(/\s+/g, ' ');
  if (hasAnsi(shown)) return <>{ansiPieces(shown).map((p) => (p.cls || p.color ? <span class={p.cls} style={p.color ? { color: p.color } : undefined}>{p.text}</span> : p.text))}</>;
  return <>{pieces(shown).map((p) => (p.kind === 'number' ? <span class="nu">{p.text}</span> : p.kind === 'key' ? <span class="kv">{p.text}</span> : p.text))}</>;
}

export interface LineProps {
  row: LogRow | undefined;
  open: boolean;
  cursor: boolean;
  wrap: boolean;
  cols: string[];
  toggle: () => void;
  filter: (text: string, not: boolean) => string;
  column: (field: string) => void;
}

export function Line({ row, open, cursor, wrap, cols, toggle, filter, column }: LineProps) {
  if (!row) return null;
  const fields = cols.length ? new Map(flatten(row.hit._source)) : null;
  return (
    <div class={`lr ${row.severity}${open ? ' open' : cursor ? ' cur' : ''}${wrap ? ' wrap' : ''}`}>
      <div class="l1" onClick={() => !getSelection()?.toString() && toggle()}>
        <time>{clock(row.t, utc.value, { ms: true })}</time>
        <i class={'lv ' + row.severity} />
        <b class="svc" style={{ '--c': serviceColor(row.source) }}>{row.source}</b>
        {cols.map((c) => (
          <span class="cc" title={asText(fields!.get(c) ?? '')}>{asText(fields!.get(c) ?? '')}</span>
        ))}
        <code>
          <Message text={row.message} lines={wrap} />
        </code>
      </div>
      {open && <Detail row={row} cols={cols} filter={filter} column={column} />}
    </div>
  );
}

function Detail({ row, cols, filter, column }: Pick<LineProps, 'cols' | 'filter' | 'column'> & { row: LogRow }) {
  const fields = flatten(row.hit._source);
  const [around, setAround] = useState(false);
  const [words, setWords] = useState(false);
  const pod = fields.find(([k]) => k === 'kubernetes.pod_name' || k === 'k8s.pod.name')?.[1];
  const stream = streamOf(row.hit);
  return (
    <div class="dt">
      <pre>
        <Message text={row.message} lines />
      </pre>
      {words && <Words text={stripAnsi(row.message)} />}
      <div class="kvs">
        {[...fields, ['_index', row.hit._index] as [string, unknown], ['_id', row.id] as [string, unknown]].map(([k, v]) => (
          <div>
            <em title={k}>{k}</em>
            <span>{/trace/i.test(k) && isTrace(String(v)) ? <a class="lnk" href={href('/traces/' + String(v).toLowerCase())}>{asText(v)}</a> : asText(v)}</span>
            {typeof v !== 'object' && (
              <i class="io">
                <a title={T('only with this value')} aria-label={T('only with this value')} href={filter(clause(k, v), false)}>+</a>
                <a title={T('without this value')} aria-label={T('without this value')} href={filter(clause(k, v), true)}>−</a>
                <button aria-pressed={cols.includes(k)} title={T('as a column')} aria-label={T('as a column')} onClick={() => column(k)}>▥</button>
              </i>
            )}
          </div>
        ))}
      </div>
      <div class="jumps">
        {isTrace(row.traceId) && <a class="btn" href={href('/traces/' + row.traceId.toLowerCase())}>◇ {T('Trace')}</a>}
        {row.traceId && <a class="btn" href={href(null, { q: clause('trace_id', row.traceId), mode: null, open: row.id })}>{T('Lines of this trace')}</a>}
        {stream.length > 0 && (
          <button class="btn" aria-expanded={around} onClick={() => setAround(!around)}>
            {T('± lines of {0}', stream.map(([, v]) => v).join(' '))}
          </button>
        )}
        {pod !== undefined && <a class="btn" href={href('/metrics-explorer', { q: `container_memory_working_set_bytes{pod=${JSON.stringify(String(pod))}}`, from: row.t - 9e5, to: row.t + 3e5 })}>{T('Memory of this pod')}</a>}
        <button class="btn" aria-expanded={words} onClick={() => setWords(!words)}>{T('Words')}</button>
        <Copy text={stripAnsi(row.message)}>{T('Copy')}</Copy>
        <Copy text={JSON.stringify(row.hit._source, null, 2)}>JSON</Copy>
        <Copy text={location.origin + href(null, { from: row.t - 6e4, to: row.t + 1, open: row.id })}>{T('Copy link')}</Copy>
      </div>
      {around && <Around row={row} stream={stream} />}
    </div>
  );
}

/** What a search for single words can find in a text. */
function Words({ text }: { text: string }) {
  const { value, error } = useData(text, (s) => analyze(text.slice(0, LINE_MAX), s));
  return (
    <p class="words">
      <Failure error={error} />
      {value?.map((w) => <code>{w}</code>)}
    </p>
  );
}

async function neighbours(stream: [string, string][], from: Hit, older: boolean, signal: AbortSignal): Promise<LogRow[]> {
  const order = older ? 'desc' : 'asc';
  const t = Number(from.sort?.[0] ?? 0);
  const r = await searchLogs(
    {
      size: AROUND,
      query: logFilter(stream.map(([k, v]) => ({ term: { [k + '.keyword']: v } })), older ? t - DAY : t, older ? t : t + DAY),
      sort: [{ '@timestamp': { order, unmapped_type: 'date' } }, { _doc: order }],
      search_after: from.sort,
      track_total_hits: false,
    },
    signal,
  );
  return r.hits.hits.map(toRow);
}

/** The lines before and after one, of the same stream, whatever is searched for. */
function Around({ row, stream }: { row: LogRow; stream: [string, string][] }) {
  const [list, setList] = useState<{ newer: LogRow[]; older: LogRow[]; end: { newer: boolean; older: boolean } }>({ newer: [], older: [], end: { newer: false, older: false } });
  const [failed, setFailed] = useState<Error | null>(null);
  const first = useData(row.id, async (s) => Promise.all([neighbours(stream, row.hit, false, s), neighbours(stream, row.hit, true, s)]));
  const newer = [...(first.value?.[0] ?? []), ...list.newer];
  const older = [...(first.value?.[1] ?? []), ...list.older];
  const more = async (way: 'newer' | 'older') => {
    const all = way === 'newer' ? newer : older;
    try {
      const next = await neighbours(stream, all[all.length - 1]?.hit ?? row.hit, way === 'older', new AbortController().signal);
      setList((l) => ({ ...l, [way]: [...l[way], ...next], end: { ...l.end, [way]: next.length < AROUND } }));
      setFailed(null);
    } catch (e) {
      setFailed(e as Error);
    }
  };
  const line = (r: LogRow) => (
    <div class={`lr ${r.severity}${r === row ? ' open' : ''}`}>
      <div class="l1">
        <time>{clock(r.t, utc.value, { ms: true })}</time>
        <i class={'lv ' + r.severity} />
        <code><Message text={r.message} lines={false} /></code>
      </div>
    </div>
  );
  if (!first.value) return <Failure error={first.error} />;
  const button = (way: 'newer' | 'older', all: LogRow[]) =>
    all.length < AROUND || list.end[way] ? <p class="note">{way === 'newer' ? T('nothing newer') : T('nothing older')}</p> : <button class="note lnk" onClick={() => void more(way)}>{way === 'newer' ? T('newer lines') : T('older lines')}</button>;
  return (
    <div class="around">
      <Failure error={failed} />
      {button('newer', newer)}
      {[...newer].reverse().map(line)}
      {line(row)}
      {older.map(line)}
      {button('older', older)}
    </div>
  );
}
