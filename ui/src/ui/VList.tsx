// A list that keeps only the rows in sight in the document. All rows have one height, but for one that may be open: that one is measured. With `grow`
// every row may be taller: each is measured when it is drawn, and what is in sight stays where it is.
import type { ComponentChildren } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';

interface VListProps {
  n: number;
  size: number; // px
  row: (i: number) => ComponentChildren;
  keyOf?: (i: number) => string | number;
  /** The row that may be taller than the others; -1: none. */
  open?: number;
  /** Rows may be taller than `size`. */
  grow?: boolean;
  /** Kept in sight when it changes. */
  at?: number;
  /** Called when the last rows come into sight. */
  onEnd?: () => void;
  /** Called with true when the list is at its very top. */
  onTop?: (top: boolean) => void;
}

const OVERSCAN = 8;

/** Where things are, as arithmetic: `extra` is what the open row has beyond the common height. */
export const layout = (n: number, size: number, open: number, extra: number) => ({
  total: n * size + extra,
  top: (i: number) => i * size + (open >= 0 && i > open ? extra : 0),
  at(y: number) {
    const below = open >= 0 && y >= (open + 1) * size;
    if (below && y < (open + 1) * size + extra) return open;
    return Math.max(0, Math.min(n - 1, Math.floor((below ? y - extra : y) / size)));
  },
});

/** The same for rows of any height. */
export function tallLayout(n: number, height: (i: number) => number) {
  const tops = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) tops[i + 1] = tops[i] + height(i);
  return {
    total: tops[n],
    top: (i: number) => tops[i],
    at(y: number) {
      let low = 0;
      for (let high = n - 1; low < high; ) {
        const mid = (low + high + 1) >> 1;
        if (tops[mid] <= y) low = mid;
        else high = mid - 1;
      }
      return low;
    },
  };
}

/** Heights of rows by key, as they were last drawn. */
function useHeights(on: boolean, box: { current: HTMLDivElement | null }) {
  const [version, setVersion] = useState(0);
  const heights = useRef(new Map<string, number>());
  const sizes = useMemo(
    () =>
      new ResizeObserver((entries) => {
        let moved = 0;
        let news = false;
        for (const { target } of entries) {
          const el = target as HTMLElement;
          const h = el.offsetHeight;
          const old = heights.current.get(el.dataset.k!);
          if (!h || old === h) continue;
          heights.current.set(el.dataset.k!, h);
          news = true;
          if (el.offsetTop + new DOMMatrix(getComputedStyle(el).transform).f + h <= box.current!.scrollTop) moved += h - (old ?? Number(el.dataset.size));
        }
        if (!news) return;
        setVersion((v) => v + 1);
        if (moved) box.current!.scrollTop += moved;
      }),
    [],
  );
  useEffect(() => () => sizes.disconnect(), []);
  useEffect(() => {
    if (on) return;
    sizes.disconnect();
    heights.current.clear();
  }, [on]);
  return { version, of: heights.current, watch: (el: HTMLElement | null) => void (el && sizes.observe(el)) };
}

export function VList({ n, size, row, keyOf = (i) => i, open = -1, grow = false, at = -1, onEnd, onTop }: VListProps) {
  const box = useRef<HTMLDivElement>(null);
  const tall = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ y: 0, h: 0 });
  const [extra, setExtra] = useState(0);
  const heights = useHeights(grow, box);
  const measured = useMemo(() => grow && tallLayout(n, (i) => heights.of.get(String(keyOf(i))) ?? size), [grow, n, n && keyOf(0), heights.version]);
  const place = measured || layout(n, size, open, open >= 0 ? extra : 0);

  useEffect(() => {
    const el = box.current!;
    const sizes = new ResizeObserver(() => setView({ y: el.scrollTop, h: el.clientHeight }));
    sizes.observe(el);
    return () => sizes.disconnect();
  }, []);
  useEffect(() => {
    if (!tall.current || grow) return setExtra(0);
    const el = tall.current;
    const sizes = new ResizeObserver(() => setExtra(Math.max(0, el.offsetHeight - size)));
    sizes.observe(el);
    return () => sizes.disconnect();
  }, [open, open >= 0 && keyOf(open), tall.current]);
  useEffect(() => {
    const el = box.current!;
    if (at < 0 || at >= n || !el.clientHeight) return;
    const top = place.top(at);
    if (top < el.scrollTop) el.scrollTop = top;
    else if (top + size > el.scrollTop + el.clientHeight) el.scrollTop = top + size - el.clientHeight;
  }, [at, view.h]);

  const first = n ? Math.max(0, place.at(view.y) - OVERSCAN) : 0;
  const last = n ? Math.min(n - 1, place.at(view.y + view.h) + OVERSCAN) : -1;
  useEffect(() => {
    if (n > 0 && view.h > 0 && last >= n - 1) onEnd?.();
  }, [last, n, view.h]);
  const onScroll = () => {
    const el = box.current!;
    setView({ y: el.scrollTop, h: el.clientHeight });
    onTop?.(el.scrollTop < size);
  };
  const rows = [];
  for (let i = first; i <= last; i++) {
    rows.push(
      <div
        key={keyOf(i)}
        class="vr"
        data-k={grow ? keyOf(i) : undefined}
        data-size={grow ? size : undefined}
        ref={grow ? heights.watch : i === open ? tall : undefined}
        style={{ transform: `translateY(${place.top(i)}px)`, height: grow || i === open ? 'auto' : `${size}px` }}
      >
        {row(i)}
      </div>,
    );
  }
  return (
    <div class="vl" ref={box} tabIndex={-1} onScroll={onScroll}>
      <div style={{ height: `${place.total}px` }}>{view.h > 0 && rows}</div>
    </div>
  );
}
