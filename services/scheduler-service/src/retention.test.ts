import { BackupOrigin } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { Retention, Strategy } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { expect, it } from 'vitest';
import { type GoodBackup, judge } from './retention.ts';

const NOW = new Date('2026-01-10T00:00:00Z');
const rule = Strategy.create({ rule: 'nightly', timeZone: 'UTC', retention: Retention.create({ keepLast: 2 }) });
const backup = (day: number, damaged = false): GoodBackup => ({
  id: `b${day}`,
  rule: 'nightly',
  origin: BackupOrigin.BACKUP_ORIGIN_SCHEDULE,
  startTime: new Date(Date.UTC(2026, 0, day)),
  holds: [],
  sizeBytes: 1n,
  verification: undefined,
  damaged,
});
const reasons = (...backups: readonly GoodBackup[]) =>
  judge(backups, [rule], ({ retention }) => retention, NOW).map(({ backup: { id }, keepReasons }) => [
    id,
    ...keepReasons,
  ]);

it('keeps an older good backup in the place of a newer one that was found damaged, and leaves that to people', () => {
  expect(reasons(backup(1), backup(2), backup(3))).toEqual([
    ['b3', 'newest good backup', 'last 2'],
    ['b2', 'last 2'],
    ['b1'],
  ]);
  expect(reasons(backup(1), backup(2), backup(3, true))).toEqual([
    ['b3', 'found damaged: left to people'],
    ['b2', 'newest good backup', 'last 2'],
    ['b1', 'last 2'],
  ]);
});

it('keeps the backup that points of a log are restored from whatever its retention says, with all its reasons, and without an end', () => {
  const bases = new Map([
    ['b1', ['base of the points from a to b', 'base of the points from c on']],
    ['b3', ['base of the points from b on']],
  ]);
  const manual = { ...backup(0), origin: BackupOrigin.BACKUP_ORIGIN_REQUEST, holds: ['pin:1'] };
  const ofLog = { ...backup(-1), origin: BackupOrigin.BACKUP_ORIGIN_LOG, rule: '' };
  const policy = Retention.create({ keepLast: 1, keepDays: 8 });
  const judged = judge([ofLog, manual, backup(1), backup(2), backup(3), backup(4)], [rule], () => policy, NOW, bases);
  expect(judged.map(({ backup: { id }, keepReasons, expiresAt }) => [id, ...keepReasons, expiresAt])).toEqual([
    ['b4', 'newest good backup', 'last 1', 'younger than 8 days', undefined],
    ['b3', 'younger than 8 days', 'base of the points from b on', undefined],
    ['b2', undefined],
    ['b1', 'base of the points from a to b', 'base of the points from c on', undefined],
    ['b0', 'not started by the scheduler', 'pinned or in use', undefined],
    ['b-1', expect.stringContaining('started by the log backup'), undefined],
  ]);
});

it('deletes no damaged backup for its age', () => {
  expect(reasons(backup(1, true), backup(2), backup(3), backup(4)).at(-1)).toEqual([
    'b1',
    'found damaged: left to people',
  ]);
});
