import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { stackSecrets } from './secret-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'tidemark-secrets-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('makes secrets that only their owner can read, and keeps them', () => {
  const { token, serviceTokenFile } = stackSecrets(folder);
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(statSync(serviceTokenFile).mode & 0o777).toBe(0o600);
  expect(stackSecrets(folder).token).toBe(token);
});

it('names the file of a secret that a full disk or a power cut left empty or cut short', () => {
  const { serviceTokenFile } = stackSecrets(folder);
  for (const [file, damaged] of [
    [join(folder, 'token'), ''],
    [serviceTokenFile, readFileSync(serviceTokenFile, 'utf8').slice(0, 9)],
  ] as const) {
    writeFileSync(file, damaged);
    expect(() => stackSecrets(folder)).toThrow(`${file} is damaged (it holds no secret): remove it`);
    rmSync(file);
  }
});
