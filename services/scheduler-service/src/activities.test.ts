import { AppError } from '@tidemark/errors/app-error';
import { ChangedBackup, ClusterActivity } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { Cluster } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { FleetVerdict, ListFleetRequest } from '@tidemark/protocol/grpc/tidemark/scheduler/v1/fleet_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Activities, createActivities } from './activities.ts';
import type { Backends } from './backends.ts';
import { createFleet } from './fleet.ts';
import { createQuarantines } from './quarantines.ts';
import { listFleet } from './rpc/list-fleet.ts';
import { everyDay, Neighbours, type NeighboursServer, serveNeighbours } from './testing/neighbours.ts';

const signal = new AbortController().signal;
let neighbours: Neighbours;
let server: NeighboursServer;
let backends: Backends;
let passedMs: number;
let revision = 0n;
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
  passedMs = 0;
});

const now = () => new Date(Date.now() + passedMs);

/** What runs in a cluster changes, and that is told unless it is kept back. */
function runs(clusterId: string, percent: number, { queuePosition = 0, told = true } = {}) {
  revision += 1n;
  const backupId = `run-${clusterId}`;
  if (told)
    neighbours.changedBackups = [
      ...neighbours.changedBackups.filter((one) => one.clusterId !== clusterId),
      ChangedBackup.create({ backupId, clusterId, revision, updateTime: now() }),
    ];
  const progress = { step: 'Full Backup', percent, speed: '', elapsed: '' };
  neighbours.activities.set(
    clusterId,
    ClusterActivity.fromPartial({ clusterId, active: { backupId, progress, queuePosition } }),
  );
}

describe('what runs in clusters', () => {
  let activities: Activities;
  beforeEach(() => {
    activities = createActivities({ backends, now });
  });

  const percentOf = async (...ids: string[]) => {
    const found = await activities.of(ids, signal);
    return ids.map((id) => found.get(id)?.active?.progress?.percent);
  };
  const askedSince = async (ask: () => Promise<unknown>) => {
    neighbours.activitiesAsked.length = 0;
    await ask();
    return neighbours.activitiesAsked.toSorted();
  };

  it('is asked for once, and again where it changed', async () => {
    runs('a', 10);
    expect(await percentOf('a', 'idle')).toEqual([10, undefined]);
    expect(await askedSince(() => percentOf('a', 'idle'))).toEqual(['a']);
    expect(await askedSince(() => percentOf('a', 'idle'))).toEqual([]);
    runs('a', 20);
    expect(await askedSince(() => percentOf('a', 'idle'))).toEqual(['a']);
    expect(await percentOf('a', 'idle')).toEqual([20, undefined]);
  });

  it('is asked for with one question by all who ask at once', async () => {
    for (const id of ['a', 'b']) runs(id, 10);
    await percentOf('c');
    await percentOf('c');
    const before = neighbours.rounds;
    const all = () => Promise.all(Array.from({ length: 20 }, () => activities.of(['a', 'b'], signal)));
    expect(await askedSince(all)).toEqual(['a', 'b']);
    expect(neighbours.rounds - before).toBeLessThanOrEqual(1);
  });

  it('is not kept where a change was told while it was asked for', async () => {
    runs('a', 10);
    await percentOf('other');
    await percentOf('other');
    const { release, arrived } = neighbours.holdActivities();
    const early = activities.of(['a'], signal);
    await arrived;
    runs('a', 20);
    // Tells of the change, and asks for what is no longer kept.
    const late = activities.of(['a'], signal);
    await expect.poll(() => neighbours.activitiesAsked.filter((id) => id === 'a').length).toBe(2);
    release();
    expect((await early).get('a')?.active?.progress?.percent).toBe(10);
    expect((await late).get('a')?.active?.progress?.percent).toBe(20);
    expect(await percentOf('a')).toEqual([20]);
  });

  it('is asked for again once a place in a queue is some seconds old, and any other after minutes', async () => {
    runs('queued', 0, { queuePosition: 7, told: false });
    runs('running', 10, { told: false });
    await percentOf('queued', 'running');
    passedMs += 6_000;
    expect(await askedSince(() => percentOf('queued', 'running'))).toEqual(['queued']);
    for (let minutes = 1; minutes <= 5; minutes += 1) {
      passedMs += 59_000;
      await percentOf('other');
    }
    passedMs += 59_000;
    expect(await askedSince(() => percentOf('running'))).toEqual(['running']);
  });

  it('is forgotten over a pause, instead of reading all that changed', async () => {
    runs('a', 10);
    await percentOf('a');
    await percentOf('a');
    passedMs += 3_600_000;
    runs('a', 90);
    const before = neighbours.rounds;
    expect(await percentOf('a')).toEqual([90]);
    expect(neighbours.rounds).toBe(before);
  });

  it('is asked for again after a question that failed', async () => {
    runs('a', 10);
    await percentOf('other');
    neighbours.refusals = 10;
    await expect(percentOf('a')).rejects.toMatchObject({ code: 'unavailable' });
    neighbours.refusals = 0;
    expect(await percentOf('a')).toEqual([10]);
  });
});

