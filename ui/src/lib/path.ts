// Lines of many points as paths of few: no more than four points to a pixel column (first, least, greatest, last), which draw the same picture.

export interface Pen {
  moveTo(x: number, y: number): void;
  lineTo(x: number, y: number): void;
}

/** Draws the runs of a line between its gaps; samples without neighbours are given to `dot`. */
export function trace(pen: Pen, xs: ArrayLike<number>, v: ArrayLike<number | null>, y: (v: number) => number, dot: (x: number, y: number) => void): void {
  const n = v.length;
  for (let i = 0; i < n; ) {
    if (v[i] === null) {
      i++;
      continue;
    }
    let end = i + 1;
    while (end < n && v[end] !== null) end++;
    if (end === i + 1) dot(xs[i], y(v[i]!));
    else run(pen, xs, v, y, i, end);
    i = end;
  }
}

function run(pen: Pen, xs: ArrayLike<number>, v: ArrayLike<number | null>, y: (v: number) => number, from: number, end: number): void {
  pen.moveTo(xs[from], y(v[from]!));
  for (let i = from + 1; i < end; ) {
    const column = Math.floor(xs[i]);
    let last = i;
    let lo = i;
    let hi = i;
    while (last + 1 < end && Math.floor(xs[last + 1]) === column) {
      last++;
      if (v[last]! < v[lo]!) lo = last;
      if (v[last]! > v[hi]!) hi = last;
    }
    if (last - i > 3) {
      for (const k of lo < hi ? [i, lo, hi] : [i, hi, lo]) pen.lineTo(xs[k], y(v[k]!));
    } else for (let k = i; k < last; k++) pen.lineTo(xs[k], y(v[k]!));
    pen.lineTo(xs[last], y(v[last]!));
    i = last + 1;
  }
}
