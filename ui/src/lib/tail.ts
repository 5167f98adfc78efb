// The log as it comes in, while a page shows a live window: a connection that is made again when it breaks.
import { useEffect, useRef } from 'preact/hooks';
import { ApiError, followLogs, isAbort, type TailNews } from './api';

const AGAIN_MS = 2000;

/** Calls onNews with new lines while `on`; a query the server refuses is not asked again. */
export function useTail(dsl: string, on: boolean, onNews: (n: TailNews) => void): void {
  const latest = useRef(onNews);
  latest.current = onNews;
  useEffect(() => {
    if (!on) return;
    const stop = new AbortController();
    let timer = 0;
    const follow = () =>
      void followLogs(dsl, (n) => latest.current(n), stop.signal).catch((e: Error) => {
        const refused = e instanceof ApiError && e.status >= 400 && e.status < 500 && e.status !== 429;
        if (!isAbort(e) && !stop.signal.aborted && !refused) timer = setTimeout(follow, AGAIN_MS) as unknown as number;
      });
    follow();
    return () => (stop.abort(), clearTimeout(timer));
  }, [dsl, on]);
}
