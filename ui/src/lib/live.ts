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

/** Loads something again whenever `key` changes (null: nothing to load). What was there stays on screen until the new is here. */
export function useData<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>): Data<T> {
  const [data, set] = useState<Data<T>>({ value: null, error: null, busy: key !== null });
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    if (key === null) return set({ value: null, error: null, busy: false });
    const stop = new AbortController();
    set((d) => (d.busy ? d : { ...d, busy: true }));
    latest.current(stop.signal).then(
      (value) => stop.signal.aborted || set({ value, error: null, busy: false }),
      (error: Error) => isAbort(error) || set((d) => ({ value: d.value, error, busy: false })),
    );
    return () => stop.abort();
  }, [key]);
  return data;
}
