import { createDecipheriv } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { metadataLimit } from '@tidemark/backupmeta/backupmeta';
import { type Decrypt, PLAIN } from '@tidemark/backupmeta/crypter';
import { MANIFEST, sealOf } from '@tidemark/backupmeta/seal';
import { DATA, sealedBackup } from '@tidemark/backupmeta/testing/sealed-backup';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type BackupFiles, openBackupFiles } from '@tidemark/storage/backup-files';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkSource } from './source-check.ts';

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
  const check = (of = chosen, decrypt = PLAIN) => checkSource(files, of, { decrypt, limit }, signal);

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
});
