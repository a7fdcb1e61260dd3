import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { metadataLimit } from '@tidemark/backupmeta/backupmeta';
import { PLAIN } from '@tidemark/backupmeta/crypter';
import { sealedBackup } from '@tidemark/backupmeta/testing/sealed-backup';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { type BackupFiles, openBackupFiles } from '@tidemark/storage/backup-files';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkFilter } from './filter-check.ts';

const signal = AbortSignal.timeout(60_000);
const limit = metadataLimit(1_000_000);
const TABLES = { Shop: ['Orders', 'items'], crm: ['people'], spare: [], mysql: ['user'] };

describe('the filter of a restore', () => {
  let root: string;
  let files: BackupFiles;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'tidemark-filter-'));
    const storage = Storage.create({ id: 's', location: { $case: 'local', value: { path: root } } });
    files = await openBackupFiles(storage, 'c1/p', {});
    for (const [name, content] of sealedBackup(undefined, undefined, TABLES)) await files.write(name, content, signal);
  });
  afterEach(() => rmSync(root, { recursive: true }));
  const check = (filter: readonly string[]) => checkFilter(files, filter, { decrypt: PLAIN, limit }, signal);

  it.each([
    [['shop.orders']],
    [['SHOP.*']],
    [['*.orders']],
    [['shop.o*', 'crm.nosuch*']],
    [['shop.*', '!shop.nosuch', '!nosuch.*']],
    [['`spare`.*']],
    [['*.*', '!shop.*', '!crm.*']],
  ])('is fine where the backup holds what it names: %j', async (filter) => expect(await check(filter)).toBeUndefined());

  it.each([
    [['shop.orders', 'shop.nosuch'], 'shop.nosuch'],
    [['*.*', 'nosuch.*'], 'nosuch.*'],
    [['shop.*', '*.nosuch'], '*.nosuch'],
    [['spare.orders'], 'spare.orders'],
    [['nosuch.a', '`no-such`.b', 'crm.people'], 'nosuch.a, `no-such`.b'],
  ])('is refused where it names a table or a database that the backup does not hold: %j', async (filter, named) =>
    expect(await check(filter)).toEqual({
      kind: 'refused',
      code: 'NOT_IN_BACKUP',
      message: `The backup does not hold what "filter" names: ${named}.`,
    }),
  );

  it.each([[['shop.x*']], [['*.user*']], [['shop.*', '!shop.*']], [['shop.orders', '!*.*']]])(
    'is refused where it chooses nothing: %j',
    async (filter) => expect(await check(filter)).toMatchObject({ kind: 'refused', code: 'NOTHING_MATCHED' }),
  );

  it('is not judged by a part of the catalogue', async () => {
    await files.remove(['backupmeta.schema.000000002'], signal);
    expect(await check(['shop.orders'])).toMatchObject({ code: 'SOURCE_UNREADABLE' });
    await files.remove(['backupmeta'], signal);
    expect(await check(['shop.orders'])).toMatchObject({ code: 'SOURCE_UNREADABLE' });
  });
});
