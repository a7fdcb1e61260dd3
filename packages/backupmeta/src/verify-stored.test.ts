/** What is found of files that are none, or too large, in every kind of storage: a finding, and nothing that is waited for. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type BackupFiles, backupFilesIn } from '@tidemark/storage/backup-files';
import { openStorage } from '@tidemark/storage/open-storage';
import { createKinds } from '@tidemark/storage/testing/kinds';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { MANIFEST } from './seal.ts';
import { sealedBackup } from './testing/sealed-backup.ts';
import { toSentence } from './verdict.ts';
import { verifyStored } from './verify-stored.ts';

const INSTALL_MS = 600_000;
const signal = AbortSignal.timeout(INSTALL_MS);
const kinds = createKinds({ signal, say: console.error });
afterAll(() => kinds[Symbol.asyncDispose]());
const KEYS = [generateKeyPairSync('ed25519').publicKey];
const METADATA = 'backupmeta.datafile.000000001';

let paths = 0;

/** A backup in a storage, a new one for each test. */
function backupIn(kind: typeof kinds.local | typeof kinds.s3) {
  let storage: Awaited<ReturnType<typeof openStorage>>;
  let path: string;
  let files: BackupFiles;
  beforeAll(async () => {
    await kind.start();
    storage = await openStorage(kind.storage(), kind.env);
  }, INSTALL_MS);
  beforeEach(async () => {
    paths += 1;
    path = `verify/m${paths}`;
    files = await backupFilesIn(storage, path);
    for (const [name, content] of sealedBackup()) await files.write(name, content, signal);
  });
  return {
    files: () => files,
    verify: (keys = KEYS, options: Partial<Parameters<typeof verifyStored>[2]> = {}) =>
      verifyStored({ files, path, keys }, signal, { level: 'meta', ...options }),
  };
}

describe.each([
  ['a folder', kinds.local],
  ['S3', kinds.s3],
  ['Azure', kinds.azure],
  ['Google Cloud Storage', kinds.gcs],
])('a backup in %s', (_, kind) => {
  const { files, verify } = backupIn(kind);

  it('whose manifest is larger than any says so of that one file', async () => {
    await files().write(MANIFEST, Buffer.alloc(2 ** 20 + 1, ' '), signal);
    const { report, manifest } = await verify();
    expect(report).toMatchObject({ verdict: 'incomplete', problems: [{ kind: 'unsigned', name: MANIFEST }] });
    expect(manifest.signature).toBe('none');
    const unasked = await verify([]);
    expect(unasked.report).toMatchObject({ verdict: 'incomplete', problems: [{ kind: 'unreadable', name: MANIFEST }] });
    expect(toSentence(unasked.report)).toBe('Nothing was found that is wrong, but 1 file of 7 could not be verified.');
  });

  it('with a file of metadata that is larger than what is read of one says so of that one file', async () => {
    await files().write(METADATA, Buffer.alloc(2_000), signal);
    const { report } = await verify([], { limit: { bytes: 1_000, ms: 30_000 } });
    expect(report).toMatchObject({ verdict: 'incomplete', problems: [{ kind: 'unreadable', name: METADATA }] });
  });
});

describe('a backup in a folder', () => {
  const { files, verify } = backupIn(kinds.local);

  it.each([
    [MANIFEST, { verdict: 'incomplete', problems: [{ kind: 'unsigned', name: MANIFEST }] }],
    [METADATA, { verdict: 'incomplete', problems: [{ kind: 'unsigned' }, { kind: 'unreadable', name: METADATA }] }],
    ['backupmeta', { verdict: 'damaged', problems: [{ kind: 'content', name: 'backupmeta' }, { kind: 'unsigned' }] }],
  ])('with a folder in the place of %s says so of that one file', async (name, found) => {
    await files().remove([name], signal);
    mkdirSync(join(files().folder ?? '', name), { recursive: true });
    const { report } = await verify();
    expect(report).toMatchObject(found);
  });
});
