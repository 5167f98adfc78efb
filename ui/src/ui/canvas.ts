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
export function useDrag(onMove: (d: Drag | null) => void, onDone: (d: Drag) => void, onClick?: (x: number, y: number) => void) {
  const drag = useRef<Drag | null>(null);
  const end = () => {
    drag.current = null;
    onMove(null);
  };
  return {
    onPointerDown(e: PointerEvent) {
      if (e.button) return;
      (e.currentTarget as Element).setPointerCapture(e.pointerId);
      drag.current = { x0: e.offsetX, x1: e.offsetX, y0: e.offsetY, y1: e.offsetY };
    },
    onPointerMove(e: PointerEvent) {
      if (!drag.current) return;
      drag.current = { ...drag.current, x1: e.offsetX, y1: e.offsetY };
      onMove(drag.current);
    },
    onPointerUp(e: PointerEvent) {
      if (!drag.current) return;
      const { x0, y0 } = drag.current;
      end();
      const d = { x0: Math.min(x0, e.offsetX), x1: Math.max(x0, e.offsetX), y0: Math.min(y0, e.offsetY), y1: Math.max(y0, e.offsetY) };
      if (d.x1 - d.x0 > 4) onDone(d);
      else onClick?.(e.offsetX, e.offsetY);
    },
    onPointerCancel: end,
  };
}
