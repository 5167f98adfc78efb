// A canvas that redraws itself in device pixels when its size, the theme or its inputs change, and turns a horizontal drag into a choice.
import { useEffect, useRef } from 'preact/hooks';
import { theme } from '../lib/theme';

export type Draw = (g: CanvasRenderingContext2D, w: number, h: number) => void;

export function useCanvas(draw: Draw, deps: unknown[]) {
  const ref = useRef<HTMLCanvasElement>(null);
  const latest = useRef(draw);
  latest.current = draw;
  const paint = useRef(() => {
    const c = ref.current;
    if (!c || !c.clientWidth) return;
    const scale = devicePixelRatio;
    c.width = Math.round(c.clientWidth * scale);
    c.height = Math.round(c.clientHeight * scale);
    const g = c.getContext('2d')!;
    g.scale(scale, scale);
    latest.current(g, c.clientWidth, c.clientHeight);
  });
  useEffect(() => {
    const sizes = new ResizeObserver(() => paint.current());
    sizes.observe(ref.current!);
    return () => sizes.disconnect();
  }, []);
  useEffect(() => paint.current(), [...deps, theme.value]);
  return { ref, repaint: () => paint.current() };
}

export interface Drag {
  x0: number;
  x1: number;
  y0: number;
  y1: number;
}

/** Pointer handlers: onMove while dragging (null at its end), onDone with the dragged box, onClick when it was none. */
export function dragHandlers(onMove: (d: Drag | null) => void, onDone: (d: Drag) => void, onClick?: (x: number, y: number) => void) {
  let drag: Drag | null = null;
  return {
    onPointerDown(e: PointerEvent) {
      if (e.button) return;
      (e.currentTarget as Element).setPointerCapture(e.pointerId);
      drag = { x0: e.offsetX, x1: e.offsetX, y0: e.offsetY, y1: e.offsetY };
    },
    onPointerMove(e: PointerEvent) {
      if (!drag) return;
      drag = { ...drag, x1: e.offsetX, y1: e.offsetY };
      onMove(drag);
    },
    onPointerUp(e: PointerEvent) {
      if (!drag) return;
      const d = { x0: Math.min(drag.x0, e.offsetX), x1: Math.max(drag.x0, e.offsetX), y0: Math.min(drag.y0, e.offsetY), y1: Math.max(drag.y0, e.offsetY) };
      drag = null;
      onMove(null);
      if (d.x1 - d.x0 > 4) onDone(d);
      else onClick?.(e.offsetX, e.offsetY);
    },
    onPointerCancel() {
      drag = null;
      onMove(null);
    },
  };
}
