// The filters beside a search: each can be turned round, switched off, pinned (it then stays when the rest is replaced) and taken away.
import { T } from '../lib/i18n';
import type { Pill } from '../lib/logs';

export function Pills({ pills, set }: { pills: Pill[]; set: (pills: Pill[]) => void }) {
  if (!pills.length) return null;
  const change = (i: number, part: Partial<Pill>) => set(pills.map((p, k) => (k === i ? { ...p, ...part } : p)));
  return (
    <div class="pills" role="list" aria-label={T('Filters')}>
      {pills.map((p, i) => (
        <span role="listitem" key={p.text} class={`pill${p.not ? ' not' : ''}${p.off ? ' off' : ''}`}>
          <button aria-pressed={p.not} title={p.not ? T('shows lines without it; click to turn round') : T('shows lines with it; click to turn round')} onClick={() => change(i, { not: !p.not })}>
            {p.not ? '−' : '+'}
          </button>
          <button class="cut" aria-pressed={!p.off} title={p.off ? T('off; click to switch on') : `${p.text}\n${T('click to switch off')}`} onClick={() => change(i, { off: !p.off })}>
            {p.text}
          </button>
          <button aria-pressed={p.pin} class={p.pin ? 'on' : ''} title={T('keep it when another search is opened')} onClick={() => change(i, { pin: !p.pin })}>
            {p.pin ? '●' : '○'}
          </button>
          <button title={T('remove')} aria-label={T('remove')} onClick={() => set(pills.filter((_, k) => k !== i))}>
            ×
          </button>
        </span>
      ))}
      {pills.length > 1 && (
        <button class="lnk" onClick={() => set(pills.filter((p) => p.pin))}>
          {T('remove all')}
        </button>
      )}
    </div>
  );
}
