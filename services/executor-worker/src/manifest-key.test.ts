import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyIdOf } from '@tidemark/backupmeta/signature';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openManifestKey } from './manifest-key.ts';

const signal = new AbortController().signal;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const pem = (key: KeyObject) =>
  key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString();
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-manifest-key-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function fileOf(content: string, mode = 0o600): string {
  const file = join(folder, `${Math.random().toString(36).slice(2)}.pem`);
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

it('is the key of the file, and none where no file is set', async () => {
  const key = await openManifestKey(fileOf(pem(privateKey)), signal);
  expect(key && keyIdOf(key)).toBe(keyIdOf(publicKey));
  expect(await openManifestKey(undefined, signal)).toBeUndefined();
});

it.each([
  ['is missing', () => join(folder, 'nobody')],
  ['others can read', () => fileOf(pem(privateKey), 0o644)],
  ['holds a public key', () => fileOf(pem(publicKey))],
  ['holds a key of another kind', () => fileOf(pem(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey))],
  ['is a folder', () => folder],
])('keeps the worker from starting where the file %s, and says nothing of its content', async (_, make) => {
  const file = make();
  const error: unknown = await openManifestKey(file, signal).catch((one: unknown) => one);
  expect(error).toMatchObject({
    name: 'ConfigError',
    message: expect.stringContaining(`TIDEMARK_MANIFEST_KEY_FILE names ${file}`),
  });
  expect(String(error)).toContain('chmod 600');
  expect(String(error)).not.toContain('BEGIN');
});
