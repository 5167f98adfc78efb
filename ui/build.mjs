// Builds the page into dist/, or the folder given: hashed files under assets/ (cached for ever), index.html names them. `node build.mjs --dev URL`
// instead serves it on a free port, rebuilt on reload, with every other path passed on to a running binnacle at URL.
import { build, context } from 'esbuild';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(fileURLToPath(import.meta.url));
const dev = process.argv[2] === '--dev';
const dist = dev || !process.argv[2] ? join(root, 'dist') : resolve(process.argv[2]);

const options = {
  absWorkingDir: root,
  entryPoints: { main: 'src/main.tsx', theme: 'src/theme.ts', style: 'src/style.css' },
  outdir: join(dist, 'assets'),
  bundle: true,
  splitting: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  minify: true,
  metafile: true,
  legalComments: 'none',
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  logLevel: 'warning',
};

/** The output of an entry point, as a URL path. */
function urlOf(meta, entry) {
  const found = Object.entries(meta.outputs).find(([, o]) => o.entryPoint === entry);
  if (!found) throw new Error(`no output for ${entry}`);
  return '/' + relative(dist, join(root, found[0]));
}

function writeIndex(meta) {
  const html = readFileSync(join(root, 'index.html'), 'utf8')
    .replace('/src/style.css', urlOf(meta, 'src/style.css'))
    .replace('/src/theme.ts', urlOf(meta, 'src/theme.ts'))
    .replace('/src/main.tsx', urlOf(meta, 'src/main.tsx'));
  writeFileSync(join(dist, 'index.html'), html);
}

async function once() {
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist, { recursive: true });
  writeIndex((await build(options)).metafile);
}

async function serve(upstream) {
  const { createServer, request } = await import('node:http');
  mkdirSync(dist, { recursive: true });
  const types = { js: 'text/javascript', css: 'text/css', html: 'text/html' };
  const ctx = await context({ ...options, minify: false, sourcemap: 'inline' });
  const pages = /^\/($|overview|metrics-explorer|logs|traces|status|graph|query|search|trace\/)/;
  createServer(async (req, res) => {
    const path = new URL(req.url, 'http://localhost').pathname;
    const page = pages.test(path) && !path.includes('/_search');
    try {
      if (page) writeIndex((await ctx.rebuild()).metafile);
      if (page || path.startsWith('/assets/')) {
        const file = page ? '/index.html' : path;
        res.setHeader('content-type', types[file.split('.').pop()] + '; charset=utf-8');
        return res.end(readFileSync(dist + file));
      }
    } catch (e) {
      res.statusCode = 500;
      return res.end(String(e));
    }
    const up = request(upstream + req.url, { method: req.method, headers: req.headers }, (r) => {
      res.writeHead(r.statusCode, r.headers);
      r.pipe(res);
    });
    up.on('error', (e) => res.writeHead(502).end(String(e)));
    req.pipe(up);
  }).listen(Number(process.env.PORT ?? 0), '127.0.0.1', function () {
    console.log(`http://127.0.0.1:${this.address().port}/`);
  });
}

if (dev) await serve(process.argv[3]);
else await once();
