import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { AppError } from '@tidemark/errors/app-error';
import { LogState, LogWish } from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup';
import { FleetLogVerdict, FleetVerdict } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CLUSTER, OTHER_CLUSTER } from '../testing/programmable-backends.ts';
import { type Ask, startTestGateway, type TestGateway } from '../testing/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
});
afterAll(() => gateway[Symbol.asyncDispose]());

it('tells a caller who sees no cluster an empty fleet, as of now', async () => {
  const before = Date.now();
  const { status, body } = await gateway.ask('GET', '/fleet', { token: 'labelled-nothing' });
  expect(status).toBe(200);
  expect(body.data).toMatchObject({ clusters: [], counts: { never: 0, veryLate: 0, late: 0, noPlan: 0, inTime: 0 } });
  expect(Date.parse(body.data.asOf)).toBeGreaterThanOrEqual(before);
});

it('has a cluster that is not there for nobody', async () => {
  for (const token of ['admin', 'one-cluster'])
    expect(await gateway.ask('GET', '/fleet?clusterId=nosuch', { token })).toMatchObject({
      status: 404,
      body: { message: 'There is no cluster nosuch.' },
    });
  const query = `/fleet?clusterId=${CLUSTER}&clusterId=${OTHER_CLUSTER}`;
  expect(await gateway.ask('GET', query)).toMatchObject({ status: 200 });
});

it('passes on which logs are asked for, tells how they stand, and what would be lost by the newest moment', async () => {
  const at = (text: string) => timestampFromDate(new Date(text));
  const alarm = { name: 'logMissing', critical: true, message: 'The task is gone.' };
  gateway.answers.listFleet = async () => ({
    rows: [
      {
        ...{ clusterId: CLUSTER, verdict: FleetVerdict.IN_TIME, newestPointTime: at('2026-12-01T11:00:00Z') },
        log: { verdict: FleetLogVerdict.CRITICAL, wanted: LogWish.ON, state: LogState.MISSING, alarm },
      },
    ],
    logCounts: [{ verdict: FleetLogVerdict.CRITICAL, count: 1 }],
    asOf: at('2026-12-01T12:00:00Z'),
  });
  const { body } = await gateway.ask('GET', '/fleet?log=critical&log=off');
  const { CRITICAL, OFF } = FleetLogVerdict;
  expect(gateway.received('listFleet').request).toMatchObject({ logs: [CRITICAL, OFF] });
  expect(body.data).toMatchObject({
    clusters: [
      {
        log: { verdict: 'critical', wanted: 'on', state: 'Missing', alarm },
        ...{ newestPointTime: '2026-12-01T11:00:00.000Z', rpoSeconds: 3_600 },
      },
    ],
    logCounts: { critical: 1, warning: 0, waiting: 0, healthy: 0, off: 0 },
  });
  expect(await gateway.ask('GET', '/fleet?log=unsafe')).toMatchObject({ status: 400 });
});

it('says to scheduler-service whether its clusters were asked for', async () => {
  for (const [token, query, clusterIds, withinSight] of [
    ['one-cluster', '', [CLUSTER], true],
    ['one-cluster', `?clusterId=${CLUSTER}`, [CLUSTER], false],
    ['admin', '', [], true],
  ] as const) {
    await gateway.ask('GET', `/fleet${query}`, { token });
    expect(gateway.received('listFleet').request).toMatchObject({ clusterIds, withinSight });
  }
});

it.each([201, -1, 'x'])('says from which number on a page has rows where it has %s', async (pageSize) => {
  const answer = await gateway.ask('GET', `/fleet?pageSize=${pageSize}`);
  const description = 'must be a whole number from 1 to 200';
  expect(answer).toMatchObject({ status: 400, body: { details: { fields: [{ field: 'pageSize', description }] } } });
});

