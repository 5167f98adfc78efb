// What the server knows by name, asked at most once in a while however many editors, lists and panels want it.
import { labelNames, labelValues, metadata, type Meta } from './api';
import { win } from './live';
import { families, type MetricRow } from './series';

const KEEP_MS = 30_000;
const ENTRIES_MAX = 200;
const kept = new Map<string, { at: number; value: Promise<unknown> }>();

/** The value of `load`, or the one it gave for this key within the last half minute. A failure is not kept. */
export function cached<T>(key: string, load: () => Promise<T>): Promise<T> {
  const old = kept.get(key);
  if (old && Date.now() - old.at < KEEP_MS) return old.value as Promise<T>;
  const value = load();
  kept.delete(key);
  kept.set(key, { at: Date.now(), value });
  if (kept.size > ENTRIES_MAX) kept.delete(kept.keys().next().value!);
  value.catch(() => kept.get(key)?.value === value && kept.delete(key));
  return value;
}

const never = new AbortController().signal;

const metricNames = (): Promise<string[]> => cached('names', () => labelValues('__name__', win.peek().a, win.peek().z, never));
export const metricMeta = (): Promise<Record<string, Meta[]>> => cached('metadata', () => metadata(never).catch(() => ({})));

/** Every metric as it is written in a query, with what is known of its family. */
export async function metricRows(): Promise<MetricRow[]> {
  const [names, meta] = await Promise.all([metricNames(), metricMeta()]);
  const of = new Map(families(names, meta).map((r) => [r.name, r]));
  return names.map((name) => {
    const whole = of.get(name) ?? of.get(name.replace(/_(bucket|count|sum)$/, ''));
    return { name, type: whole?.type ?? '', help: whole?.help ?? '' };
  });
}

/** The label names of what a selector selects. */
export const labelsOf = (match: string): Promise<string[]> => cached('labels ' + match, () => labelNames(match, win.peek().a, win.peek().z, never));
