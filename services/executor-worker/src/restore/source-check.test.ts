import { createDecipheriv, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { metadataLimit } from '@tidemark/backupmeta/backupmeta';
import { type Decrypt, PLAIN } from '@tidemark/backupmeta/crypter';
import { MANIFEST, sealOf } from '@tidemark/backupmeta/seal';
import { signManifest } from '@tidemark/backupmeta/signature';
import { DATA, sealedBackup } from '@tidemark/backupmeta/testing/sealed-backup';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type BackupFiles, openBackupFiles } from '@tidemark/storage/backup-files';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkSource, type PlacedBackup } from './source-check.ts';

const signal = AbortSignal.timeout(60_000);
const limit = metadataLimit(1_000_000);
const chosen = { tso: 435_844_546_560_000_000n, tidbClusterId: 7n };
const KEY = Buffer.from('sixteen bytes ok');
const decryptWith =
  (key: Buffer): Decrypt =>
  (content, iv) =>
    createDecipheriv('aes-128-ctr', key, iv).update(content);

describe('the source of a restore', () => {
  let root: string;
  let files: BackupFiles;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'tidemark-source-'));
    const storage = Storage.create({ id: 's', location: { $case: 'local', value: { path: root } } });
    files = await openBackupFiles(storage, 'c1/p', {});
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** Writes a backup, with the manifest of a worker beside it or without. */
  async function put(backup: Map<string, Buffer>, { sealed }: { readonly sealed: boolean }) {
    for (const [name, content] of backup) await files.write(name, content, signal);
    if (!sealed) return;
    const manifest = { backupmeta: sealOf(backup.get('backupmeta') ?? Buffer.alloc(0)) };
    await files.write(MANIFEST, JSON.stringify(manifest), signal);
  }
  const check = (of = chosen, decrypt = PLAIN, placed: Partial<PlacedBackup> = {}) => {
    const unsigned = { manifestKeys: [], signed: false, unsoundAccepted: false };
    return checkSource({ files, path: 'c1/p', ...unsigned, ...placed }, of, { decrypt, limit }, signal);
  };

  it('is sound where its catalogue is unharmed and every file is there with its size', async () => {
    await put(sealedBackup(), { sealed: true });
    expect(await check()).toMatchObject({ kind: 'sound', description: { startTso: 0n, ofKeys: false } });
  });

  it('is gone where there is no backupmeta', async () =>
    expect(await check()).toMatchObject({ kind: 'unfit', code: 'SOURCE_GONE', damaged: true }));

  it('is damaged where files are missing or have another size, which are named', async () => {
    await put(sealedBackup(), { sealed: false });
    await files.remove(['1/a_write.sst'], signal);
    await files.write('2/b_write.sst', 'rows', signal);
    const found = await check();
    expect(found).toMatchObject({ kind: 'unfit', code: 'SOURCE_DAMAGED', damaged: true });
    expect(found).toMatchObject({ message: expect.stringContaining('2/b_write.sst has 4 bytes instead of 9') });
    expect(found).toMatchObject({ message: expect.stringContaining('1/a_write.sst') });
  });

  it('is damaged where its catalogue is not what was written', async () => {
    const backup = sealedBackup();
    await put(backup, { sealed: true });
    const meta = Buffer.from(backup.get('backupmeta') ?? []);
    meta[meta.length - 1] = (meta.at(-1) ?? 0) ^ 1;
    await files.write('backupmeta', meta, signal);
    expect(await check()).toMatchObject({ kind: 'unfit', code: 'SOURCE_DAMAGED', damaged: true });
  });

  it('is not called damaged where the key may be another one', async () => {
    const other = decryptWith(Buffer.from('another key, yes'));
    for (const sealed of [true, false]) {
      await put(sealedBackup(KEY), { sealed });
      expect(await check(chosen, decryptWith(KEY))).toMatchObject({ kind: 'sound' });
      expect(await check(chosen, other)).toMatchObject({ kind: 'unfit', code: 'SOURCE_UNREADABLE', damaged: false });
      await files.remove([MANIFEST], signal);
    }
  });

  it('is another one where the snapshot or the cluster is not that which was chosen', async () => {
    await put(sealedBackup(), { sealed: true });
    expect(await check({ ...chosen, tso: 1n })).toMatchObject({ code: 'SOURCE_IS_ANOTHER', damaged: false });
    expect(await check({ ...chosen, tidbClusterId: 8n })).toMatchObject({ code: 'SOURCE_IS_ANOTHER' });
  });

  it('names a few files of many', async () => {
    await put(sealedBackup(), { sealed: false });
    await files.remove(Object.keys(DATA), signal);
    const found = await check();
    expect(found).toMatchObject({ code: 'SOURCE_DAMAGED' });
    if (found.kind === 'unfit') expect(found.message.split(';').length).toBeLessThanOrEqual(6);
  });

  describe('with a storage that has keys', () => {
    const [own, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
    const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString();
    const manifestKeys = [pem(own.publicKey)];
    const judged = (placed: Partial<PlacedBackup> = {}) => check(chosen, PLAIN, { manifestKeys, ...placed });
    /** Signs for the backup that lies there, or for another path. */
    async function sign(key: KeyObject, { path = 'c1/p', meta = sealedBackup().get('backupmeta') } = {}) {
      const manifest = { path, backupmeta: sealOf(meta ?? Buffer.alloc(0)) };
      await files.write(MANIFEST, JSON.stringify(signManifest(manifest, key)), signal);
    }

    it('is sound where one of them signed it', async () => {
      await put(sealedBackup(), { sealed: false });
      await sign(own.privateKey);
      expect(await judged({ signed: true })).toMatchObject({ kind: 'sound' });
    });

    it('is not what it was where it was signed, and is not now', async () => {
      await put(sealedBackup(), { sealed: true });
      expect(await judged({ signed: true })).toMatchObject({ code: 'SOURCE_NOT_SIGNED', damaged: false });
      await files.remove([MANIFEST], signal);
      expect(await judged({ signed: true })).toMatchObject({ code: 'SOURCE_NOT_SIGNED' });
      await sign(other.privateKey);
      expect(await judged({ signed: true })).toMatchObject({ code: 'SOURCE_NOT_SIGNED' });
      // Of one that was never signed, as those of before there were keys, nobody knows better.
      expect(await judged()).toMatchObject({ kind: 'sound' });
      expect(await judged({ signed: true, unsoundAccepted: true })).toMatchObject({ kind: 'sound' });
    });

    it('was tampered with where a signature is wrong, or the catalogue is a whole one that was not signed', async () => {
      await put(sealedBackup(), { sealed: false });
      await sign(own.privateKey, { path: 'c1/another' });
      expect(await judged()).toMatchObject({ code: 'SOURCE_TAMPERED', damaged: true });
      await sign(own.privateKey, { meta: Buffer.from('what was written') });
      expect(await judged()).toMatchObject({ code: 'SOURCE_TAMPERED', damaged: true });
      expect(await judged({ unsoundAccepted: true })).toMatchObject({ kind: 'sound' });
      // What is missing is missing, whatever a person passes over.
      await files.remove(['1/a_write.sst'], signal);
      expect(await judged({ unsoundAccepted: true })).toMatchObject({ code: 'SOURCE_DAMAGED' });
    });

    it.each([
      ['a folder', () => mkdirSync(join(root, 'c1', 'p', MANIFEST), { recursive: true })],
      ['larger than any', () => files.write(MANIFEST, Buffer.alloc(2 ** 20 + 1, ' '), signal)],
    ])('is judged, and not waited for, where its manifest is %s', async (_, spoil) => {
      await put(sealedBackup(), { sealed: false });
      await spoil();
      expect(await judged({ signed: true })).toMatchObject({ code: 'SOURCE_NOT_SIGNED' });
      expect(await judged()).toMatchObject({ kind: 'sound' });
      expect(await check()).toMatchObject({ kind: 'sound' });
    });
  });
});
