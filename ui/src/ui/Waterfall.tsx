// The spans of a trace on a time line: one row each, children below their parent, foldable; the critical path is underlined.
import { serviceColor } from '../lib/color';
import { dur } from '../lib/fmt';
import { T } from '../lib/i18n';
import type { Span, Trace } from '../lib/traces';
import { VList } from './VList';

interface WaterfallProps {
  trace: Trace;
  rows: Span[];
  at: number;
  closed: ReadonlySet<string>;
  hits: Set<Span> | null;
  choose: (s: Span) => void;
  fold: (s: Span) => void;
}

const QUARTERS = [0, 0.25, 0.5, 0.75, 1];
/** Deeper levels are not indented further: names must stay readable. */
const INDENT_MAX = 18;

export function Waterfall({ trace, rows, at, closed, hits, choose, fold }: WaterfallProps) {
  return (
    <div class="wf">
      <div class="wfh">
        <span>{T('Service · operation')}</span>
        <span class="ticks">
          {QUARTERS.map((q) => (
            <i style={{ left: `${q * 100}%` }}>{dur((trace.duration * q) / 1e3)}</i>
          ))}
        </span>
      </div>
      <VList
        n={rows.length}
        size={24}
        at={at}
        keyOf={(i) => i}
        row={(i) => rows[i] && <Row span={rows[i]} total={trace.duration || 1} on={i === at} folded={closed.has(rows[i].id)} dim={hits !== null && !hits.has(rows[i])} choose={choose} fold={fold} />}
      />
    </div>
  );
}

interface RowProps {
  span: Span;
  total: number;
  on: boolean;
  folded: boolean;
  dim: boolean;
  choose: (s: Span) => void;
  fold: (s: Span) => void;
}

function Row({ span: s, total, on, folded, dim, choose, fold }: RowProps) {
  const percent = (v: number) => `${((v / total) * 100).toFixed(3)}%`;
  const label = dur(s.duration / 1e3);
  const wide = s.duration / total > 0.12;
  const late = (s.start + s.duration) / total > 0.86;
  const where = wide ? { left: `calc(${percent(s.start)} + 6px)` } : late ? { right: `calc(${percent(total - s.start)} + 6px)` } : { left: `calc(${percent(s.start + s.duration)} + 6px)` };
  const toggle = (e: Event) => {
    e.stopPropagation();
    fold(s);
  };
  return (
    <div class={`wfr${on ? ' on' : ''}${s.error ? ' er' : ''}${dim ? ' dim' : ''}`} onClick={() => choose(s)}>
      <span class="nm" style={{ paddingLeft: `${8 + Math.min(s.depth, INDENT_MAX) * 12}px` }} title={`${s.service}: ${s.name}`}>
        {s.children.length > 0 ? <i onClick={toggle}>{folded ? '▸' : '▾'}</i> : <i />}
        <em style={{ background: serviceColor(s.service) }} />
        {s.error && <span class="bang">!</span>}
        <b>{s.service}</b>
        {s.name}
        {folded && <span class="t3">+{s.size - 1}</span>}
      </span>
      <span class="ln">
        {QUARTERS.slice(1, 4).map((q) => (
          <u style={{ left: `${q * 100}%` }} />
        ))}
        <i class={s.critical ? 'crit' : ''} style={{ left: percent(s.start), width: percent(s.duration), background: serviceColor(s.service) }} />
        {(s.raw.logs ?? []).slice(0, 20).map((l) => (
          <s style={{ left: percent(l.timestamp - (s.raw.startTime - s.start)) }} />
        ))}
        <small class={wide ? 'in' : ''} style={where}>
          {label}
        </small>
      </span>
    </div>
  );
}