describe('the changes of the fleet', () => {
  const row = { clusterId: CLUSTER, verdict: FleetVerdict.LATE };
  const counts = [{ verdict: FleetVerdict.LATE, count: 1 }];
  const asOf = timestampFromDate(new Date('2026-12-01T12:00:00Z'));
  const watched = async (query = '', options: Ask = {}) => {
    const { status, body } = await gateway.ask('GET', `/fleet/watch${query}`, options);
    return { status, events: String(body).split('\n\n').filter(Boolean) };
  };
  const dataOf = (event = '') => JSON.parse(event.split('data: ')[1] ?? '');

  it('are events, whose id is the cursor', async () => {
    gateway.answers.watchFleet = async function* () {
      yield { restart: true, rows: [row] };
      yield { counts, cursor: 'WyI4', asOf };
      yield { goneClusterIds: [CLUSTER], counts, cursor: 'WyI5', asOf };
    };
    const { status, events } = await watched();
    expect(status).toBe(200);
    expect(events[0]).toMatch(/^event: fleet\ndata: /);
    expect(dataOf(events[0])).toMatchObject({
      restart: true,
      clusters: [{ clusterId: CLUSTER, verdict: 'late' }],
      goneClusterIds: [],
    });
    expect(events[1]).toMatch(/^event: fleet\nid: WyI4\ndata: /);
    expect(dataOf(events[1])).toEqual({
      clusters: [],
      goneClusterIds: [],
      counts: { never: 0, veryLate: 0, late: 1, noPlan: 0, inTime: 0 },
      logCounts: { critical: 0, warning: 0, waiting: 0, healthy: 0, off: 0 },
      asOf: '2026-12-01T12:00:00.000Z',
      cursor: 'WyI4',
    });
    expect(dataOf(events[2])).toMatchObject({ goneClusterIds: [CLUSTER], cursor: 'WyI5' });
  });

  it('go on behind a cursor, which a browser sends as the last id that it saw', async () => {
    for (const [query, headers] of [
      ['?cursor=WyI4', {}],
      ['', { 'last-event-id': 'WyI4' }],
    ] as const) {
      await watched(`${query}${query ? '&' : '?'}label=env=prod&text=a`, { headers });
      expect(gateway.received('watchFleet').request).toMatchObject({
        cursor: 'WyI4',
        labels: { env: 'prod' },
        text: 'a',
      });
    }
  });

  it('are refused with a status where nothing was told yet, and break off with an event later', async () => {
    // biome-ignore lint/correctness/useYield: it is refused before it begins
    gateway.answers.watchFleet = async function* () {
      throw new AppError('cursor_too_old', 'Watch without one.');
    };
    const { status, body } = await gateway.ask('GET', '/fleet/watch?cursor=WyI4');
    expect([status, body.message]).toEqual([410, 'Watch without one.']);
    gateway.answers.watchFleet = async function* () {
      yield { restart: true };
      throw new AppError('unavailable', 'away');
    };
    expect((await watched()).events.at(-1)).toContain('event: error');
  });

  it.each(['clusterId=no.id', 'cursor=1', 'label=env', 'verdict=late'])('are refused for %s', async (query) => {
    const answer = await gateway.ask('GET', `/fleet/watch?${query}`);
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body.details)).toContain(query.split('=')[0]);
  });

  it('are told to a caller who sees no cluster as those of none, and end when that one sees others', async () => {
    await using gateway = await startTestGateway({ limits: { heartbeatMs: 20 }, labelAges: { fresh: 0, usable: 0 } });
    let asked = 0;
    gateway.answers.listClusters = async () => {
      asked += 1;
      return { clusters: [{ id: CLUSTER, labels: { env: 'prod', team: asked === 1 ? 'another' : 'none' } }] };
    };
    const { body } = await gateway.ask('GET', '/fleet/watch', { token: 'labelled-nothing' });
    const events = String(body).split('\n\n');
    expect(dataOf(events[0])).toMatchObject({ restart: true, clusters: [] });
    expect(events.at(-2)).toContain('event: error');
    expect(gateway.calls.map(({ method }) => method)).not.toContain('watchFleet');
  });
});
