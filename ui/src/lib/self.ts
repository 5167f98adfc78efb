// What the process itself costs: its status, read every few seconds while the page is in sight, and the rates between two readings.
import { signal } from '@preact/signals';
import { status, type Status } from './api';

export interface Rates {
  samples: number;
  logs: number;
  spans: number;
  cpu: number; // cores
}

export const self = signal<Status | null>(null);
export const rates = signal<Rates | null>(null);
/** The server did not answer the last time. */
export const lost = signal(false);

const EVERY_MS = 5000;
/** Scrapes come in bursts: rates are taken over half a minute of readings. */
const READINGS = 7;
let readings: Status[] = [];

export function ratesBetween(old: Status, now: Status): Rates | null {
  const s = (now.now_ms - old.now_ms) / 1e3;
  if (s <= 0 || now.start_ms !== old.start_ms) return null;
  const per = (a: number, b: number) => Math.max(0, (b - a) / s);
  return {
    samples: per(old.metrics.received, now.metrics.received),
    logs: per(old.logs.received, now.logs.received),
    spans: per(old.spans.received, now.spans.received),
    cpu: per(old.process.cpu_ms, now.process.cpu_ms) / 1e3,
  };
}

async function read(): Promise<void> {
  try {
    const now = await status(AbortSignal.timeout(EVERY_MS));
    readings = [...readings.filter((r) => r.start_ms === now.start_ms), now].slice(-READINGS);
    rates.value = ratesBetween(readings[0], now);
    self.value = now;
    lost.value = false;
  } catch {
    lost.value = true;
  }
}

export function watchSelf(): void {
  let timer = 0;
  const next = async (): Promise<void> => {
    clearTimeout(timer);
    if (document.hidden) return;
    await read();
    timer = setTimeout(next, EVERY_MS) as unknown as number;
  };
  addEventListener('visibilitychange', () => void next());
  void next();
}

/** Bytes on disk: parts of all stores and the log. */
export const diskBytes = (s: Status): number => (s.metrics.part_bytes ?? 0) + s.logs.part_bytes + s.spans.part_bytes + (s.wal?.bytes ?? 0);
