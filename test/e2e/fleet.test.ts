import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { openSince, opensLater, startTidemark, type Tidemark } from './tidemark.ts';

interface Row {
  readonly clusterId: string;
  readonly name: string;
  readonly verdict: string;
  readonly newestGood?: { readonly endTime: string; readonly ageSeconds: number; readonly recoveryPointTime?: string };
  readonly intervalSeconds?: number;
  readonly nextStartTime?: string;
  readonly active?: { readonly backupId: string; readonly state: string };
  readonly last?: {
    readonly backupId: string;
    readonly state: string;
    readonly code?: string;
    readonly reason?: string;
  };
}
interface Fleet {
  readonly clusters: readonly Row[];
  readonly counts: Readonly<Record<string, number>>;
  readonly asOf: string;
  readonly pageToken?: string;
  readonly cursor?: string;
  readonly withoutActivity?: true;
}
interface Found {
  readonly hits: readonly { readonly kind: string; readonly id: string }[];
  readonly incomplete: readonly string[];
}
interface Audit {
  readonly entries: readonly { readonly what: string; readonly caller: string }[];
}
interface FleetEvent {
  readonly restart?: true;
  readonly clusters: readonly Row[];
  readonly cursor?: string;
}

/** The events of a stream, as they come. */
async function* follow(tidemark: Tidemark, path: string): AsyncGenerator<FleetEvent> {
  const { url, token } = tidemark.stack;
  const leave = new AbortController();
  const answer = await fetch(`${url}/api/v1${path}`, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.any([leave.signal, AbortSignal.timeout(60_000)]),
  });
  expect(answer.status).toBe(200);
  try {
    let rest = '';
    for await (const piece of answer.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      const events = (rest + piece).split('\n\n');
      rest = events.pop() ?? '';
      for (const event of events)
        if (event.startsWith('event: fleet')) yield JSON.parse(event.split('data: ')[1] ?? '');
    }
    throw new Error('the stream ended');
  } finally {
    leave.abort();
  }
}

