/** Removals from a storage that is not where its backups are, asked over gRPC. */
import { DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { RenewTaskRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { describe, expect, it } from 'vitest';
import { bucket, bucketOf, FAILED, type Granted, MINE, movingStorages, prefixOf } from './testing/moving-storages.ts';

const { service, register, claimSoon, good, show, remove, failRemoval, removalOf, proveMoved } = movingStorages();

describe('a storage that is registered at another place', () => {
  it('leaves older backups where they are, with the old way in, and says so where that fails', async () => {
    const storage = await register();
    const { id } = await good(storage);
    await storage.put(bucket('two', 'NEW_'));
    const granted = await removalOf(id);
    expect([bucketOf(granted), prefixOf(granted)]).toEqual(['one', 'OLD_']);
    const { deletion } = await failRemoval(id);
    expect(deletion?.error).toContain(`${FAILED.message} Storage ${storage.id} is s3://two today`);
    expect(deletion?.error).toContain('s3://one');
    expect(deletion?.error).toContain(`POST /storages/${storage.id}/check and {"moved": true}`);
  });

  it('says so of a good backup of which nothing was found, too', async () => {
    const storage = await register();
    const { id, path } = await good(storage);
    await storage.put(bucket('two'));
    await remove(id);
    const { task } = await claimSoon(id);
    const value = { paths: [path], bytes: 0n, remark: '', empty: [path] };
    await service().executor.completeTask({ task, outcome: { $case: 'removed', value } });
    expect((await show(id)).deletion).toMatchObject({
      errorCode: 'FILES_GONE',
      error: expect.stringMatching(/Nothing of this good backup was found.*\{"moved": true\}/),
    });
  });

  it('has no part of that in what it tells of failures at its own place', async () => {
    const storage = await register();
    const { id } = await good(storage);
    await storage.put(bucket('one', 'NEW_'));
    expect((await failRemoval(id)).deletion?.error).toBe(FAILED.message);
  });
});

describe('a removal that finds nothing where its storage was moved', () => {
  const endRemoval = ({ task }: Granted, path: string, empty: string[]) => {
    const value = { paths: [path], bytes: 0n, remark: '', empty };
    return service().executor.completeTask({ task, outcome: { $case: 'removed', value } });
  };
  /** A backup whose removal had begun in the bucket `one`, when the storage was moved to the bucket `two`. */
  async function moved() {
    const storage = await register();
    const { id, path } = await good(storage, MINE);
    await remove(id);
    const before = await claimSoon(id);
    await announce(before, path);
    await service().executor.completeTask({
      task: before.task,
      outcome: { $case: 'removeFailed', value: { reason: FAILED } },
    });
    await storage.put(bucket('two'));
    expect((await proveMoved(storage.id, MINE)).answers).toMatchObject([{ proven: true }]);
    return { storage, id, path };
  }
  const announce = ({ task }: Granted, path: string) =>
    service().executor.renewTask(RenewTaskRequest.create({ task, removing: [path] }));

  it('fails, although it had begun at the older place, where files may remain', async () => {
    const { storage, id, path } = await moved();
    for (const prefix of ['NEW_', 'NEWER_']) {
      await endRemoval(await claimSoon(id), path, [path]);
      expect(await show(id)).toMatchObject({
        deletion: {
          state: DeletionState.DELETION_STATE_DELETE_FAILED,
          errorCode: 'FILES_GONE',
          error: expect.stringMatching(/where its storage was moved to.*It may remain in s3:\/\/one/),
        },
      });
      await storage.put(bucket('two', prefix));
    }
  });

  it('is done where it has begun there', async () => {
    const { id, path } = await moved();
    const interrupted = await claimSoon(id);
    await announce(interrupted, path);
    await service().executor.releaseTask({ task: interrupted.task, strayPath: '' });
    await endRemoval(await claimSoon(id), path, [path]);
    const kept = await service().db.collection<{ _id: string }>('backups').findOne({ _id: id });
    expect(kept).toMatchObject({ deletion: { state: 'Deleted' } });
  });
});
