// The window: quick ranges, or two times typed in. Live and the zone are beside it.
import { useState } from 'preact/hooks';
import { T } from '../lib/i18n';
import { live, refresh, utc, win } from '../lib/live';
import { clock, DEFAULT_FROM, formatDuration, parseTime } from '../lib/time';
import { go, href, param } from '../lib/url';
import { Icon } from './icons';
import { useMenu } from './parts';

const QUICK = ['-5m', '-15m', '-30m', '-1h', '-3h', '-6h', '-12h', '-1d', '-2d', '-7d', '-14d', '-30d'];

function label(): string {
  const w = win.value;
  if (w.relative) return T('Last {0}', formatDuration(w.z - w.a));
  const day = new Date(w.a).toDateString() !== new Date().toDateString() || w.z - w.a > 864e5;
  return `${clock(w.a, utc.value, { day })} – ${clock(w.z, utc.value, { day: day && w.z - w.a > 864e5 })}`;
}

export function toggleLive(): void {
  if (!win.value.relative) return go(href(null, { from: null, to: null, live: null }));
  go(href(null, { live: live.value ? 'off' : null }), true);
  refresh();
}

/** Moves the window by its own length; it then is an absolute one. */
export function shiftWindow(by: number): void {
  const { a, z } = win.value;
  const d = Math.round((z - a) * by);
  if (z + d >= Date.now()) return go(href(null, { from: '-' + formatDuration(z - a), to: null }));
  go(href(null, { from: Math.round(a + d), to: Math.round(z + d) }));
}

export function TimePicker() {
  const { open, setOpen, ref } = useMenu();
  return (
    <div class="menu" ref={ref}>
      <button class={'sel' + (win.value.relative ? '' : ' brass')} aria-expanded={open} onClick={() => setOpen(!open)}>
        <Icon n="clock" s={13} />
        {label()}
      </button>
      {open && (
        <div class="pop">
          <div class="quick">
            {QUICK.map((q) => (
              <a class={win.value.relative && (param('from') || DEFAULT_FROM) === q ? 'on' : ''} href={href(null, { from: q === DEFAULT_FROM ? null : q, to: null })} onClick={() => setOpen(false)}>
                {T('Last {0}', q.slice(1))}
              </a>
            ))}
          </div>
          <Absolute done={() => setOpen(false)} />
        </div>
      )}
    </div>
  );
}

function Absolute({ done }: { done: () => void }) {
  const w = win.value;
  const [from, setFrom] = useState(clock(w.a, utc.value, { day: true }));
  const [to, setTo] = useState(w.relative ? 'now' : clock(w.z, utc.value, { day: true }));
  const read = (text: string) => parseTime(/^\d{4}-\d\d-\d\d[ T]\d\d:\d\d/.test(text) && utc.value && !/[zZ]$|[+-]\d\d:?\d\d$/.test(text) ? text + 'Z' : text, Date.now());
  const a = read(from);
  const z = read(to);
  const good = a !== null && z !== null && a < z;
  const submit = (e: Event) => {
    e.preventDefault();
    if (!good) return;
    const relative = to.trim() === 'now';
    go(href(null, { from: relative && /^(now)?-/.test(from.trim()) ? from.trim().replace('now', '') : a, to: relative ? null : z }));
    done();
  };
  return (
    <form onSubmit={submit}>
      <label for="time-from">{T('from')}</label>
      <input id="time-from" class={a === null || (z !== null && a >= z) ? 'bad' : ''} value={from} onInput={(e) => setFrom(e.currentTarget.value)} />
      <label for="time-to">{T('to')}</label>
      <input id="time-to" class={z === null ? 'bad' : ''} value={to} onInput={(e) => setTo(e.currentTarget.value)} />
      <div class="row">
        <a class="btn" href={href(null, { tz: utc.value ? null : 'utc' })}>
          {utc.value ? 'UTC' : T('Local time')}
        </a>
        <button class="btn pri" disabled={!good}>
          {T('Apply')}
        </button>
      </div>
    </form>
  );
}
