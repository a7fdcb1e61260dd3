import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const ROOT = join(import.meta.dirname, '..', '..');
const text = readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8');
const compose = parse(text, { merge: true }) as {
  services: Record<
    string,
    { build?: { args: { SERVICE: string } }; environment?: Record<string, unknown>; secrets?: unknown[] }
  >;
  secrets: Record<string, unknown>;
};
const ours = Object.entries(compose.services).filter(([, { build }]) => build);

/** Every variable that some process reads, by the text that names it. */
const read = new Set(
  globSync(['services/*/src/config.ts', 'gateway/src/config.ts', 'packages/service-kit/src/{.,grpc}/*.ts'], {
    cwd: ROOT,
  }).flatMap((file) => readFileSync(join(ROOT, file), 'utf8').match(/TIDEMARK_[A-Z_]+/g) ?? []),
);

describe('docker-compose.yml', () => {
  it('has every process of Tidemark, each built from its own folder', () => {
    expect(ours.map(([name]) => name).sort()).toEqual([
      'backup-service',
      'executor-worker',
      'gateway',
      'scheduler-service',
      'strategy-service',
    ]);
    for (const [name, { build }] of ours)
      expect(existsSync(join(ROOT, build?.args.SERVICE ?? '', 'src', 'main.ts')), name).toBe(true);
  });
  it('sets only what some process reads', () => {
    for (const [name, { environment }] of ours)
      for (const variable of Object.keys(environment ?? {}))
        expect(read.has(variable) || read.has(variable.replace(/_FILE$/, '')), `${name}: ${variable}`).toBe(true);
  });
  it('shows settings to be uncommented that some process reads', () => {
    const commented = [...text.matchAll(/^ *# (TIDEMARK_[A-Z_]+): /gm)].map(([, variable = '']) => variable);
    expect(commented).toContain('TIDEMARK_TLS_CA_FILE');
    for (const variable of commented) expect(read.has(variable), variable).toBe(true);
  });
  it('gives every process the service token, and no secret in the clear', () => {
    for (const [name, { secrets, environment }] of ours) {
      expect(secrets, name).toContain('service-token');
      expect(JSON.stringify(environment), name).not.toMatch(/:\/\/[^/"]*:[^/"]*@|"[A-Z_]*TOKEN":/);
    }
    expect(Object.keys(compose.secrets)).toContain('service-token');
  });
});
