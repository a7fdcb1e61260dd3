/** What the metrics of backup-service say of log backups. */
import { expect, it, vi } from 'vitest';
import type { LogBackup } from './log/log-backup.ts';
import { tsoAt } from './snapshot-time.ts';
import { backupCalls } from './testing/backup-calls.ts';
import { generationOf, logsOfCluster } from './testing/logs-of-cluster.ts';

const calls = backupCalls();
const { service, cluster } = calls;
const { logged } = logsOfCluster(calls);
const HOUR_MS = 3_600_000;
const WAIT = { timeout: 40_000, interval: 200 };
const settings = { storageId: 'local', retentionDays: 2, lagWarnSeconds: 600, lagCriticalSeconds: 1_800 };
const hoursAgo = (hours: number) => new Date(Date.now() - hours * HOUR_MS);

function seen(state: LogBackup['observed']['state'], checkpoint: Date): LogBackup['observed'] {
  return {
    ...{ state, seenAt: new Date(), askedAt: new Date(), unreachable: null, checkpoint: String(tsoAt(checkpoint)) },
    ...{ ranAt: checkpoint, errors: [], foreign: null },
  };
}

/** The lines about the cluster, each with its labels but that, and its value. */
async function lines(): Promise<Map<string, number>> {
  const text = await (await fetch(`http://${service().operations}/metrics`)).text();
  const own = text.split('\n').filter((line) => line.includes(`cluster="${cluster()}"`));
  return new Map(
    own.map((line) => {
      const [name = '', value] = line.replace(`cluster="${cluster()}"`, '').split(' ');
      return [name.replace('{,', '{').replace('{}', ''), Number(value)];
    }),
  );
}

/** What is told once all are counted, as every copy does when it starts. */
async function counted(untilSo: (found: Map<string, number>) => void): Promise<Map<string, number>> {
  await using _ = await service().another();
  return await vi.waitFor(async () => {
    const found = await lines();
    untilSo(found);
    return found;
  }, WAIT);
}

it('they have the lag, the alarms that stand with how bad each is, and for how long a log can yet be resumed, while it is wanted', async () => {
  const generations = [generationOf(1, tsoAt(hoursAgo(30)), tsoAt(hoursAgo(1)), { baseId: 'b' })];
  const stands = (alarm: string) => (found: Map<string, number>) =>
    expect(found.get(`tidemark_cluster_log_alarm{alarm=${alarm}}`)).toBe(1);
  await logged(generations, { wanted: 'on', settings, observed: seen('Running', hoursAgo(1)) });
  const lagging = await counted(stands('"logLagging",severity="critical"'));
  expect(lagging.get('tidemark_cluster_log_lag_seconds')).toBeGreaterThanOrEqual(3_600);
  expect(lagging.has('tidemark_cluster_log_resumable_seconds')).toBe(false);

  await logged(generations, { wanted: 'paused', reached: true, settings, observed: seen('Paused', hoursAgo(22)) });
  const paused = await counted(stands('"logPauseEnds",severity="warning"'));
  expect(paused.get('tidemark_cluster_log_resumable_seconds')).toBeLessThanOrEqual(7_200);
  expect(paused.has('tidemark_cluster_log_lag_seconds')).toBe(false);

  await logged(generations, { wanted: 'off', settings });
  await counted((found) => expect([...found.keys()]).toEqual([]));
}, 120_000);
