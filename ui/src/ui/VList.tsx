// A list that keeps only the rows in sight in the document. All rows have one height, but for one that may be open: that one is measured.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

interface VListProps {
  n: number;
  size: number; // px
  row: (i: number) => ComponentChildren;
  keyOf?: (i: number) => string | number;
  /** The row that may be taller than the others; -1: none. */
  open?: number;
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

export function VList({ n, size, row, keyOf = (i) => i, open = -1, at = -1, onEnd, onTop }: VListProps) {
  const box = useRef<HTMLDivElement>(null);
  const tall = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ y: 0, h: 0 });
  const [extra, setExtra] = useState(0);
  const place = layout(n, size, open, open >= 0 ? extra : 0);

  useEffect(() => {
    const el = box.current!;
    const sizes = new ResizeObserver(() => setView({ y: el.scrollTop, h: el.clientHeight }));
    sizes.observe(el);
    return () => sizes.disconnect();
  }, []);
  useEffect(() => {
    if (!tall.current) return setExtra(0);
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
      <div key={keyOf(i)} class="vr" ref={i === open ? tall : undefined} style={{ transform: `translateY(${place.top(i)}px)`, height: i === open ? 'auto' : `${size}px` }}>
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
