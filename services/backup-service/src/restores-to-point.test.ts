/** What the plan of a restore to a point in time tells by those before, over gRPC as people and workers ask. */
import { RenewRestoreRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { RestoreEndKind, TargetLook } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import { StartRestoreRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { expect, it } from 'vitest';
import { tsoAt } from './snapshot-time.ts';
import { generationOf, logsOfCluster } from './testing/logs-of-cluster.ts';
import { restoreCalls } from './testing/restore-calls.ts';

const calls = restoreCalls();
const { service, cluster, target, plan, read, working } = calls;
const { goodAt, logged } = logsOfCluster(calls);
const BEGAN = Date.now();
const ago = (minutes: number) => tsoAt(new Date(BEGAN - minutes * 60_000));
const point = () => ({ clusterId: cluster(), time: undefined, ts: ago(10) });
const planned = async () => {
  const { checks } = await plan({ backupId: '', point: point() });
  return checks.find(({ name }) => name === 'garbageCollection');
};

/** A restore to the point by a worker that has it, up to before its `br` begins. */
async function claimed() {
  const { hash } = await plan({ backupId: '', point: point() });
  const wish = { point: point(), targetClusterId: target.id, planHash: hash, confirm: target.id };
  const { restore } = await service().restores.startRestore(
    StartRestoreRequest.create({ ...wish, acknowledge: ['worker'] }),
  );
  const id = restore?.id ?? '';
  return { id, worker: await working(id) };
}

it('garbage collection is warned of in the plan of the next one, where it was seen off', async () => {
  await goodAt(ago(20));
  await logged([generationOf(1, ago(30), ago(0))]);
  expect(await planned()).toMatchObject({ result: 'unknown' });
  expect((await plan()).checks.map(({ name }) => name)).not.toContain('garbageCollection');
  const { id, worker } = await claimed();
  const collection = { off: ['10.0.0.2:20180'], unseen: 0 };
  const starting = { brVersion: 'v8.5.0', host: 'h1', hasCheckpoint: true, argv: ['restore', 'point'], collection };
  await service().executor.renewRestore(RenewRestoreRequest.create({ restore: worker.restore, starting }));
  expect((await read(id)).cleanup).toMatchObject([
    { what: 'collectionOff', message: expect.stringMatching(/before this restore began .* 10\.0\.0\.2:20180/) },
  ]);
  expect(await planned()).toMatchObject({
    result: 'warn',
    message: expect.stringMatching(`10\\.0\\.0\\.2:20180 .* when an earlier restore saw it`),
  });
  const look = TargetLook.create({ at: new Date(), collection: { off: [], unseen: 0 } });
  await worker.ends(RestoreEndKind.RESTORE_END_KIND_DIRTY, { look });
  expect(await planned()).toMatchObject({ result: 'unknown' });
});

it('estimates what a log takes by those that were replayed before', async () => {
  await goodAt(ago(20));
  await logged([generationOf(1, ago(30), ago(0))]);
  const estimate = async () => (await plan({ backupId: '', point: point() })).estimateBasis;
  expect(await estimate()).toContain('What the log adds is not in it.');
  const { worker } = await claimed();
  await worker.starts();
  // Ten minutes of log.
  const result = { sizeBytes: 7n, seconds: 100, logSeconds: 40, summary: 'a', remark: '' };
  await worker.ends(RestoreEndKind.RESTORE_END_KIND_SUCCEEDED, { result });
  expect(await estimate()).toContain('In it are 240 s for each hour of the log, as the last restore to a point');

  // One whose record is damaged is left out, and no plan fails for it.
  const damaged = { source: { tso: 'x', point: { tso: 'y' } }, result: 5, target: { clusterId: target.id } };
  await service()
    .db.collection<{ _id: string }>('backups')
    .insertOne({ _id: 'damaged', ...{ restoreTime: new Date(), restore: damaged } });
  expect(await estimate()).toContain('In it are 240 s for each hour of the log, as the last restore to a point');
});
