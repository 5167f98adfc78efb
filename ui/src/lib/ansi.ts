// Colours that programs write for a terminal (ECMA-48 SGR sequences), as pieces with style classes; other control sequences are left out.

export interface AnsiPiece {
  text: string;
  cls: string; // a0..a15 foreground, b0..b15 background, ab bold, ad dim, ai italic, au underlined
  color: string; // of the 256 and the 24-bit colours; else empty
}

const SEQUENCE = /\x1b(?:\[([0-9;:]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])/g;

export const hasAnsi = (text: string): boolean => text.includes('\x1b');
export const stripAnsi = (text: string): string => (hasAnsi(text) ? text.replace(SEQUENCE, '') : text);

const CUBE = [0, 95, 135, 175, 215, 255];
/** Colour n of xterm's 256, from 16 on. */
function cube(n: number): string {
  if (n >= 232) return `rgb(${8 + (n - 232) * 10} ${8 + (n - 232) * 10} ${8 + (n - 232) * 10})`;
  const i = n - 16;
  return `rgb(${CUBE[Math.floor(i / 36)]} ${CUBE[Math.floor(i / 6) % 6]} ${CUBE[i % 6]})`;
}

interface State {
  fg: number;
  bg: number;
  flags: Set<string>;
  color: string;
}
const FLAG: Record<number, string> = { 1: 'ab', 2: 'ad', 3: 'ai', 4: 'au' };

function apply(s: State, codes: number[]): void {
  for (let i = 0; i < codes.length; i++) {
    const c = codes[i];
    if (c === 0) (s.fg = s.bg = -1), s.flags.clear(), (s.color = '');
    else if (FLAG[c]) s.flags.add(FLAG[c]);
    else if (c === 22) s.flags.delete('ab'), s.flags.delete('ad');
    else if (c === 23 || c === 24) s.flags.delete(FLAG[c - 20]);
    else if ((c >= 30 && c <= 37) || (c >= 90 && c <= 97)) (s.fg = c < 90 ? c - 30 : c - 82), (s.color = '');
    else if ((c >= 40 && c <= 47) || (c >= 100 && c <= 107)) s.bg = c < 100 ? c - 40 : c - 92;
    else if (c === 39) (s.fg = -1), (s.color = '');
    else if (c === 49) s.bg = -1;
    else if (c === 38 || c === 48) {
      const wide = codes[i + 1] === 2;
      const n = codes[i + 2] ?? 0;
      if (c === 38) (s.fg = !wide && n < 16 ? n : -1), (s.color = wide ? `rgb(${n} ${codes[i + 3] ?? 0} ${codes[i + 4] ?? 0})` : n >= 16 && n < 256 ? cube(n) : '');
      else if (!wide && n < 16) s.bg = n;
      i += wide ? 4 : 2;
    }
  }
}

export function ansiPieces(text: string): AnsiPiece[] {
  const out: AnsiPiece[] = [];
  const s: State = { fg: -1, bg: -1, flags: new Set(), color: '' };
  let at = 0;
  const take = (to: number) => {
    if (to > at) out.push({ text: text.slice(at, to), cls: [s.fg >= 0 ? 'a' + s.fg : '', s.bg >= 0 ? 'b' + s.bg : '', ...s.flags].filter(Boolean).join(' '), color: s.color });
  };
  for (const m of text.matchAll(SEQUENCE)) {
    take(m.index);
    at = m.index + m[0].length;
    if (m[2] === 'm') apply(s, (m[1] || '0').split(/[;:]/).map(Number));
  }
  take(text.length);
  return out;
}
