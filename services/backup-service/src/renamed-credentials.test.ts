/** Credentials that are renamed: what workers are granted for older backups, asked over gRPC. */
import { randomUUID } from 'node:crypto';
import { DeletionState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { describe, expect, it, vi } from 'vitest';
import { bucket, FAILED, movingStorages, prefixOf } from './testing/moving-storages.ts';

const { service, register, claimTask, claimSoon, start, good, failRemoval, removalOf } = movingStorages();

describe('credentials that were renamed', () => {
  it('are used for older backups too, and so is all of the way in, at each grant', async () => {
    const storage = await register();
    const { id } = await good(storage);
    const interrupted = await start(await storage.cluster());
    const before = interrupted.value.storageDigest;
    const fields = { region: 'eu-1', storageClass: 'GLACIER', forcePathStyle: false };
    await storage.put({ ...bucket('one', 'NEW_', fields), sendCredentialsToTikv: false });
    const { value: repeated } = await claimTask(interrupted.task.backupId, interrupted.task.claim);
    expect(prefixOf(repeated), 'the same claim, whose first answer may have been lost').toBe('NEW_');
    await service().executor.releaseTask({ task: interrupted.task, strayPath: '' });
    const { value: later } = await claimSoon(interrupted.task.backupId);
    for (const granted of [later, await removalOf(id)]) {
      expect(granted.storage).toMatchObject({
        id: storage.id,
        location: { value: { bucket: 'one', region: 'eu-1', storageClass: '', forcePathStyle: false } },
        credentials: { source: { $case: 'envPrefix', value: 'NEW_' } },
        sendCredentialsToTikv: false,
      });
      expect(granted.storageDigest, 'to the workers it is another storage').not.toBe(before);
    }
  });

  it('have a removal that failed go on at once, and one that is asked for again', async () => {
    const storage = await register();
    const [waiting, asked] = [await good(storage), await good(storage)];
    expect(await failRemoval(waiting.id)).toMatchObject({
      deletion: { state: DeletionState.DELETION_STATE_DELETE_FAILED, error: FAILED.message },
    });
    await failRemoval(asked.id);
    await expect(claimTask(waiting.id), 'the pause is a minute').rejects.toThrow('no grant');
    await storage.put(bucket('one', 'NEW_'));
    expect(prefixOf((await claimSoon(waiting.id)).value)).toBe('NEW_');
    expect(prefixOf(await removalOf(asked.id))).toBe('NEW_');
  });

  it('let a worker have the task that could not reach the storage by the old ones', async () => {
    const storage = await register();
    const { task, value } = await start(await storage.cluster());
    const told = {
      storageId: storage.id,
      storageDigest: value.storageDigest,
      reason: FAILED,
      passing: false,
      seconds: 1,
    };
    const claim = (outOfReach: (typeof told)[]) => {
      const asks = {
        backupId: task.backupId,
        claim: randomUUID(),
        worker: 'w2',
        pool: 'default',
        instance: 'i2'.padEnd(16, '-'),
      };
      return service().executor.claimTask({ ...asks, outOfReach });
    };
    const free = {
      instance: 'i3'.padEnd(16, '-'),
      worker: 'w3',
      host: '',
      pool: 'default',
      slots: 1,
      freeSlots: 1,
      draining: false,
      freeToVerify: false,
    };
    await service().executor.reportPresence({ ...free, brVersions: [], running: [], outOfReach: [] });
    await service().executor.releaseTask({ task, strayPath: '' });
    expect((await claim([told])).grant, 'another one may have it').toBeUndefined();
    await storage.put(bucket('one', 'NEW_'));
    await vi.waitFor(async () => expect((await claim([told])).grant).toBeDefined(), { timeout: 10_000 });
  });
});
