// Where the series come from, and what to do about it: which label of a metric makes most of its series, and the Prometheus configuration that drops it.
import type { Labels } from './api';
import { labelCounts } from './series';

export interface Advice {
  metric: string;
  label: string;
  values: number;
  /** Series of the metric looked at, and how many would be left without the label. */
  series: number;
  left: number;
}

/** Without these a metric loses its meaning, or its samples collide. */
const NEEDED = new Set(['__name__', 'le', 'quantile', 'job', 'instance']);
const VALUES_MIN = 20; // fewer values are no flood

/** The label whose removal leaves the fewest series; null if no label stands out by halving them at least. */
export function labelToDrop(metric: string, all: Labels[]): Advice | null {
  let best: Advice | null = null;
  for (const { name, values } of labelCounts(all)) {
    if (NEEDED.has(name) || values.length < VALUES_MIN) continue;
    const left = new Set(all.map((l) => JSON.stringify(Object.entries(l).filter(([k]) => k !== name).sort()))).size;
    if (left * 2 <= all.length && (!best || left < best.left)) best = { metric, label: name, values: values.length, series: all.length, left };
  }
  return best;
}

const pattern = (name: string): string => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** For a scrape job of prometheus.yml: the label goes, from this metric alone or from all of the job. */
export function dropLabel(a: Advice, everywhere: boolean): string {
  if (everywhere) return `metric_relabel_configs:\n  - action: labeldrop\n    regex: ${pattern(a.label)}\n`;
  return `metric_relabel_configs:\n  - source_labels: [__name__]\n    regex: ${pattern(a.metric)}\n    target_label: ${a.label}\n    replacement: ""\n`;
}

/** For a scrape job of prometheus.yml: the whole metric goes. */
export const dropMetric = (metric: string): string => `metric_relabel_configs:\n  - source_labels: [__name__]\n    regex: ${pattern(metric)}\n    action: drop\n`;
