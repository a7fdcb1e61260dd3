import { createCipheriv, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCrypter, PLAIN } from './crypter.ts';

describe('the key of an encrypted backup', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-key-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const open = (crypterMethod: string, key: string | undefined) => {
    const crypterKeyFile = join(folder, 'key');
    if (key !== undefined) writeFileSync(crypterKeyFile, key);
    return openCrypter(BrOptions.create({ crypterMethod, crypterKeyFile }), undefined, AbortSignal.timeout(5_000));
  };

  it.each([
    ['aes128-ctr', 16],
    ['aes192-ctr', 24],
    ['aes256-ctr', 32],
  ])('of %s reads what was written with it', async (method, bytes) => {
    const [key, iv] = [randomBytes(bytes), randomBytes(16)];
    const decrypt = await open(method, `${key.toString('hex')}\n`);
    const cipher = createCipheriv(`aes-${8 * bytes}-ctr`, key, iv);
    expect(Buffer.from(decrypt(cipher.update('meta'), iv)).toString()).toBe('meta');
  });

  it('is none where the backup is not encrypted', async () => {
    expect(await openCrypter(undefined, undefined, AbortSignal.timeout(5_000))).toBe(PLAIN);
    expect(await open('', undefined)).toBe(PLAIN);
  });

  it('that is missing, or no key of the method, is told in the same words and without being shown', async () => {
    const told = async (key: string | undefined) =>
      String(await open('aes256-ctr', key).catch((caught: unknown) => caught)).replace(folder, '');
    const missing = await told(undefined);
    expect(missing).toContain('64 hexadecimal digits');
    expect(await told('abcdef012345')).toBe(missing);
    expect(await told(`${'ab'.repeat(32)}zz`)).toBe(missing);
  });
});
