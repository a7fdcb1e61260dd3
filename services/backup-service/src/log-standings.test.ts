/** What backup-service tells the scheduler of all log backups. */
import { LogState, LogWish } from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import { expect, it } from 'vitest';
import { instantOf, type LogBackup } from './log/log-backup.ts';
import { tsoAt } from './snapshot-time.ts';
import { backupCalls } from './testing/backup-calls.ts';
import { generationOf, logsOfCluster } from './testing/logs-of-cluster.ts';

const calls = backupCalls();
const { service, cluster } = calls;
const { logged } = logsOfCluster(calls);
const settings = { storageId: 'local', retentionDays: 2, lagWarnSeconds: 600, lagCriticalSeconds: 1_800 };
const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000);

/** What is told, by cluster. */
async function told() {
  const found = new Map<string, unknown>();
  for await (const { logs } of service().logBackups.scanLogBackups({}))
    for (const log of logs) found.set(log.clusterId, log);
  return found;
}

const running = (checkpoint: Date): LogBackup['observed'] => ({
  ...{ state: 'Running', seenAt: new Date(), askedAt: new Date(), unreachable: null },
  ...{ checkpoint: String(tsoAt(checkpoint)), ranAt: checkpoint, errors: [], foreign: null },
});

it('they have what is wanted and seen, the alarms of the log that is written apart from others, and what can be restored from', async () => {
  const first = generationOf(1, tsoAt(hoursAgo(90)), tsoAt(hoursAgo(70)), { open: false, endedWhy: 'vanished' });
  const second = generationOf(2, tsoAt(hoursAgo(20)), tsoAt(hoursAgo(1)), { baseId: 'b' });
  const cleanup = [{ taskName: first.taskName, since: hoursAgo(70) }];
  await logged([first, second], { wanted: 'on', settings, observed: running(hoursAgo(1)), cleanup });
  const at = (tso: string | null) => instantOf(tso ?? '0');
  expect((await told()).get(cluster())).toMatchObject({
    ...{ wanted: LogWish.LOG_WISH_ON, state: LogState.LOG_STATE_RUNNING, healthy: false },
    alarms: [{ name: 'logLagging', critical: true }],
    asides: [{ name: 'logSafepoints' }, { name: 'horizonNotMet' }],
    spans: [first, second].map(({ min, max }) => ({ fromTime: at(min), toTime: at(max) })),
  });
});

it('nothing is told of one that never ran, and that one is damaged is told and hides no other', async () => {
  const good = cluster();
  await logged([generationOf(1, tsoAt(hoursAgo(9)), tsoAt(hoursAgo(0)), { baseId: 'b' })], {
    ...{ wanted: 'on', settings, observed: running(new Date()) },
  });
  const damaged = `${good}-damaged`;
  const logs = service().db.collection<LogBackup>('logBackups');
  await logs.insertOne({ _id: damaged, wanted: 'on' } as LogBackup);
  const all = await told();
  expect(all.get(good)).toMatchObject({ healthy: true, alarms: [] });
  expect(all.get(damaged)).toMatchObject({ healthy: false, alarms: [{ name: 'logUnreadable' }] });
  await logs.deleteOne({ _id: damaged });
  await logged([], { wanted: 'off' });
  expect((await told()).has(good)).toBe(false);
});
