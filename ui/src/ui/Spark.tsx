// Small marks for table cells.

interface SparkProps {
  v: (number | null)[];
  color?: string;
  w?: number;
  h?: number;
  max?: number;
}

/** A line over its own zero-based scale; gaps stay gaps. */
export function Spark({ v, color = 'var(--acc)', w = 92, h = 22, max }: SparkProps) {
  const top = max ?? (Math.max(...v.map((x) => x ?? 0)) * 1.08 || 1);
  const x = (i: number) => ((i / Math.max(1, v.length - 1)) * w).toFixed(1);
  const y = (n: number) => (h - 1 - (Math.min(n, top) / top) * (h - 3)).toFixed(1);
  let line = '';
  let area = '';
  let run = -1;
  v.forEach((n, i) => {
    if (n === null || !Number.isFinite(n)) {
      if (run >= 0) area += `L${x(i - 1)} ${h}L${x(run)} ${h}Z`;
      return void (run = -1);
    }
    const step = `${run < 0 ? 'M' : 'L'}${x(i)} ${y(n)}`;
    if (run < 0) run = i;
    line += step;
    area += step;
  });
  if (run >= 0) area += `L${x(v.length - 1)} ${h}L${x(run)} ${h}Z`;
  return (
    <svg class="spark" width={w} height={h} viewBox={`0 0 ${w} ${h}`} aria-hidden="true">
      <path d={area} fill={color} opacity=".12" />
      <path d={line} fill="none" stroke={color} stroke-width="1.15" />
    </svg>
  );
}

/** A share 0..1 of something that can fill up. */
export const Bar = ({ v, w }: { v: number; w?: number }) => (
  <span class="bar" style={w ? { width: w } : undefined}>
    <i style={{ width: `${Math.min(100, Math.max(0, v * 100))}%`, background: v > 0.9 ? 'var(--err)' : v > 0.75 ? 'var(--warn)' : 'var(--acc)' }} />
  </span>
);
