// Compiles test/*.test.ts and runs them with Node's own test runner. What the modules expect of a browser at load is put in front of each.
import { build } from 'esbuild';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = mkdtempSync(join(tmpdir(), 'binnacle-ui-test-'));
const browser = `
globalThis.location ??= new URL('http://localhost/');
globalThis.history ??= { pushState(_, __, u) { globalThis.location = new URL(u, location) }, replaceState(_, __, u) { globalThis.location = new URL(u, location) } };
globalThis.localStorage = { data: new Map(), getItem(k) { return this.data.get(k) ?? null }, setItem(k, v) { this.data.set(k, v) } };
globalThis.matchMedia ??= () => ({ matches: false, addEventListener() {} });
globalThis.navigator ??= { language: 'en' };
globalThis.document ??= { documentElement: { dataset: {} }, hidden: false };
globalThis.crypto ??= (await import('node:crypto')).webcrypto;
globalThis.HTMLElement ??= class {};
`;
try {
  const entryPoints = readdirSync(here).filter((f) => f.endsWith('.test.ts')).map((f) => join(here, f));
  await build({ entryPoints, outdir: out, outExtension: { '.js': '.mjs' }, bundle: true, platform: 'node', format: 'esm', target: 'node18', jsx: 'automatic', jsxImportSource: 'preact', banner: { js: browser }, define: { 'import.meta.uiRoot': JSON.stringify(dirname(here)) }, logLevel: 'warning' });
  const files = readdirSync(out).map((f) => join(out, f));
  process.exitCode = spawnSync(process.execPath, ['--test', ...files], { stdio: 'inherit', env: { ...process.env, TZ: 'UTC' } }).status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
