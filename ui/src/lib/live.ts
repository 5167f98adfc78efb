// The chosen window and its clock. `win` moves on by itself while it is relative and live; `useData` reads again whenever it moves.
import { computed, effect, signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { isAbort } from './api';
import { parseWindow, refreshMs, type Window } from './time';
import { param } from './url';

const now = signal(Date.now());

export const win = computed<Window>(() => parseWindow(param('from'), param('to'), now.value));
export const live = computed(() => win.value.relative && param('live') !== 'off');
export const utc = computed(() => param('tz') === 'utc');

export const refresh = (): void => void (now.value = Date.now());

let timer = 0;
const schedule = (): void => {
  clearTimeout(timer);
  if (!live.value || document.hidden) return;
  timer = setTimeout(() => {
    refresh();
    schedule();
  }, refreshMs(win.peek())) as unknown as number;
};

export function startClock(): void {
  effect(schedule);
  addEventListener('visibilitychange', () => {
    if (!document.hidden && live.value) refresh();
    schedule();
  });
}

export interface Data<T> {
  value: T | null;
  error: Error | null;
  busy: boolean;
}

/**
 * Loads something again whenever `key` changes (null: nothing to load); what was under way is given up, what was there stays on screen until the new is
 * here. `tick` is the time it was asked for: when only that moves on, an answer under way is waited for first, so that a slow one comes at all.
 */
export function useData<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>, tick = ''): Data<T> {
  const [data, set] = useState<Data<T>>({ value: null, error: null, busy: key !== null });
  const latest = useRef({ load, tick });
  latest.current = { load, tick };
  const job = useRef<{ stop: AbortController; tick: string } | null>(null);
  const begin = () => {
    const mine = { stop: new AbortController(), tick: latest.current.tick };
    job.current = mine;
    set((d) => (d.busy ? d : { ...d, busy: true }));
    const done = (next: (d: Data<T>) => Data<T>) => {
      if (job.current !== mine) return;
      job.current = null;
      set(next);
      if (latest.current.tick !== mine.tick) begin();
    };
    latest.current.load(mine.stop.signal).then(
      (value) => done(() => ({ value, error: null, busy: false })),
      (error: Error) => isAbort(error) || done((d) => ({ value: d.value, error, busy: false })),
    );
  };
  useEffect(() => {
    if (key === null) return set({ value: null, error: null, busy: false });
    begin();
    return () => {
      job.current?.stop.abort();
      job.current = null;
    };
  }, [key]);
  useEffect(() => {
    if (key !== null && !job.current) begin();
  }, [tick]);
  return data;
}
