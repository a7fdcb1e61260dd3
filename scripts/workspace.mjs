import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CHART_FILES, writeChartFiles } from './chart-files.mjs';
import { readSettings, writeSettingsPage } from './settings-page.mjs';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Below the repository, or below the folder that `generate` is given. */
export const GENERATED = join('packages', 'protocol', 'src', 'gen');
const CONTRACT = join(GENERATED, 'contract.ts');

/** Documents that are made from the code, below the same. */
const OPENAPI = join('docs', 'openapi.json');
const SETTINGS = join('docs', 'settings.md');
/** Documents of which the tables are made from the code. */
const WITH_TABLES = [join('docs', 'access.md'), join('docs', 'grpc.md'), join('docs', 'limits.md')];

/** Everything but the code that is made from other files, below the same. */
export const MADE = [OPENAPI, SETTINGS, ...WITH_TABLES, ...CHART_FILES];

/** Runs a program of the workspace to its end; returns whether it succeeded, and what it printed. */
export function run(program, args, cwd = ROOT) {
  const path = [join(ROOT, 'node_modules', '.bin'), dirname(process.execPath), process.env.PATH].join(delimiter);
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env: { ...process.env, PATH: path },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return { ok: status === 0, output: `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}` };
}

/** Writes everything that is generated, from proto/, the gateway's routes and the readers of settings, laid out as in the repository, below `target`. */
export function generate(target = ROOT) {
  const code = generateCode(target);
  if (!code.ok) return code;
  mkdirSync(join(target, 'docs'), { recursive: true });
  const tables = run(process.execPath, [
    join(ROOT, 'packages', 'contract', 'src', 'write-tables.ts'),
    join(target, CONTRACT),
    join(ROOT, 'docs'),
    join(target, 'docs'),
  ]);
  if (!tables.ok) return tables;
  const read = readSettings(ROOT, run);
  if (!read.ok) return read;
  writeSettingsPage(join(target, SETTINGS), read.settings);
  const chart = writeChartFiles(target, ROOT, read.settings, run);
  if (!chart.ok) return chart;
  const openApi = generateOpenApi(target);
  return openApi.ok ? generateRestTypes(target) : openApi;
}

/** The same without the documents. */
export function generateCode(target = ROOT) {
  const proto = join(ROOT, 'proto');
  rmSync(join(target, GENERATED), { recursive: true, force: true });
  // The plugins write to ../packages of where they are put: see proto/buf.gen.yaml.
  const code = run('buf', ['generate', '-o', join(target, 'proto')], proto);
  if (!code.ok) return code;
  const set = join(target, GENERATED, 'descriptor-set.binpb');
  const image = run('buf', ['build', '-o', set], proto);
  if (!image.ok) return image;
  return run(process.execPath, [
    join(ROOT, 'packages', 'contract', 'src', 'write-contract.ts'),
    set,
    join(target, CONTRACT),
  ]);
}

/** From the gateway's routes. */
function generateOpenApi(target) {
  return run(process.execPath, [join(ROOT, 'gateway', 'src', 'write-openapi.ts'), join(target, OPENAPI)]);
}

/** Types of the answers of REST, for the command line, from the OpenAPI document. */
function generateRestTypes(target) {
  const program = join(ROOT, 'packages', 'protocol', 'node_modules', '.bin', 'openapi-typescript');
  return run(program, [join(target, OPENAPI), '--output', join(target, GENERATED, 'rest.d.ts')]);
}
