/**
 * Bundles the command line into one file that any Node.js from 20 on runs, `cli/dist/tidemark.mjs`, and beside it what only
 * `tidemark verify` loads: the clients of object stores are eight times as large as all the rest.
 */
import { chmodSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { ROOT } from './workspace.mjs';

const CLI = join(ROOT, 'cli');
const VERIFY = 'tidemark-verify.mjs';
const { build } = createRequire(join(CLI, 'package.json'))('esbuild');
const folder = resolve(process.argv[2] ?? join(CLI, 'dist'));

// Some of what is bundled is CommonJS, and asks for modules of Node by require.
const REQUIRE = `import { createRequire as bundledRequire } from 'node:module'; const require = bundledRequire(import.meta.url);`;
// Node.js 20 does not have it.
const RESOLVERS = `Promise.withResolvers ??= function () { const one = {}; one.promise = new this((resolve, reject) => Object.assign(one, { resolve, reject })); return one; };`;

const verifyApart = {
  name: 'verify apart',
  setup({ onResolve }) {
    onResolve({ filter: /\/verify\.ts$/ }, ({ kind, importer }) =>
      kind === 'dynamic-import' && importer.endsWith('verbs/verify.ts')
        ? { path: `./${VERIFY}`, external: true }
        : undefined,
    );
  },
};

await bundle('main.ts', 'tidemark.mjs', `#!/usr/bin/env node\n${REQUIRE} ${RESOLVERS}`, [verifyApart]);
await bundle('verify.ts', VERIFY, REQUIRE, []);
chmodSync(join(folder, 'tidemark.mjs'), 0o755);

async function bundle(source, name, js, plugins) {
  const outfile = join(folder, name);
  const { metafile } = await build({
    ...{ entryPoints: [join(CLI, 'src', source)], outfile, plugins, banner: { js } },
    ...{ bundle: true, minify: true, platform: 'node', format: 'esm', target: 'node20' },
    // Names of errors are looked at.
    ...{ keepNames: true, legalComments: 'none', metafile: true, logLevel: 'warning' },
  });
  const [{ bytes }] = Object.values(metafile.outputs);
  console.log(`${outfile} (${Math.round(bytes / 1024)} KB)`);
}
