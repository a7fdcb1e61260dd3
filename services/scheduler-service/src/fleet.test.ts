import { randomUUID } from 'node:crypto';
import { BackupResult, BackupState } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { ChangedBackup } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { LogStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import { Cluster } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import {
  Retention,
  type Strategy,
  VerificationRule,
} from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import { renderMetrics } from '@tidemark/service-kit/metrics';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Backends } from './backends.ts';
import { createFleet } from './fleet.ts';
import { startFleetLoop } from './fleet-loop.ts';
import { tellOf } from './metrics.ts';
import { createQuarantines } from './quarantines.ts';
import { everyDay, goodBackup, Neighbours, type NeighboursServer, serveNeighbours } from './testing/neighbours.ts';

const DAY = 86_400_000;
const eventually = <T>(check: () => T) => vi.waitFor(check, { timeout: 10_000, interval: 20 });
const ago = (days: number) => new Date(Date.now() - days * DAY);

describe('the fleet', () => {
  let neighbours: Neighbours;
  let server: NeighboursServer;
  let backends: Backends;
  let clusterId: string;
  beforeAll(async () => {
    server = await serveNeighbours(() => neighbours);
    backends = server.backends();
  });
  afterAll(async () => {
    backends[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    neighbours = new Neighbours();
    clusterId = `c-${randomUUID().slice(0, 8)}`;
    neighbours.clusters = [Cluster.create({ id: clusterId, labels: { env: 'prod' }, createTime: ago(30) })];
  });

  const now = () => new Date();
  const start = (times: { retentionMs?: number; rebuildMs?: number } = {}) => {
    const running = new AsyncDisposableStack();
    const quarantines = createQuarantines();
    const fleet = createFleet({ backends, quarantines, now });
    running.use(tellOf(fleet, now));
    const loop = startFleetLoop({
      fleet,
      backends,
      quarantines,
      now,
      refreshMs: 20,
      rebuildMs: times.rebuildMs ?? 60_000,
      retentionMs: times.retentionMs ?? 60_000,
    });
    running.use(loop);
    return running;
  };
  const metric = async (name: string): Promise<number | undefined> => {
    const { body } = await renderMetrics();
    const line = body.split('\n').find((one) => one.startsWith(`${name}{cluster="${clusterId}"}`));
    return line === undefined ? undefined : Number(line.split(' ').at(-1));
  };
  const rule = (fields: Partial<Strategy> = {}): Strategy => ({
    ...everyDay(clusterId, 'default', ago(-1), ago(-2)),
    ...fields,
  });
  const daily = (count: number) =>
    Array.from({ length: count }, (_, index) =>
      goodBackup({ id: `b${index}`, clusterId, startTime: ago(index), endTime: ago(index) }),
    );
  const keepLast = (count: number) => Retention.create({ keepLast: count });
  const deletedIds = () => neighbours.deleted.map(({ id }) => id);

  it('tells of each cluster how old its newest good backup is, what is expected, and that it has none', async () => {
    neighbours.strategies = [rule({ days: ['Monday', 'Tuesday'] })];
    await using _ = start();
    await eventually(async () => expect(await metric('tidemark_cluster_has_good_backup')).toBe(0));
    expect(await metric('tidemark_cluster_backup_age_seconds')).toBeCloseTo((30 * DAY) / 1000, -2);
    expect(await metric('tidemark_cluster_expected_interval_seconds')).toBe((6 * DAY) / 1000);
    neighbours.backups = daily(3);
    neighbours.changed = [clusterId];
    await eventually(async () => expect(await metric('tidemark_cluster_has_good_backup')).toBe(1));
    expect(await metric('tidemark_cluster_backup_age_seconds')).toBeLessThan(60);
  });

  it('takes the age from what is told of a backup that ended, and looks up what its deletion leaves, each once (F4)', async () => {
    const told = (id: string, revision: bigint, good: boolean, days: number) =>
      ChangedBackup.create({ backupId: id, clusterId, revision, good, updateTime: new Date(), endTime: ago(days) });
    const age = () => metric('tidemark_cluster_backup_age_seconds');
    const lookUps = () => neighbours.lookedUp.filter((id) => id === clusterId).length;
    neighbours.strategies = [rule({ retention: keepLast(5) })];
    neighbours.backups = daily(5).slice(3);
    await using _ = start();
    await eventually(async () => expect(await age()).toBeCloseTo((3 * DAY) / 1000, -2));
    expect(lookUps()).toBe(1);

    neighbours.changedBackups = [told('b2', 9n, true, 2), told('b9', 3n, true, 9)];
    await eventually(async () => expect(await age()).toBeCloseTo((2 * DAY) / 1000, -2));
    expect(lookUps()).toBe(1);

    await eventually(() => expect(neighbours.listed).toBe(2));
    neighbours.changedBackups = [told('b2', 10n, false, 2), told('b9', 3n, true, 9)];
    await eventually(async () => expect(await age()).toBeCloseTo((3 * DAY) / 1000, -2));
    const rounds = neighbours.rounds;
    await eventually(() => expect(neighbours.rounds).toBeGreaterThan(rounds + 3));
    expect(lookUps()).toBe(2);
    expect(neighbours.listed).toBe(3);
  });

  it('counts the log of a cluster in how old its newest recovery point is', async () => {
    const recovery = () => metric('tidemark_cluster_recovery_point_age_seconds');
    neighbours.backups = daily(3).slice(2);
    neighbours.snapshots.set('b2', ago(2));
    neighbours.logs = [LogStanding.create({ clusterId, spans: [{ fromTime: ago(3), toTime: ago(0.5) }] })];
    await using _ = start();
    await eventually(async () => expect(await recovery()).toBeCloseTo((0.5 * DAY) / 1000, -2));
  });

  it('tells how old the newest recovery point of a cluster is, and the newest verified one, by snapshots', async () => {
    const recovery = () => metric('tidemark_cluster_recovery_point_age_seconds');
    const verified = () => metric('tidemark_cluster_verified_point_age_seconds');
    const days = (count: number) => expect.closeTo((count * DAY) / 1000, -2);
    neighbours.strategies = [rule({ verify: VerificationRule.create({ everyDays: 7 }) })];
    neighbours.backups = daily(5).slice(4);
    neighbours.snapshots.set('b4', ago(6));
    await using _ = start();
    await eventually(async () => expect(await recovery()).toEqual(days(6)));
    expect(await verified()).toEqual(days(30));
    await eventually(async () =>
      expect(await metric('tidemark_cluster_expected_verification_seconds')).toBe((7 * DAY) / 1000),
    );

    const told = { clusterId, good: true, updateTime: new Date() };
    const newest = { ...told, backupId: 'b3', revision: 4n, endTime: ago(3), snapshotTime: ago(3.5) };
    const older = { ...told, backupId: 'b4', revision: 9n, endTime: ago(4), snapshotTime: ago(6), verified: true };
    neighbours.changedBackups = [newest, older].map((one) => ChangedBackup.create(one));
    await eventually(async () => expect(await verified()).toEqual(days(6)));
    expect(await recovery()).toEqual(days(3.5));
  });

  it('tells bytes and seconds of the newest good backup of a cluster', async () => {
    const bytes = () => metric('tidemark_cluster_backup_bytes');
    const seconds = () => metric('tidemark_cluster_backup_duration_seconds');
    const backup = { id: 'b1', clusterId, startTime: ago(3), endTime: ago(2) };
    neighbours.backups = [goodBackup({ ...backup, result: BackupResult.create({ sizeBytes: 7_000n }) })];
    await using _ = start();
    await eventually(async () => expect([await bytes(), await seconds()]).toEqual([7_000, DAY / 1000]));

    const told = { clusterId, good: true, updateTime: new Date() };
    const newer = { ...told, backupId: 'b2', revision: 4n, startTime: ago(1.5), endTime: ago(1), sizeBytes: 9_000n };
    const older = { ...told, backupId: 'b0', revision: 9n, startTime: ago(9), endTime: ago(8), sizeBytes: 1n };
    neighbours.changedBackups = [newer, older].map((one) => ChangedBackup.create(one));
    await eventually(async () => expect(await bytes()).toBe(9_000));
    expect(await seconds()).toBeCloseTo(DAY / 2000, 0);
    // From a copy of an earlier version.
    neighbours.changedBackups = [ChangedBackup.create({ ...told, backupId: 'b3', revision: 2n, endTime: ago(0.5) })];
    await eventually(async () => expect(await bytes()).toBeUndefined());
    expect(await seconds()).toBeUndefined();
  });

  it('tells how the last backup of a cluster ended, and what is no news of that changes nothing', async () => {
    const { BACKUP_STATE_FAILED, BACKUP_STATE_CANCELED } = BackupState;
    const last = async () => {
      const { body } = await renderMetrics();
      const series = new RegExp(`^tidemark_cluster_last_backup\\{cluster="${clusterId}",state="(\\w+)"\\} 1$`, 'gm');
      return [...body.matchAll(series)].map(([, state]) => state);
    };
    const told = (fields: Partial<ChangedBackup>) =>
      ChangedBackup.create({ clusterId, good: true, updateTime: new Date(), ...fields });
    neighbours.backups = daily(5).slice(3);
    neighbours.last.set(clusterId, { state: BACKUP_STATE_FAILED, endTime: ago(2) });
    await using _ = start({ rebuildMs: 50 });
    await eventually(async () => expect(await last()).toEqual(['Failed']));
    // An older one is verified.
    neighbours.changedBackups = [told({ backupId: 'b3', revision: 9n, endTime: ago(3), verified: true })];
    const rounds = neighbours.rounds;
    await eventually(() => expect(neighbours.rounds).toBeGreaterThan(rounds + 2));
    expect(await last()).toEqual(['Failed']);

    neighbours.changedBackups = [told({ backupId: 'b8', revision: 3n, endTime: ago(1) })];
    await eventually(async () => expect(await last()).toEqual(['Succeeded']));
    neighbours.last.set(clusterId, { state: BACKUP_STATE_CANCELED, endTime: ago(0) });
    neighbours.changedBackups = [told({ backupId: 'b9', revision: 3n, good: false, endTime: ago(0) })];
    await eventually(async () => expect(await last()).toEqual(['Canceled']));
    neighbours.clusters = [];
    await eventually(async () => expect(await last()).toEqual([]));
  });

  it('tells nothing of the last backup where backup-service is of an earlier version, until one succeeds', async () => {
    neighbours.backups = daily(2);
    const body = async () => (await renderMetrics()).body;
    await using _ = start();
    await eventually(async () => expect(await metric('tidemark_cluster_has_good_backup')).toBe(1));
    expect(await body()).not.toContain(`tidemark_cluster_last_backup{cluster="${clusterId}"`);
    const told = { clusterId, good: true, updateTime: new Date(), backupId: 'b9', revision: 2n };
    neighbours.changedBackups = [ChangedBackup.create({ ...told, endTime: new Date(Date.now() + 1_000) })];
    await eventually(async () =>
      expect(await body()).toContain(`tidemark_cluster_last_backup{cluster="${clusterId}",state="Succeeded"} 1`),
    );
  });

  it('takes in newest good backups and changes that are told in pieces, whole', async () => {
    neighbours.atOnce = 2;
    const ids = Array.from({ length: 7 }, (_, at) => `${clusterId}-${at}`);
    neighbours.clusters = ids.map((id) => Cluster.create({ id, createTime: ago(30) }));
    neighbours.backups = ids.map((id) =>
      goodBackup({ id: `of-${id}`, clusterId: id, startTime: ago(3), endTime: ago(3) }),
    );
    const ages = async () => {
      const { body } = await renderMetrics();
      const lines = body.split('\n').filter((one) => one.startsWith('tidemark_cluster_backup_age_seconds{'));
      return lines.filter((one) => one.includes(clusterId)).map((one) => Math.round(Number(one.split(' ').at(-1))));
    };
    const days = (count: number) => ids.map(() => expect.closeTo((count * DAY) / 1000, -2));
    await using _ = start();
    await eventually(async () => expect(await ages()).toEqual(days(3)));
    neighbours.changedBackups = ids.map((id) =>
      ChangedBackup.create({
        backupId: `new-${id}`,
        clusterId: id,
        revision: 1n,
        good: true,
        updateTime: new Date(),
        endTime: ago(1),
      }),
    );
    await eventually(async () => expect(await ages()).toEqual(days(1)));
  });

  it('names a strategy for labels that waits only after the clusters that were there were told (F5)', async () => {
    await using _ = start();
    await eventually(() => expect(neighbours.noted.has(clusterId)).toBe(true));
    expect(neighbours.toldFor.size).toBe(0);
    // As one save after nine registrations.
    const nine = Array.from({ length: 9 }, () => `c-${randomUUID().slice(0, 8)}`);
    const createTime = new Date();
    neighbours.clusters = [
      ...neighbours.clusters,
      ...nine.map((id) => Cluster.create({ id, labels: { env: 'prod' }, createTime })),
    ];
    neighbours.waiting = [{ name: 'all-prod', revision: 3n }];
    const told = await eventually(() => neighbours.toldFor.get('all-prod') ?? expect.fail('not told yet'));
    expect(told).toEqual(expect.arrayContaining([clusterId, ...nine]));
  });

  it('looks up a cluster that is registered again, whose backups are from before', async () => {
    const [cluster] = neighbours.clusters;
    neighbours.clusters = [];
    neighbours.backups = daily(3);
    await using _ = start();
    await eventually(() => expect(neighbours.rounds).toBeGreaterThan(0));
    neighbours.clusters = [cluster as Cluster];
    await eventually(async () => expect(await metric('tidemark_cluster_has_good_backup')).toBe(1));
  });

  it('forgets a cluster that is registered no longer', async () => {
    await using _ = start({ rebuildMs: 50 });
    await eventually(async () => expect(await metric('tidemark_cluster_has_good_backup')).toBe(0));
    neighbours.clusters = [];
    await eventually(async () => expect(await metric('tidemark_cluster_has_good_backup')).toBeUndefined());
  });

  it('tells strategy-service the labels of clusters', async () => {
    await using _ = start();
    await eventually(() => expect(neighbours.noted.get(clusterId)).toEqual({ env: 'prod' }));
  });

  it('has the rules of a cluster go that it has from a strategy for labels and is registered no longer', async () => {
    neighbours.strategies = [
      rule({ clusterId: 'gone', fleetStrategy: 'prod' }),
      rule({ clusterId: 'kept', fleetStrategy: '' }),
      rule({ fleetStrategy: 'prod' }),
    ];
    await using _ = start();
    await eventually(() => expect(neighbours.gone).toEqual(['gone']));
  });

  it('lets retention delete the oldest first, with the reason, and never the newest (A12)', async () => {
    neighbours.strategies = [rule({ retention: keepLast(3) })];
    neighbours.backups = daily(6);
    await using _ = start();
    await eventually(() => expect(neighbours.deleted).toHaveLength(3));
    expect(deletedIds()).toEqual(['b5', 'b4', 'b3']);
    expect(neighbours.deleted[0]).toMatchObject({
      byRetention: true,
      reason: 'Retention of rule default: keeps last 3.',
    });
  });

  it('applies retention again when a backup has succeeded and when its numbers were changed', async () => {
    neighbours.strategies = [rule({ retention: keepLast(5) })];
    neighbours.backups = daily(5);
    await using _ = start();
    await eventually(() => expect(neighbours.noted.has(clusterId)).toBe(true));
    neighbours.backups = [goodBackup({ id: 'fresh', clusterId }), ...neighbours.backups];
    neighbours.changed = [clusterId];
    await eventually(() => expect(deletedIds()).toEqual(['b4']));
    neighbours.strategies = [rule({ retention: keepLast(2) })];
    await eventually(() => expect(deletedIds()).toEqual(['b4', 'b3', 'b2', 'b1']));
  });

  it('applies changed numbers also when the round that noticed them failed half-way', async () => {
    neighbours.strategies = [rule({ retention: keepLast(5) })];
    neighbours.backups = daily(5);
    await using _ = start();
    await eventually(() => expect(neighbours.rounds).toBeGreaterThan(0));
    neighbours.refusals = 10;
    neighbours.strategies = [rule({ retention: keepLast(4) })];
    await eventually(() => expect(deletedIds()).toEqual(['b4']));
    expect(neighbours.refusals).toBe(0);
  });

  it('goes on later with deletions that are too many at once, and loses none', async () => {
    neighbours.strategies = [rule({ retention: keepLast(1) })];
    neighbours.backups = daily(10);
    neighbours.deletions = 2;
    await using _ = start();
    await eventually(() => expect(neighbours.deleted).toHaveLength(2));
    neighbours.deletions = Number.POSITIVE_INFINITY;
    await eventually(() => expect(neighbours.deleted).toHaveLength(9));
  });

  it('applies retention where it can although a rule cannot be judged, and another of its cluster too', async () => {
    const other = `${clusterId}-2`;
    neighbours.clusters.push(Cluster.create({ id: other, createTime: ago(30) }));
    neighbours.strategies = [
      rule({ retention: Retention.create({ daily: 1 }), timeZone: 'Mars/Olympus_Mons' }),
      rule({ rule: 'weekly', retention: keepLast(1) }),
      rule({ clusterId: other, retention: keepLast(1) }),
    ];
    neighbours.backups = [
      ...daily(3),
      ...[1, 2].map((days) => goodBackup({ id: `w${days}`, clusterId, rule: 'weekly', startTime: ago(days) })),
      ...[1, 2].map((days) => goodBackup({ id: `o${days}`, clusterId: other, startTime: ago(days) })),
    ];
    await using _ = start();
    await eventually(() => expect(deletedIds().sort()).toEqual(['o2', 'w2']));
  });

  it('takes in all clusters but the one that cannot be told of (F6)', async () => {
    const ids = ['a', 'b', 'c'].map((name) => `${clusterId}-${name}`);
    neighbours.clusters = ids.map((id) => Cluster.create({ id, labels: { env: 'prod' }, createTime: ago(30) }));
    neighbours.damaged.add(ids[0] ?? '');
    await using _ = start({ rebuildMs: 50 });
    await eventually(() => expect([...neighbours.noted.keys()].sort()).toEqual(ids.slice(1)));
    neighbours.damaged.clear();
    await eventually(() => expect([...neighbours.noted.keys()].sort()).toEqual(ids));
  });

  it('has no rule of a cluster go that is registered and cannot be read (F6)', async () => {
    neighbours.clusters.push(Cluster.create({ id: 'unreadable', createTime: ago(30) }));
    neighbours.unreadable.add('unreadable');
    neighbours.damaged.add('unreadable');
    neighbours.strategies = [
      rule({ clusterId: 'gone', fleetStrategy: 'prod' }),
      rule({ clusterId: 'unreadable', fleetStrategy: 'prod' }),
    ];
    await using _ = start();
    await eventually(() => expect(neighbours.gone).toEqual(['gone']));
  });

  it('leaves alone what was started by people, is pinned, or belongs to a rule without retention', async () => {
    neighbours.strategies = [rule({ retention: keepLast(1) })];
    neighbours.backups = [
      ...daily(2),
      goodBackup({ id: 'pinned', clusterId, startTime: ago(90), holds: ['pin:1'] }),
      goodBackup({ id: 'gone-rule', clusterId, startTime: ago(90), rule: 'gone' }),
      { ...goodBackup({ id: 'manual', clusterId, startTime: ago(90) }), origin: 1 },
    ];
    await using _ = start({ retentionMs: 50 });
    await eventually(() => expect(deletedIds()).toEqual(['b1']));
    neighbours.changed = [clusterId];
    await eventually(() => expect(neighbours.changed).toEqual([]));
    expect(deletedIds()).toEqual(['b1']);
  });
});
