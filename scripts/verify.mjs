/** `npm run verify`: everything that can be checked without running the product. All checks run; the failed ones are named. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GENERATED, generate, MADE, ROOT, run } from './workspace.mjs';

const PROTO = join(ROOT, 'proto');
const temporary = mkdtempSync(join(tmpdir(), 'tidemark-verify-'));

const CHECKS = [
  { name: 'format and lint', mend: 'npm run format', check: () => run('biome', ['ci', '--error-on-warnings', '.']) },
  { name: 'types', check: () => run('tsc', ['--noEmit', '-p', '.']) },
  { name: 'types of the console', check: () => run('tsc', ['--noEmit', '-p', join('gateway', 'console')]) },
  { name: 'generated code up to date', mend: 'npm run generate', check: generatedIsUpToDate },
  { name: 'proto lint', check: () => run('buf', ['lint'], PROTO) },
  { name: 'proto breaking changes', check: protoBreaksNobody },
];

const failed = [];
try {
  for (const { name, mend, check } of CHECKS) {
    const startedAt = performance.now();
    const { ok, output } = check();
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(5);
    console.log(`${ok ? 'passed' : 'FAILED'} ${seconds} s  ${name}`);
    if (ok) continue;
    console.log(output);
    failed.push(mend ? `${name} (try: ${mend})` : name);
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}
console.log(`verify: ${CHECKS.length - failed.length} passed, ${failed.length} failed`);
if (failed.length > 0) {
  console.log(`Not right: ${failed.join(', ')}`);
  process.exitCode = 1;
}

function generatedIsUpToDate() {
  mkdirSync(join(temporary, 'proto'), { recursive: true });
  const made = generate(temporary);
  if (!made.ok) return made;
  const before = filesBelow(join(ROOT, GENERATED));
  const after = filesBelow(join(temporary, GENERATED));
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  const stale = names.filter((name) => !(after.has(name) && before.get(name)?.equals(after.get(name))));
  const paths = stale.map((name) => join(GENERATED, name));
  const text = (folder, document) =>
    existsSync(join(folder, document)) ? readFileSync(join(folder, document), 'utf8') : '';
  for (const document of MADE) if (text(ROOT, document) !== text(temporary, document)) paths.push(document);
  return { ok: paths.length === 0, output: paths.map((path) => `stale: ${path}`).join('\n') };
}

function filesBelow(folder) {
  if (!existsSync(folder)) return new Map();
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(folder.length + 1), readFileSync(path)];
    }),
  );
}

/** Compared as images: the workspace has several modules, what was released is one image. */
function protoBreaksNobody() {
  const image = join(temporary, 'now.binpb');
  const built = run('buf', ['build', '-o', image], PROTO);
  if (!built.ok) return built;
  const config = '{"version":"v2","breaking":{"use":["FILE"]}}';
  return run('buf', ['breaking', image, '--against', 'released.binpb', '--config', config], PROTO);
}
