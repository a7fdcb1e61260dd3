/** The check by which an admin says that a storage was moved, asked over gRPC. */
import { TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { CheckStep } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { describe, expect, it } from 'vitest';
import { bucket, MINE, movingStorages } from './testing/moving-storages.ts';

const { service, register, good, sayMoved, tell } = movingStorages();

describe('the check of a move', () => {
  it('is of an adoption or of a move, and not of both', async () => {
    const { id: storageId } = await register();
    await expect(
      service().registry.checkStorage({ storageId, pool: '', adopt: true, moved: true }),
    ).rejects.toMatchObject({ code: 'invalid_argument', details: { fields: [{ field: 'moved' }] } });
  });

  it('is not fine if its worker is of an earlier version, which does not look for it', async () => {
    const storage = await register();
    await good(storage, MINE);
    await storage.put(bucket('two'));
    const { check } = await sayMoved(storage.id);
    const steps = [CheckStep.create({ name: 'marker', ok: true, message: 'fine' })];
    await service().executor.completeCheck({ check, ok: true, steps, totalSteps: 1 });
    const { check: told } = await service().registry.getStorageCheck({ id: check.checkId });
    expect(told).toMatchObject({ ok: false, totalSteps: 2 });
    expect(told?.steps.at(-1)).toMatchObject({
      name: 'moved',
      ok: false,
      message: expect.stringContaining('update it'),
    });
  });

  it('is settled by who holds it alone', async () => {
    const storage = await register();
    await good(storage, MINE);
    await storage.put(bucket('two'));
    const probe = await sayMoved(storage.id);
    const [{ place } = { place: '' }] = probe.grant.move?.places ?? [];
    const lost = { ...probe, check: { ...probe.check, fence: 99n } };
    expect(await tell(lost, place, MINE)).toMatchObject({ standing: TaskStanding.TASK_STANDING_LOST, proven: false });
    await expect(tell(probe, place, 'none')).rejects.toMatchObject({ code: 'invalid_argument' });
  });
});
