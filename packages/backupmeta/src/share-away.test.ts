/** A share that goes for one look of a verification and comes back: what lies beneath its mount says nothing of the backup. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type BackupFiles, backupFilesIn } from '@tidemark/storage/backup-files';
import { confirmedFiles } from '@tidemark/storage/confirmed-files';
import { openStorage } from '@tidemark/storage/open-storage';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sealedBackup } from './testing/sealed-backup.ts';
import { verifyContent } from './verify-content.ts';

const signal = AbortSignal.timeout(60_000);
let above: string;
let mount: string;
let backup: BackupFiles;
beforeEach(async () => {
  above = mkdtempSync(join(tmpdir(), 'tidemark-share-'));
  mount = join(above, 'mount');
  mkdirSync(mount);
  const storage = Storage.create({ id: 's1', root: 'nfs', location: { $case: 'local', value: { path: mount } } });
  backup = await backupFilesIn(await openStorage(storage, {}), 'nfs/c1/p');
  for (const [name, content] of sealedBackup()) await backup.write(name, content, signal);
});
afterEach(() => rmSync(above, { recursive: true, force: true }));

const away = () => {
  renameSync(mount, join(above, 'server'));
  mkdirSync(mount);
};
const back = () => {
  if (!existsSync(join(above, 'server'))) return;
  rmSync(mount, { recursive: true });
  renameSync(join(above, 'server'), mount);
};

/** The files of the backup, whose share is away for the look of that number, counted from 0. */
function awayFor(chosen: number): { readonly files: BackupFiles; readonly looks: () => number } {
  let looks = 0;
  const look = () => {
    if (looks === chosen) away();
    looks += 1;
  };
  const files: BackupFiles = {
    ...backup,
    async *list(...asked) {
      look();
      yield* backup.list(...asked);
    },
    read(...asked) {
      look();
      return backup.read(...asked);
    },
    stream(...asked) {
      look();
      return backup.stream(...asked);
    },
  };
  return { files, looks: () => looks };
}

it.each(['meta', 'bytes'] as const)('finds nothing at the level %s, whichever look it was', async (level) => {
  const options = { level, filesAtOnce: 1 };
  const { files, looks } = awayFor(-1);
  expect(await verifyContent(files, signal, options)).toMatchObject({ verdict: 'good' });
  expect(looks()).toBeGreaterThan(4);
  for (let look = 0; look < looks(); look += 1) {
    const unsteady = confirmedFiles(awayFor(look).files, async () => back());
    const found = await verifyContent(unsteady, signal, options);
    expect(found, `look ${look}`).toMatchObject({ verdict: 'good', problems: [] });
  }
});

it('tells what is missing all the same, and ends where the storage is not known again', async () => {
  await backup.remove(['1/a_write.sst'], signal);
  const missing = await verifyContent(
    confirmedFiles(backup, async () => undefined),
    signal,
    { level: 'bytes' },
  );
  expect(missing).toMatchObject({ verdict: 'damaged', problems: [{ kind: 'missing' }], problemCount: 1 });
  const gone = new Error('not the known storage');
  const unknown = confirmedFiles(backup, () => Promise.reject(gone));
  await expect(verifyContent(unknown, signal, { level: 'bytes' })).rejects.toBe(gone);
});
