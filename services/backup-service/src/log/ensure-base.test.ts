import { StartBackupRequest } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { createLogger } from '@tidemark/service-kit/logging';
import { expect, it } from 'vitest';
import { tsoAt } from '../snapshot-time.ts';
import { generationOf } from '../testing/logs-of-cluster.ts';
import { ensureBase } from './ensure-base.ts';
import { newLogBackup } from './log-backup.ts';

const HOUR = 3_600_000;
const NOW = new Date('2026-01-10T00:00:00Z');
const hoursFromNow = (hours: number) => tsoAt(new Date(NOW.getTime() + hours * HOUR));
const context = {
  ...{ signal: new AbortController().signal, timeLeftMs: () => Infinity, leavePlace() {}, requestId: 'r', callId: 'c' },
  ...{ caller: 'worker', sees: () => true, log: createLogger('test') },
};

it.each([
  ['an hour ago', -1, 1],
  ['in a hundred years, as a damaged file may say', 876_000, 0],
])('a log that is cut until %s has so many backups asked for', async (_, until, count) => {
  const cuts = [{ from: String(hoursFromNow(-2)), to: String(hoursFromNow(until)) }];
  const generation = generationOf(1, hoursFromNow(-9), hoursFromNow(0), { cuts });
  const started: StartBackupRequest[] = [];
  const dependencies = {
    logs: { apply: async () => undefined },
    finished: { newestGood: async () => [] },
    start: async (request: StartBackupRequest) => {
      started.push(StartBackupRequest.create(request));
      return { backup: undefined };
    },
    now: () => NOW,
  };
  await ensureBase(dependencies, { ...newLogBackup('one', NOW), wanted: 'on', generations: [generation] }, context);
  expect(started).toHaveLength(count);
});
