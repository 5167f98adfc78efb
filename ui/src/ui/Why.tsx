// Why a search finds nothing, or less than expected: how many lines each of its clauses finds by itself, what words it was cut into, whether its field
// exists, whether the text is there in another form, and whether the lines lie outside of the window.
import { analyze, logFilter, searchLogs, type LogField } from '../lib/api';
import { count } from '../lib/fmt';
import { T } from '../lib/i18n';
import { useData, utc, win } from '../lib/live';
import { clausesOf, dslOf, fieldOf, lucene, modeQuery, partsOf, substring, type Search } from '../lib/logs';
import { clock } from '../lib/time';
import { href } from '../lib/url';
import { Failure } from './parts';

const CLAUSES_MAX = 12;

interface Clause {
  text: string;
  not: boolean;
  query: object;
  bare: string; // the value, without field, quotes and wildcards
  field: string;
}

function clausesIn(s: Search): Clause[] {
  const of = (text: string, not: boolean): Clause => {
    const { field, value } = fieldOf(text);
    return { text, not, query: lucene(text), field, bare: /^[[{(/><]/.test(value) ? '' : value.replace(/^"|"(~\d*)?(\^[\d.]+)?$/g, '').replace(/\\(.)/g, '$1').replace(/[*?]|~\d?$/g, '') };
  };
  const own = s.mode === 'lucene' ? clausesOf(s.q).map((c) => of(c.text, c.not)) : s.q.trim() ? [{ text: s.q, not: false, query: modeQuery(s.q, s.mode), field: '', bare: s.mode === 'text' ? '' : s.q }] : [];
  return [...own, ...s.pills.filter((p) => !p.off).map((p) => of(p.text, p.not))].slice(0, CLAUSES_MAX);
}

/** How many letters must be put in, taken out or changed to get from one to the other. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let k = 1; k <= b.length; k++) next[k] = Math.min(row[k] + 1, next[k - 1] + 1, row[k - 1] + (a[i - 1] === b[k - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length];
}

/** A field that may have been meant: the same but for its path, or but for a letter or two. */
export function nearest(name: string, fields: string[]): string {
  const low = name.toLowerCase();
  const tail = fields.find((f) => f.toLowerCase() === low || f.toLowerCase().endsWith('.' + low) || low.endsWith('.' + f.toLowerCase()));
  return tail ?? fields.map((f) => [distance(low, f.toLowerCase()), f] as const).sort((a, b) => a[0] - b[0]).find(([d]) => d <= 2)?.[1] ?? '';
}

async function ask(s: Search, clauses: Clause[], a: number, z: number, signal: AbortSignal) {
  const filters = Object.fromEntries(clauses.flatMap((c, i) => [['c' + i, c.query], ...(c.bare ? [['t' + i, substring(c.bare)]] : [])]));
  const [inside, outside, words] = await Promise.all([
    searchLogs({ size: 0, query: logFilter([], a, z), track_total_hits: true, aggs: { by: { filters: { filters } } } }, signal),
    searchLogs({ size: 1, query: { bool: { filter: partsOf(s) } }, sort: [{ '@timestamp': { order: 'desc', unmapped_type: 'date' } }], track_total_hits: true }, signal),
    Promise.all(clauses.map((c) => (c.bare ? analyze(c.bare, signal) : []))),
  ]);
  const by: Record<string, { doc_count: number }> = inside.aggregations?.by?.buckets ?? {};
  return {
    all: inside.hits.total.value,
    rows: clauses.map((c, i) => ({ ...c, hits: by['c' + i]?.doc_count ?? 0, plain: by['t' + i]?.doc_count ?? 0, words: words[i] })),
    outside: outside.hits.total.value,
    newest: Number(outside.hits.hits[0]?.sort?.[0] ?? 0),
  };
}

export function Why({ search, fields }: { search: Search; fields: LogField[] }) {
  const w = win.value;
  const clauses = clausesIn(search);
  const { value, error } = useData(`${dslOf(search)} ${w.relative ? w.z - w.a : w.a}`, (s) => ask(search, clauses, w.a, w.z, s));
  const names = fields.map((f) => f.name);
  if (!value) return <Failure error={error} />;
  return (
    <div class="why">
      <h3>{T('Why: what each part finds by itself, of {0} lines in this window', count(value.all))}</h3>
      {value.rows.map((r) => {
        const unknown = r.field && names.length > 0 && !names.includes(r.field.replace(/\.keyword$/, '')) && !/^(_|@)|\*/.test(r.field);
        const meant = unknown ? nearest(r.field, names) : '';
        return (
          <div class="wr">
            <em class={r.hits ? '' : 'e'}>{count(r.hits)}</em>
            <code>{r.not ? 'NOT ' : ''}{r.text}</code>
            <span class="t3">
              {r.words.length > 0 && <>{T('words:')} {r.words.map((x) => <code class="tok">{x}</code>)} </>}
              {unknown && T('no field is called {0}', r.field)}
              {meant && <a class="lnk" href={href(null, { q: search.q.replace(r.field + ':', meant + ':') })}> {T('did you mean {0}?', meant)}</a>}
              {!r.not && r.bare && r.plain > r.hits && <a class="lnk" href={href(null, { q: r.bare, mode: 'text' })}> {T('as plain text: {0} lines', count(r.plain))}</a>}
            </span>
          </div>
        );
      })}
      {value.outside > 0 && (
        <p>
          <a class="lnk" href={href(null, { from: value.newest - 18e5, to: value.newest + 1 })}>
            {T('{0} lines match at any time, the newest at {1}', count(value.outside), clock(value.newest, utc.value, { day: true }))}
          </a>
        </p>
      )}
    </div>
  );
}
