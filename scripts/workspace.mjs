import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
/** Below the repository, or below the folder that `generate` is given. */
export const GENERATED = join('packages', 'protocol', 'src', 'gen');

/** The reference of the API, below the same. */
export const OPENAPI = join('docs', 'openapi.json');

/** Runs a program of the workspace to its end; tells whether it succeeded, and what it printed. */
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

/** Writes everything that is generated, from proto/ and from the gateway's routes, laid out as in the repository, below `target`. */
export function generate(target = ROOT) {
  const proto = join(ROOT, 'proto');
  rmSync(join(target, GENERATED), { recursive: true, force: true });
  // The plugins write to ../packages of where they are put: see proto/buf.gen.yaml.
  const code = run('buf', ['generate', '-o', join(target, 'proto')], proto);
  if (!code.ok) return code;
  const image = run('buf', ['build', '-o', join(target, GENERATED, 'descriptor-set.binpb')], proto);
  return image.ok ? generateOpenApi(target) : image;
}

/** From the gateway's routes. */
function generateOpenApi(target) {
  mkdirSync(join(target, 'docs'), { recursive: true });
  return run(process.execPath, [join(ROOT, 'gateway', 'src', 'write-openapi.ts'), join(target, OPENAPI)]);
}
