/** The bin of a storage through the API: real files, real workers, and a copy of backup-service that is killed. */
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startTidemark, type Tidemark } from './tidemark.ts';

describe('the bin of a storage', () => {
  const mongo = new MongoClient(inject('mongodbUrl'));
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({ copies: { 'backup-service': 2 } });
  }, 120_000);
  afterAll(async () => {
    await mongo.close();
    await tidemark?.[Symbol.asyncDispose]();
  });

  interface StorageView {
    readonly trashDays: number;
    readonly bin?: { readonly backups: number; readonly sizeBytes: number };
  }
  const storage = async () =>
    (await tidemark.patiently<{ storage: StorageView }>('GET', '/storages/local')).data.storage;
  const good = async (clusterId: string) => tidemark.untilState(await tidemark.start(clusterId), 'Succeeded');
  const hasFiles = (path: string) => tidemark.files(path).includes('backupmeta');

  it('keeps what is deleted with all its files, has it back, and removes it once its time is over', async () => {
    const { path } = (await tidemark.patiently<{ storage: { path: string } }>('GET', '/storages/local')).data.storage;
    const put = await tidemark.patiently('PUT', '/storages/local', { type: 'local', path, trashDays: 7 });
    expect(put, put.message).toMatchObject({ status: 200, data: { storage: { trashDays: 7 } } });
    const clusterId = await tidemark.cluster('kept');
    const { id, filePath, sizeBytes } = await good(clusterId);

    for (let i = 0; i < 2; i += 1)
      expect(await tidemark.call('DELETE', `/backups/${id}`)).toMatchObject({
        status: 200,
        data: {
          backup: { status: 'Finished', deletion: { state: 'Trashed', trashUntil: expect.stringContaining('T') } },
        },
      });
    expect(hasFiles(filePath)).toBe(true);
    expect(await tidemark.backups(clusterId)).toEqual([]);
    expect((await tidemark.backups(clusterId, '&includeDeleted=true')).map((one) => one.id)).toEqual([id]);
    expect((await storage()).bin).toEqual({ backups: 1, sizeBytes });
    const plan = await tidemark.patiently('POST', '/restores/plan', { backupId: id, targetClusterId: clusterId });
    expect(plan).toMatchObject({ status: 409, message: expect.stringContaining('undelete') });

    const back = await tidemark.call('POST', `/backups/${id}/undelete`);
    expect(back, back.message).toMatchObject({ status: 200, data: { backup: { deletion: { state: 'None' } } } });
    expect((await tidemark.backups(clusterId)).map((one) => one.id)).toEqual([id]);
    expect((await storage()).bin).toEqual({ backups: 0, sizeBytes: 0 });

    await tidemark.call('DELETE', `/backups/${id}`);
    const copy = tidemark.stack.processes.find(({ name }) => name.startsWith('backup-service'));
    copy?.kill('SIGKILL');
    const records = mongo.db(tidemark.database).collection<{ _id: string; revision: number }>('backups');
    await records.updateOne(
      { _id: id },
      { $set: { 'deletion.trashUntil': new Date(Date.now() - 1_000) }, $inc: { revision: 1 } },
    );
    await expect.poll(() => tidemark.files(filePath), { timeout: 30_000 }).toEqual([]);
    await expect
      .poll(async () => (await tidemark.call('POST', `/backups/${id}/undelete`)).status, { timeout: 10_000 })
      .toBe(404);
    await copy?.start();
  });
});
