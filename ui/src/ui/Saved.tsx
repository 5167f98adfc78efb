// Searches kept under a name in this browser; and the address of this one, for others.
import { useState } from 'preact/hooks';
import { T } from '../lib/i18n';
import { forget, keysOf, save, saved } from '../lib/saved';
import { pillsText, readPills, type Pill } from '../lib/logs';
import { href, loc } from '../lib/url';
import { Copy, useMenu } from './parts';

export function SavedSearches({ pinned }: { pinned: Pill[] }) {
  const { open, setOpen, ref } = useMenu();
  const [name, setName] = useState('');
  const keep = (e: Event) => {
    e.preventDefault();
    if (!name.trim()) return;
    save(name.trim(), loc.value.query);
    setName('');
  };
  /** Pinned filters stay, whatever the search says. */
  const leadsTo = (s: (typeof saved.value)[number]) => {
    const keys = keysOf(s);
    const own = readPills(keys.pills ?? '').filter((p) => !pinned.some((x) => x.text === p.text));
    return href(null, { ...keys, pills: pillsText([...pinned, ...own]), open: null });
  };
  return (
    <div class="menu" ref={ref}>
      <button class="btn" aria-expanded={open} onClick={() => setOpen(!open)}>{T('Save')}</button>
      {open && (
        <div class="pop">
          {saved.value.map((s) => (
            <div class="row" key={s.name}>
              <a class="cut grow" href={leadsTo(s)} onClick={() => setOpen(false)} title={s.query}>{s.name}</a>
              <button class="t3" title={T('remove')} aria-label={`${T('remove')}: ${s.name}`} onClick={() => forget(s.name)}>×</button>
            </div>
          ))}
          {saved.value.length === 0 && <p class="t3">{T('No search is saved yet.')}</p>}
          <form onSubmit={keep}>
            <label class="t3" for="save-as">{T('Name')}</label>
            <input id="save-as" value={name} onInput={(e) => setName(e.currentTarget.value)} />
            <div class="row">
              <button class="btn pri">{T('Save this search')}</button>
              <Copy text={location.href}>{T('Copy link')}</Copy>
            </div>
          </form>
        </div>
      )}
    </div>
  );
}
