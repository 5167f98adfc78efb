// A list that keeps only the rows in sight in the document. Rows may differ in height; `open` rows are measured.
import { Virtualizer, elementScroll, measureElement, observeElementOffset, observeElementRect } from '@tanstack/virtual-core';
import type { ComponentChildren } from 'preact';
import { useEffect, useReducer, useRef } from 'preact/hooks';

interface VListProps {
  n: number;
  size: number;
  row: (i: number) => ComponentChildren;
  keyOf?: (i: number) => string | number;
  /** Kept in sight when it changes. */
  at?: number;
  /** Called when the last rows come into sight. */
  onEnd?: () => void;
  class?: string;
}

export function VList({ n, size, row, keyOf = (i) => i, at = -1, onEnd, class: cls = '' }: VListProps) {
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<Virtualizer<HTMLDivElement, Element> | null>(null);
  const [, redraw] = useReducer((x: number) => x + 1, 0);
  const options = {
    count: n,
    getScrollElement: () => box.current,
    estimateSize: () => size,
    getItemKey: keyOf,
    overscan: 10,
    scrollToFn: elementScroll,
    observeElementRect,
    observeElementOffset,
    measureElement,
    onChange: () => redraw(0),
  };
  if (list.current) list.current.setOptions(options);
  useEffect(() => {
    const made = new Virtualizer<HTMLDivElement, Element>(options);
    list.current = made;
    const stop = made._didMount();
    made._willUpdate();
    redraw(0);
    return stop;
  }, []);
  useEffect(() => list.current?._willUpdate());
  useEffect(() => {
    if (at >= 0) list.current?.scrollToIndex(at, { align: 'auto' });
  }, [at]);
  const measure = (el: HTMLDivElement | null) => {
    if (el) list.current?.measureElement(el);
  };
  const items = list.current?.getVirtualItems() ?? [];
  const last = items.length ? items[items.length - 1].index : -1;
  useEffect(() => {
    if (onEnd && n > 0 && last >= n - 5) onEnd();
  }, [last, n]);
  return (
    <div class={'vl ' + cls} ref={box} tabIndex={-1}>
      <div style={{ height: `${list.current?.getTotalSize() ?? 0}px` }}>
        {items.map((item) => (
          <div key={item.key} class="vr" data-index={item.index} ref={measure} style={{ transform: `translateY(${item.start}px)` }}>
            {row(item.index)}
          </div>
        ))}
      </div>
    </div>
  );
}
