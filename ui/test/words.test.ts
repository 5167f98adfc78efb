// Every text of the page has a Chinese one, and no dictionary entry is left over.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fill } from '../src/lib/i18n';
import { AGGREGATES, FUNCTIONS } from '../src/lib/promql';
import { zh } from '../src/lib/zh';

declare global {
  interface ImportMeta {
    uiRoot: string;
  }
}
const sources = (dir: string): string[] =>
  readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? sources(join(dir, e.name)) : /\.tsx?$/.test(e.name) && e.name !== 'zh.ts' ? [join(dir, e.name)] : []));

/** Texts in T('...') calls, and in the tables whose rows are passed through T: tab names, page names, fact titles and rows, severities. */
function used(): Set<string> {
  const out = new Set<string>();
  for (const file of sources(join(import.meta.uiRoot, 'src'))) {
    const text = readFileSync(file, 'utf8');
    for (const m of text.matchAll(/\bT\(\s*'((?:[^'\\]|\\.)*)'/g)) out.add(m[1].replace(/\\(.)/g, '$1'));
    for (const m of text.matchAll(/\bof=\{(\[\[.*?\]\])\}/gs)) for (const [, word] of m[1].matchAll(/\['[^']*', '([^']*)'\]/g)) out.add(word);
    for (const m of text.matchAll(/<Facts title="([^"]+)"/g)) out.add(m[1]);
    if (file.endsWith('Status.tsx')) for (const m of text.matchAll(/\['([^']+)', (?:s|e|T|when|count|dur|bytes|num|rates)\b/g)) out.add(m[1]);
    for (const m of text.matchAll(/\{row\('([^']+)'/g)) out.add(m[1]);
    for (const m of text.matchAll(/\{ name: '([^']+)', path:/g)) out.add(m[1]);
    for (const m of text.matchAll(/SEVERITIES = \[([^\]]+)\]/g)) for (const [, word] of m[1].matchAll(/'([^']+)'/g)) out.add(word);
    for (const m of text.matchAll(/VIEWS: .*? = (\[\[.*?\]\])/g)) for (const [, word] of m[1].matchAll(/\['[^']*', '([^']*)'\]/g)) out.add(word);
    if (file.endsWith('units.ts')) for (const m of text.matchAll(/\{ name: '([^']+)'/g)) out.add(m[1]);
    for (const m of text.matchAll(/`\$\{lane\}: (\w+)`/g)) for (const lane of ['query', 'background']) out.add(`${lane}: ${m[1]}`);
  }
  for (const [, does] of [...Object.values(FUNCTIONS), ...Object.values(AGGREGATES)]) out.add(does);
  return out;
}

test('nothing is put into the page as HTML', () => {
  for (const file of sources(join(import.meta.uiRoot, 'src'))) assert.doesNotMatch(readFileSync(file, 'utf8'), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(/i, file);
});

test('every text has a Chinese one', () => {
  assert.deepEqual([...used()].filter((t) => !(t in zh)).sort(), []);
});

test('no Chinese text is left over', () => {
  const all = used();
  assert.deepEqual(Object.keys(zh).filter((t) => !all.has(t)), []);
});

test('translations take the same arguments', () => {
  for (const [en, text] of Object.entries(zh)) assert.deepEqual([...text.matchAll(/\{\d\}/g)].map(String).sort(), [...en.matchAll(/\{\d\}/g)].map(String).sort(), en);
});

test('arguments are put in by number', () => {
  assert.equal(fill('{1} of {0}', [1, 'two']), 'two of 1');
});