describe('the fleet', () => {
  let tidemark: Tidemark;
  let safe: string;
  let never: string;
  let unplanned: string;
  let good: string;
  let failed: string;
  beforeAll(async () => {
    tidemark = await startTidemark();
    safe = await tidemark.cluster('safe', { name: 'Orders', labels: { set: 'one', env: 'prod' } });
    never = await tidemark.cluster('never', { labels: { set: 'one', env: 'prod' } });
    unplanned = await tidemark.cluster('unplanned', { labels: { set: 'one' } });
    await tidemark.saveRule(safe, 'default', opensLater());
    await tidemark.saveRule(never, 'default', opensLater());
    good = await tidemark.start(safe);
    tidemark.demo({ outcome: { kind: 'fail', name: 'access-denied' } }, never);
    failed = await tidemark.start(never);
    await tidemark.untilState(good, 'Succeeded');
    await tidemark.untilState(failed, 'Failed');
  }, 180_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const read = async (query = '', headers?: Record<string, string>) => {
    const answer = await tidemark.call<Fleet>('GET', `/fleet${query}`, undefined, headers);
    expect(answer.status, answer.message).toBe(200);
    return answer.data;
  };
  /** What is known of a cluster, once that is as wanted: ends become known within seconds. */
  const until = (clusterId: string, wanted: (row: Row) => void) =>
    vi.waitFor(async () => {
      const { clusters } = await read(`?text=${clusterId}`);
      expect(clusters).toHaveLength(1);
      for (const row of clusters) wanted(row);
      return clusters[0];
    });

  it('says of each cluster whether it is safe, what ended last and why, and what comes next', async () => {
    const row = await until(safe, ({ verdict }) => expect(verdict).toBe('inTime'));
    const { endTime } = await tidemark.record(good);
    expect(row).toMatchObject({
      name: 'Orders',
      newestGood: { endTime, recoveryPointTime: expect.any(String) },
      intervalSeconds: 86_400,
      last: { backupId: good, state: 'Succeeded', endTime },
    });
    const { nextWindow } = (await tidemark.rule(safe)) ?? {};
    expect(row?.nextStartTime).toBe(nextWindow?.startAt);

    const { reason } = await tidemark.record(failed);
    const bad = await until(never, ({ verdict }) => expect(verdict).toBe('never'));
    expect(bad).not.toHaveProperty('newestGood');
    expect(bad?.last).toMatchObject({ backupId: failed, state: 'Failed', code: reason?.code, reason: reason?.message });
    await until(unplanned, ({ verdict }) => expect(verdict).toBe('noPlan'));
  });

  it('begins with the least safe clusters, counts them all, and goes on behind a token', async () => {
    await until(safe, ({ verdict }) => expect(verdict).toBe('inTime'));
    const { clusters, counts, asOf } = await read('?label=set=one');
    expect(clusters.map(({ clusterId }) => clusterId)).toEqual([never, unplanned, safe]);
    expect(counts).toEqual({ never: 1, veryLate: 0, late: 0, noPlan: 1, inTime: 1 });
    expect(Math.abs(Date.now() - Date.parse(asOf))).toBeLessThan(60_000);
    const first = await read('?label=set=one&pageSize=2');
    expect(first.clusters).toHaveLength(2);
    const rest = await read(`?label=set=one&pageSize=2&pageToken=${first.pageToken}`);
    expect(rest.clusters.map(({ clusterId }) => clusterId)).toEqual([safe]);
    expect(rest).not.toHaveProperty('pageToken');
    const prod = await read('?label=set=one&label=env=prod&verdict=never&verdict=late');
    expect(prod.clusters.map(({ clusterId }) => clusterId)).toEqual([never]);
    expect(prod.counts).toMatchObject({ never: 1, inTime: 1, noPlan: 0 });
  });

  it('shows what runs as it is now', async () => {
    tidemark.demo({ seconds: 60 }, unplanned);
    const running = await tidemark.start(unplanned);
    await tidemark.brStarted(unplanned);
    const { clusters } = await read(`?text=${unplanned}`);
    expect(clusters).toMatchObject([{ active: { backupId: running, state: 'Running' } }]);
    await vi.waitFor(async () => {
      const { data } = await tidemark.call<{ workers: { tasks: { id: string }[] }[] }>('GET', '/workers');
      expect(data.workers.flatMap(({ tasks }) => tasks.map(({ id }) => id))).toContain(running);
    });
    await tidemark.call('POST', '/backups/cancel', { clusterId: unplanned, backupId: running });
    await tidemark.untilState(running, 'Canceled');
    const after = await read(`?text=${unplanned}`);
    expect(after.clusters).toMatchObject([{ last: { backupId: running, state: 'Canceled' } }]);
    expect(after.clusters[0]).not.toHaveProperty('active');
  });

  it('says who is safe without what runs, and that this is left out, while backup-service does not answer', async () => {
    await until(safe, ({ verdict }) => expect(verdict).toBe('inTime'));
    const service = tidemark.stack.process('backup-service');
    service.kill('SIGSTOP');
    try {
      const { withoutActivity, clusters } = await read(`?text=${safe}`);
      expect([withoutActivity, clusters]).toMatchObject([true, [{ verdict: 'inTime', newestGood: expect.anything() }]]);
      expect(clusters[0]).not.toHaveProperty('last');
    } finally {
      service.kill('SIGCONT');
    }
    await until(safe, (row) => expect(row.last).toMatchObject({ backupId: good }));
  });

  it('is that of the clusters that the caller sees, in its counts too', async () => {
    const body = { name: 'only-safe', role: 'viewer', clusters: [safe] };
    const made = await tidemark.call<{ secret: string; token: { id: string } }>('POST', '/tokens', body);
    expect(made.status, made.message).toBe(200);
    const only = { authorization: `Bearer ${made.data.secret}` };
    const seen = await read('', only);
    expect(seen.clusters.map(({ clusterId }) => clusterId)).toEqual([safe]);
    expect(Object.values(seen.counts).reduce((sum, one) => sum + one)).toBe(1);
    expect((await tidemark.call('DELETE', `/tokens/${made.data.token.id}`)).status).toBe(200);
    await vi.waitFor(async () => expect((await tidemark.call('GET', '/fleet', undefined, only)).status).toBe(401));
  });

  it('is searched by ids and their beginnings, and tells who changed what, as far as the caller sees it', async () => {
    const body = { name: 'admin-of-one', role: 'admin', clusters: [safe] };
    const made = await tidemark.call<{ secret: string; token: { id: string } }>('POST', '/tokens', body);
    const { secret, token } = made.data;
    const limited = { authorization: `Bearer ${secret}` };
    const found = async (text: string, headers = {}) => {
      const { data } = await tidemark.call<Found>('GET', `/search?text=${text}`, undefined, headers);
      expect(data.incomplete).toEqual([]);
      return data.hits.map(({ kind, id }) => `${kind} ${id}`);
    };
    for (const headers of [{}, limited]) expect(await found(good.slice(0, 8), headers)).toEqual([`backup ${good}`]);
    expect((await found(never))[0]).toBe(`cluster ${never}`);
    expect(await found(never, limited)).toEqual([]);

    expect((await tidemark.call('PUT', `/backups/${good}/pin`, undefined, limited)).status).toBe(200);
    expect((await tidemark.call('DELETE', `/backups/${good}/pin`, undefined, limited)).status).toBe(200);
    const told = async (query: string, headers = {}) => {
      const { data } = await tidemark.call<Audit>('GET', `/audit?pageSize=100${query}`, undefined, headers);
      return data.entries.map(({ what, caller }) => `${what} by ${caller}`);
    };
    const own = [`unpin backup by admin-of-one (${token.id})`, `pin backup by admin-of-one (${token.id})`];
    await vi.waitFor(async () => expect(await told('&caller=admin-of-one')).toEqual(own));
    expect((await told('', limited)).slice(0, 2)).toEqual(own);
    const tokens = '&what=create%20token';
    expect((await told(tokens)).length).toBeGreaterThan(0);
    expect(await told(tokens, limited)).toEqual([]);
    expect((await tidemark.call('DELETE', `/tokens/${token.id}`)).status).toBe(200);
  });

  it.each([
    ['?verdict=worst', 'verdict.0'],
    ['?pageSize=201', 'pageSize'],
    ['?pageToken=WyJhIl0', 'pageToken'],
    ['?label=prod', 'label.0'],
    ['?label=__proto__=x', 'label.0'],
    ['?label=env=prod&label=env=dev', 'label'],
    ['?colour=red', 'colour'],
    [`?text=${'x'.repeat(65)}`, 'text'],
  ])('refuses %s by the name of the field', async (query, field) => {
    const answer = await tidemark.call('GET', `/fleet${query}`);
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.details)).toContain(`"${field}"`);
  });

  it('goes on telling what changes, also behind a cursor', async () => {
    const watched = (query: string) => follow(tidemark, `/fleet/watch?label=set=one${query}`);
    const { cursor } = await read('?label=set=one');
    const seen: FleetEvent[] = [];
    let running = '';
    for await (const event of watched('')) {
      if (event.restart) expect(seen).toEqual([]);
      seen.push(event);
      if (event.cursor && running === '') {
        const told = seen.flatMap(({ clusters }) => clusters.map(({ clusterId }) => clusterId));
        expect(new Set(told)).toEqual(new Set([safe, never, unplanned]));
        running = await tidemark.start(safe);
      }
      if (event.clusters.some(({ last }) => last?.backupId === running)) break;
    }
    const since: Row[] = [];
    for await (const event of watched(`&cursor=${cursor}`)) {
      expect(event.restart).toBeUndefined();
      since.push(...event.clusters);
      if (event.cursor) break;
    }
    expect(since).toContainEqual(expect.objectContaining({ clusterId: safe, verdict: 'inTime' }));
  });

  it('has no cluster that is not there', async () => {
    expect((await tidemark.call('GET', '/fleet?clusterId=nosuch')).status).toBe(404);
  });

  it('goes on while a window starts its backup', async () => {
    const started = await tidemark.cluster('started');
    await tidemark.saveRule(started, 'default', openSince(30));
    await tidemark.untilState(await tidemark.windowStarted(started), 'Succeeded');
    await until(started, ({ verdict, newestGood }) => {
      expect(verdict).toBe('inTime');
      expect(newestGood?.ageSeconds).toBeLessThan(600);
    });
  });
});