describe('a page of the fleet', () => {
  it('waits no longer for what runs than it may, says that it is left out, and has it the next time', async () => {
    neighbours.clusters = [Cluster.create({ id: 'a', createTime: new Date(Date.now() - 86_400_000) })];
    neighbours.strategies = [everyDay('a', 'default', new Date(Date.now() + 1), new Date(Date.now() + 2))];
    const fleet = createFleet({ backends, quarantines: createQuarantines(), now });
    await fleet.rebuild(signal);
    runs('a', 30);
    const { release } = neighbours.holdActivities();
    const activities = createActivities({ backends, now });
    const context = { signal } as CallContext;
    const hasty = listFleet({ fleet, activities, now, patienceMs: 50 });
    const early = await hasty(ListFleetRequest.create({}), context);
    expect(early).toMatchObject({
      withoutActivity: true,
      rows: [{ clusterId: 'a', verdict: FleetVerdict.FLEET_VERDICT_NEVER, active: undefined }],
    });
    release();
    const page = () => listFleet({ fleet, activities, now })(ListFleetRequest.create({}), context);
    expect(await page()).toMatchObject({ withoutActivity: false, rows: [{ active: { progress: { percent: 30 } } }] });
  });

  it('is shown without what runs while backup-service is away, and fails where that is at fault', async () => {
    neighbours.clusters = [Cluster.create({ id: 'a' })];
    const fleet = createFleet({ backends, quarantines: createQuarantines(), now });
    await fleet.rebuild(signal);
    const page = (code: 'unavailable' | 'internal') => {
      const activities = { of: () => Promise.reject(new AppError(code, 'It does not answer.')) };
      return listFleet({ fleet, activities, now })(ListFleetRequest.create({}), { signal } as CallContext);
    };
    expect(await page('unavailable')).toMatchObject({ withoutActivity: true, rows: [{ clusterId: 'a' }] });
    await expect(page('internal')).rejects.toMatchObject({ code: 'internal' });
  });

  it('follows what changes, also where only time passes', async () => {
    neighbours.clusters = ['a', 'b'].map((id) => Cluster.create({ id, createTime: new Date(Date.now() - 86_400_000) }));
    neighbours.strategies = [everyDay('a', 'default', new Date(Date.now() + 1), new Date(Date.now() + 2))];
    const fleet = createFleet({ backends, quarantines: createQuarantines(), now });
    await fleet.rebuild(signal);
    const list = listFleet({ fleet, activities: createActivities({ backends, now }), now });
    const verdicts = async () => {
      const { rows } = await list(ListFleetRequest.create({}), { signal } as CallContext);
      return rows.map(({ clusterId, verdict }) => [clusterId, verdict]);
    };
    const [never, none] = [FleetVerdict.FLEET_VERDICT_NEVER, FleetVerdict.FLEET_VERDICT_NO_PLAN];
    const [inTime, late] = [FleetVerdict.FLEET_VERDICT_IN_TIME, FleetVerdict.FLEET_VERDICT_LATE];
    expect(await verdicts()).toEqual([
      ['a', never],
      ['b', none],
    ]);
    neighbours.changedBackups = [
      ChangedBackup.create({
        backupId: 'good',
        clusterId: 'a',
        revision: 1n,
        good: true,
        endTime: now(),
        updateTime: now(),
      }),
    ];
    await fleet.refresh(new Set(), signal);
    expect(await verdicts()).toEqual([
      ['b', none],
      ['a', inTime],
    ]);
    passedMs += 36 * 3_600_000;
    expect(await verdicts()).toEqual([
      ['a', late],
      ['b', none],
    ]);
  });
});
