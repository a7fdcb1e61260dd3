/**
 * Builds the console into dist/, unless what lies there was made of the same sources.
 *
 * 1. What is in dist/ is whole: a build is made beside it and renamed into its place.
 * 2. Several builds at once are fine: each has a folder of its own, and one of them stays.
 */
import { createHash } from 'node:crypto';
import { globSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';

const FOLDER = import.meta.dirname;
const ROOT = join(FOLDER, '..', '..');
const DIST = join(FOLDER, 'dist');
const STAMP = 'stamp';
const SOURCES = [
  'gateway/console/{index.html,package.json,build.mjs,tsconfig.json}',
  'gateway/console/src/**/*.{ts,tsx,css,svg}',
  'packages/protocol/src/gen/connect/**/*.ts',
  'pnpm-lock.yaml',
];
/** What compressing pays for. */
const COMPRESSED = ['.css', '.html', '.js', '.svg'];
const TRIES = 5;

const stamp = stampOf();
if (!isBuilt()) await build();

function stampOf() {
  const hash = createHash('sha256');
  for (const file of globSync(SOURCES, { cwd: ROOT }).sort())
    if (!file.endsWith('.test.ts'))
      hash
        .update(file)
        .update('\0')
        .update(readFileSync(join(ROOT, file)))
        .update('\0');
  return hash.digest('hex');
}

function isBuilt() {
  try {
    return readFileSync(join(DIST, STAMP), 'utf8') === stamp;
  } catch {
    return false;
  }
}

async function build() {
  const { build: bundle } = await import('vite');
  const made = join(FOLDER, `dist-${process.pid}`);
  try {
    await bundle({
      root: FOLDER,
      base: '/console/',
      configFile: false,
      logLevel: 'warn',
      build: {
        outDir: made,
        emptyOutDir: true,
        assetsDir: '',
        target: 'es2023',
        modulePreload: { polyfill: false },
        reportCompressedSize: false,
      },
    });
    compress(made);
    writeFileSync(join(made, STAMP), stamp);
    moveInto(made);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

function compress(folder) {
  const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
  for (const name of readdirSync(folder).filter((file) => COMPRESSED.includes(extname(file)))) {
    const plain = readFileSync(join(folder, name));
    writeFileSync(join(folder, `${name}.br`), brotliCompressSync(plain, { params }));
  }
}

function moveInto(made) {
  for (let tries = 1; ; tries += 1) {
    try {
      rmSync(DIST, { recursive: true, force: true });
      renameSync(made, DIST);
      return;
    } catch (error) {
      if (isBuilt()) return;
      if (tries === TRIES) throw error;
    }
  }
}
