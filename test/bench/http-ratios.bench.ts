import { setTimeout as sleep } from 'node:timers/promises';
import autocannon from 'autocannon';
import { type ApiWorld, openApiWorld, PAGE, READ_CLUSTER } from './api-world.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { startFloor } from './floors/floor.ts';
import { against, median } from './statistics.ts';

const CONNECTIONS = 32;
const FIRST_TRIES = 30;
const STRATEGY = { strategy: { backupDate: 'Monday,Friday', period: '23:00-2:00' } };
const PATH = `/clusters/${READ_CLUSTER}/strategy`;

/** What is asked for, and the ratio to aim at: several times that of TiUniManager's Go servers on one machine. */
const CALLS: readonly Call[] = [
  { name: 'GET strategy', path: PATH, atLeast: 3 * 0.0081 },
  { name: 'PUT strategy', method: 'PUT', path: PATH, body: () => STRATEGY, atLeast: 2 * 0.0032 },
  {
    name: `a cluster's list, ${PAGE} records a page`,
    path: `/backups?clusterId=${READ_CLUSTER}&pageSize=${PAGE}`,
    atLeast: 1.5 * 0.0067,
  },
  {
    name: 'a start',
    method: 'POST',
    path: '/backups',
    body: ({ freshCluster }) => ({ clusterId: freshCluster() }),
    atLeast: 5 * 0.0011,
  },
];

interface Call {
  readonly name: string;
  readonly method?: 'PUT' | 'POST';
  readonly path: string;
  readonly body?: (world: ApiWorld) => object;
  readonly atLeast: number;
}

export const benchmark: Benchmark = {
  name: 'http-ratios',
  what: `calls over REST with ${CONNECTIONS} connections of autocannon, against a bare Node.js http server in the same minute`,
  async run(context) {
    const { say, signal, quick } = context;
    const world = await openApiWorld(context);
    const floor = context.use(await startFloor('bare-http.ts', {}));
    const [rounds, seconds] = quick ? [1, 3] : [3, 10];
    // A strategy that is there: a first save is once, and just after the start the services have other things to do.
    for (let tries = 1; (await world.api.call('PUT', PATH, STRATEGY)).status !== 200; tries += 1) {
      if (tries === FIRST_TRIES) throw new Error('The strategy could not be saved.');
      await sleep(1_000, undefined, { signal });
    }
    const measured = new Map<string, Measured[]>();
    const bare: number[] = [];
    for (let round = 0; round < rounds; round += 1)
      for (const call of CALLS) {
        signal.throwIfAborted();
        say(`${call.name}, round ${round + 1} of ${rounds}`);
        bare.push((await load(String(floor.ready.url), seconds)).perSecond);
        const found = await load(`${world.stack.url}/api/v1${call.path}`, seconds, world, call);
        measured.set(call.name, [...(measured.get(call.name) ?? []), found]);
      }
    const perSecond = median(bare);
    return CALLS.flatMap(({ name, atLeast }): Figure[] => {
      const found = measured.get(name) ?? [];
      const value = median(found.map((one) => one.perSecond));
      const refused = found.reduce((sum, one) => sum + one.refused, 0);
      return [
        { name, value, unit: '/s', ...against(value, 'bare http', perSecond), target: { of: 'ratio', atLeast } },
        { name: `${name}, p99`, value: median(found.map(({ p99 }) => p99)), unit: 'ms' },
        {
          name: `${name}, answers other than 200`,
          value: refused,
          unit: 'count',
          target: { of: 'value', atMost: 0 },
        },
      ];
    });
  },
};

interface Measured {
  /** Good answers. */
  readonly perSecond: number;
  readonly p99: number;
  /** Other answers, and requests without one. */
  readonly refused: number;
}

/** @param call what is asked for; without one the address itself is */
async function load(url: string, seconds: number, world?: ApiWorld, call?: Call): Promise<Measured> {
  const { method = 'GET', body } = call ?? {};
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    duration: seconds,
    method,
    headers: {
      'content-type': 'application/json',
      ...(world && { authorization: `Bearer ${world.stack.token}` }),
    },
    ...(world &&
      body && { requests: [{ setupRequest: (request) => ({ ...request, body: JSON.stringify(body(world)) }) }] }),
  });
  const { '2xx': good, non2xx, errors, duration, latency } = result;
  return { perSecond: good / duration, p99: latency.p99, refused: non2xx + errors };
}
