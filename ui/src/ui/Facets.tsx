// The fields of the logs: with their types, and of those opened the most frequent values among the lines found.
import { useState } from 'preact/hooks';
import { logFilter, searchLogs, type LogField } from '../lib/api';
import { serviceColor, type Severity } from '../lib/color';
import { count } from '../lib/fmt';
import { T } from '../lib/i18n';
import { useData, win } from '../lib/live';
import { clause, dslOf, hasPill, partsOf, severityOf, type Search } from '../lib/logs';
import { go, href, param } from '../lib/url';
import { Failure } from './parts';

/** Opened at first: of each line the first field there is. */
const FIRST = [
  ['level', 'severity_text', 'log.level', 'severity'],
  ['service.name', 'kubernetes.container_name', 'host.name'],
  ['k8s.namespace.name', 'kubernetes.namespace_name', 'log.file.path'],
];
const VALUES_SHOWN = 10;
const FIELDS_SHOWN = 300;

const MARK: Record<string, string> = { keyword: 't', text: 't', long: '#', double: '#', integer: '#', float: '#', boolean: '◐', date: '◷' };
const isLevel = (field: string): boolean => /(^|\.)(level|severity|severity_text)$/.test(field);
const isService = (field: string): boolean => /service\.name$|container_name$/.test(field);
const levelOf = (text: string): Severity => severityOf(0, text);

export interface Bucket {
  key: string | number;
  key_as_string?: string;
  doc_count: number;
}

interface FacetsProps {
  search: Search;
  fields: LogField[];
  cols: string[];
  filter: (text: string, not: boolean) => string;
  column: (field: string) => void;
}

export function Facets({ search, fields, cols, filter, column }: FacetsProps) {
  const known = new Map(fields.map((f) => [f.name, f]));
  const opened = param('f') ? param('f').split(',') : FIRST.flatMap((names) => names.find((f) => known.has(f)) ?? []);
  const [find, setFind] = useState('');
  const flip = (f: string) => {
    const next = opened.includes(f) ? opened.filter((x) => x !== f) : [...opened.filter((x) => x !== 'none'), f];
    go(href(null, { f: next.join(',') || 'none' }), true);
  };
  const rest = fields.filter((f) => !opened.includes(f.name) && f.name !== '@timestamp' && (!find || f.name.toLowerCase().includes(find.toLowerCase())));
  const mark = (type = '') => <i class="ft" title={type}>{MARK[type] ?? '?'}</i>;
  const asColumn = (f: string) => (
    <button class={'pc' + (cols.includes(f) ? ' on' : '')} aria-pressed={cols.includes(f)} title={T('as a column')} aria-label={`${T('as a column')}: ${f}`} onClick={() => column(f)}>▥</button>
  );
  return (
    <aside class="fac">
      <label>
        <input type="search" aria-label={T('Find a field')} placeholder={T('Find a field')} value={find} onInput={(e) => setFind(e.currentTarget.value)} />
        <span class="m">{fields.length}</span>
      </label>
      <div class="scroll">
        {opened.filter((f) => f !== 'none').map((f) => (
          <div key={f}>
            <h3>
              {mark(known.get(f)?.type)}
              <span class="cut grow">{f}</span>
              {asColumn(f)}
              <button class="t3" title={T('close')} aria-label={`${T('close')}: ${f}`} onClick={() => flip(f)}>×</button>
            </h3>
            <Values search={search} field={f} exact={known.get(f)?.exact ?? f} filter={filter} />
          </div>
        ))}
        {rest.slice(0, FIELDS_SHOWN).map((f) => (
          <div class="fv t2" key={f.name}>
            {mark(f.type)}
            <button class="cut grow" onClick={() => flip(f.name)}>{f.name}</button>
            {asColumn(f.name)}
          </div>
        ))}
        {rest.length > FIELDS_SHOWN && <p class="fv t3">{T('{0} more fields', rest.length - FIELDS_SHOWN)}</p>}
      </div>
    </aside>
  );
}

/** A click keeps only a value, the minus takes it out. */
function Values({ search, field, exact, filter }: { search: Search; field: string; exact: string; filter: FacetsProps['filter'] }) {
  const w = win.value;
  const { value, error } = useData(
    `${exact} ${dslOf(search)} ${w.relative ? w.z - w.a : w.a}`,
    (s) => searchLogs({ size: 0, query: logFilter(partsOf(search), w.a, w.z), aggs: { top: { terms: { field: exact, size: VALUES_SHOWN } } } }, s),
    `${w.a} ${w.z}`,
  );
  const buckets: Bucket[] = value?.aggregations?.top?.buckets ?? [];
  const rest: number = value?.aggregations?.top?.sum_other_doc_count ?? 0;
  const sum = buckets.reduce((n, b) => n + b.doc_count, rest) || 1;
  return (
    <>
      <Failure error={error} />
      {buckets.map((b) => {
        const text = String(b.key_as_string ?? b.key);
        const one = clause(field, b.key_as_string ?? b.key);
        return (
          <div class="fv" key={text}>
            {isLevel(field) ? <i class={'lv ' + levelOf(text)} /> : isService(field) ? <i class="sw" style={{ background: serviceColor(text) }} /> : null}
            <a class={'cut grow' + (hasPill(search.pills, one) ? ' w' : '')} title={text} href={filter(one, false)}>{text || '""'}</a>
            <a class="minus" title={T('without this value')} aria-label={`${T('without this value')}: ${text}`} href={filter(one, true)}>−</a>
            <em>{count(b.doc_count)}</em>
            <u style={{ width: `${(b.doc_count / sum) * 100}%` }} />
          </div>
        );
      })}
      {rest > 0 && <p class="fv t3">{T('{0} in other values', count(rest))}</p>}
      {value && buckets.length === 0 && <p class="fv t3">{T('none')}</p>}
    </>
  );
}
