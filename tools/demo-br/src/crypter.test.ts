import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackupMeta, MetaFile } from '@tidemark/protocol/br/backup';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { IV_BYTES, readCrypter } from './crypter.ts';
import { type TestStorage, testStorage } from './test-run.ts';

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage();
});
afterEach(() => storage[Symbol.asyncDispose]());

const KEYS = { 'aes128-ctr': '0f'.repeat(16), 'aes192-ctr': 'a5'.repeat(24), 'aes256-ctr': '3c'.repeat(32) };
const flagsOf = (flags: Record<string, string>) =>
  new Map(Object.entries(flags).map(([name, value]) => [`crypter.${name}`, [value]]));
const bodyOf = (name: string) => readFileSync(join(storage.path('x'), name));
const sha256 = (body: Uint8Array) => createHash('sha256').update(body).digest('hex');

test.each(Object.entries(KEYS))('%s: metadata and data can be read with the key only', async (method, key) => {
  const { code, stdout } = await storage.backup('x', ['--crypter.method', method, '--crypter.key', key]).ended;
  expect(code).toBe(0);
  expect(stdout).not.toContain(key);
  const { open, openMeta } = await readCrypter(flagsOf({ method, key }));
  const sealed = bodyOf('backupmeta');
  const plain = openMeta(sealed);
  expect(sealed.length).toBe(plain.length + IV_BYTES);
  const [index] = BackupMeta.decode(plain).fileIndex?.metaFiles ?? [];
  if (index === undefined) throw new Error('backupmeta has no index');
  const metaFile = open(index.cipherIv, bodyOf(index.name));
  expect([sha256(metaFile), index.cipherIv.length]).toEqual([index.sha256.toString('hex'), IV_BYTES]);
  const { dataFiles } = MetaFile.decode(metaFile);
  expect(dataFiles.length).toBeGreaterThan(0);
  for (const file of dataFiles) {
    // As TiKV stored it, which hashes behind its encryption.
    expect(sha256(bodyOf(file.name))).toBe(file.sha256.toString('hex'));
    expect(open(file.cipherIv, bodyOf(file.name)).toString()).toMatch(/^\d+\t/);
    expect(file.size).toBe(BigInt(bodyOf(file.name).length));
  }
});

test('the key may lie in a file, with a line break at its end', async () => {
  const file = join(storage.root, 'key');
  writeFileSync(file, `${KEYS['aes128-ctr']}\n`);
  const more = ['--crypter.method=aes128-ctr', `--crypter.key-file=${file}`];
  expect((await storage.backup('x', more).ended).code).toBe(0);
  const { openMeta } = await readCrypter(flagsOf({ method: 'aes128-ctr', key: KEYS['aes128-ctr'] }));
  expect(BackupMeta.decode(openMeta(bodyOf('backupmeta'))).endVersion).toBeGreaterThan(0n);
});

test.each([
  [{ method: 'rot13', key: '00' }],
  [{ method: 'aes128-ctr' }],
  [{ method: 'aes128-ctr', key: KEYS['aes128-ctr'], 'key-file': '/etc/hostname' }],
  [{ method: 'aes128-ctr', key: KEYS['aes256-ctr'] }],
  [{ method: 'aes128-ctr', key: 'not hex' }],
  [{ method: 'aes128-ctr', 'key-file': '/nowhere/key' }],
])('%j is refused', async (flags) => {
  await expect(readCrypter(flagsOf(flags as unknown as Record<string, string>))).rejects.toThrow(
    '[BR:Common:ErrInvalidArgument]invalid argument',
  );
});

test('without a method nothing is encrypted', async () => {
  const { seal, openMeta } = await readCrypter(new Map());
  expect(seal(Buffer.from('a'))).toEqual({ iv: Buffer.alloc(0), body: Buffer.from('a') });
  expect(openMeta(Buffer.from('a'))).toEqual(Buffer.from('a'));
});
