import { type ApiWorld, openApiWorld } from './api-world.ts';
import type { Benchmark, Figure, Target } from './benchmark.ts';
import { crowd } from './crowd.ts';
import { type Loaded, openLoad } from './open-load.ts';
import { median } from './statistics.ts';

/** At which the capacity is measured: each request begins when another has ended. */
const AT_ONCE = 32;
const TIMES = [1, 3, 10] as const;
const MOST = 200;
/** The bare server: as many at once as a service of Tidemark, and a queue that is through within its deadline. */
const BOUND = { atOnce: 32, waiting: 64 };
const KINDS = ['read', 'start'] as const;
const NAMES = { read: 'one backup', start: 'a start' } as const;

type Kind = (typeof KINDS)[number];
type Side = 'api' | 'bare';

/** At three times what fits, nearly all that fits is still done. */
const AT_THREE: Target = { of: 'value', atLeast: 0.8 };
/** At ten times, as much of it as a bare server with a bounded queue keeps. */
const AT_TEN: Target = { of: 'ratio', atLeast: 0.8 };

export const benchmark: Benchmark = {
  name: 'overload',
  what: 'what is still done in time when more comes than fits: successes a second as a part of the capacity, for reads and for starts, against a bare server with a bounded queue under the same load',
  async run(context) {
    const act = actIn(await openApiWorld(context, BOUND));
    const { signal } = context;
    const seconds = context.quick ? 3 : 10;
    const figures: Figure[] = [];
    for (const kind of KINDS) {
      for (const times of TIMES) {
        // Each time anew: the embedded database gets slower as it fills.
        context.say(`capacity, ${NAMES[kind]}`);
        const capacity = {
          bare: await capacityOf('bare', kind, act, signal),
          api: await capacityOf('api', kind, act, signal),
        };
        figures.push({
          name: `${times}×, ${NAMES[kind]}: capacity, ${AT_ONCE} at once`,
          value: capacity.api,
          unit: '/s',
          floor: { name: 'bare server', value: capacity.bare },
          ratio: capacity.api / capacity.bare,
        });
        context.say(`${times} times the capacity, ${NAMES[kind]}`);
        const load = { perSecond: capacity.api * times, seconds, most: MOST, signal };
        const bare = await openLoad(load, () => act('bare', kind));
        const api = await openLoad(load, () => act('api', kind));
        figures.push(...figuresOf(kind, times, { bare, api }, capacity));
      }
    }
    return figures;
  },
};

function figuresOf(
  kind: Kind,
  times: (typeof TIMES)[number],
  { bare, api }: Readonly<Record<Side, Loaded>>,
  capacity: Readonly<Record<Side, number>>,
): Figure[] {
  // The bare server has more capacity: what it cannot be asked for with this load is not counted against it.
  const fits = Math.min(capacity.bare, capacity.api * times);
  const [kept, keptBare] = [api.goodput / capacity.api, bare.goodput / fits];
  const what = `${times}×, ${NAMES[kind]}`;
  const target = times === 3 ? AT_THREE : times === 10 ? AT_TEN : undefined;
  const floor = (value: number) => ({ floor: { name: 'bare server', value } });
  return [
    {
      name: `${what}: goodput, as a part of the capacity`,
      value: kept,
      unit: 'times',
      ...floor(keptBare),
      ratio: kept / keptBare,
      ...(target && { target }),
    },
    { name: `${what}: share of 200`, value: api.share, unit: 'times', ...floor(bare.share) },
    { name: `${what}: p99 of those`, value: api.p99Ms, unit: 'ms', ...floor(bare.p99Ms) },
  ];
}

/** Requests a second when each begins as another ends; the median of some rounds. */
async function capacityOf(side: Side, kind: Kind, act: Act, signal: AbortSignal): Promise<number> {
  const times = kind === 'read' ? 1_000 : 100;
  const rounds: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    const startedAt = performance.now();
    let succeeded = 0;
    await crowd({ times, atOnce: AT_ONCE, signal }, async () => {
      if (await act(side, kind)) succeeded += 1;
    });
    // The first one warms up.
    if (round > 0) rounds.push((succeeded / (performance.now() - startedAt)) * 1_000);
  }
  const capacity = median(rounds);
  if (capacity === 0) throw new Error(`Nothing succeeded at ${AT_ONCE} at once (${side}, ${NAMES[kind]}).`);
  return capacity;
}

type Act = (side: Side, kind: Kind) => Promise<boolean>;

/** Makes one request; answers whether it succeeded. */
function actIn({ api, bare, one, freshCluster }: ApiWorld): Act {
  /** Clusters whose start was refused, to be tried again under the same key: a started one is busy from then on. */
  const refused: string[] = [];
  /** The bare server looks its cluster up and goes on without it: of those that are registered there are not enough. */
  let bareStarts = 0;
  return async (side, kind) => {
    const client = side === 'api' ? api : bare;
    const clusterId =
      side === 'bare' ? `bare-${++bareStarts}` : kind === 'start' ? (refused.shift() ?? freshCluster()) : '';
    try {
      const { status } =
        kind === 'start'
          ? await client.call('POST', '/backups', { clusterId }, { 'idempotency-key': clusterId })
          : await client.call('GET', one);
      if (status === 200) return true;
    } catch {
      // A connection that was closed is a failure like any other.
    }
    if (kind === 'start' && side === 'api') refused.push(clusterId);
    return false;
  };
}
