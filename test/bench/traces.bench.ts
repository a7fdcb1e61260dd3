import type { Stack } from '@tidemark/local-stack/stack';
import { clusterDocument, finishedBackup, insertAll, labelsDocument, type StoredDocument } from '../documents.ts';
import { STORAGE, startBackup } from './backup-lives.ts';
import type { BenchContext, Benchmark, Figure, Target } from './benchmark.ts';
import { crowd } from './crowd.ts';
import { startFloor } from './floors/floor.ts';
import type { TracesProcessSettings } from './floors/traces-process.ts';
import { type HttpClient, mustCall, openHttpClient } from './http-client.ts';
import { leastOwnMb, ownMb, usageOf } from './process-usage.ts';
import { interleave } from './rounds.ts';
import { against, median } from './statistics.ts';
import { bareCall, tracedCall } from './traced-call.ts';
import { untilTakenIn } from './until-taken-in.ts';

const AT_ONCE = 4;
const WARM_UPS = 2;
const BATCH = 20_000;
const FAILED = 'failed-backup-0000000';
const PROCESSES = ['gateway', 'backup-service'] as const;
const CALLS = { one: 'one backup', start: 'a start' } as const;
/** For who did not ask for traces. */
const UNCHANGED: Target = { of: 'ratio', atMost: 1.02 };

export const benchmark: Benchmark = {
  name: 'traces',
  what: 'what traces cost a call and a process: off, against the same less its parts of traces; sent to a collector, against off',
  async run(context) {
    context.say('the parts of traces of a call, and what is loaded for them, off');
    const parts = await partsMs(context);
    const loaded = await loadedMb(context);
    const collector = String(context.use(await startFloor('otlp-sink.ts', {})).ready.url);
    const worlds = { off: await openWorld(context), on: await openWorld(context, collector) };
    context.say('own memory, off and on');
    const memory = {
      off: await leastOwnMb(processesOf(worlds.off), context.signal),
      on: await leastOwnMb(processesOf(worlds.on), context.signal),
    };
    const calls = { one: await costs(worlds, 'one', context), start: await costs(worlds, 'start', context) };
    const spans = Number(await (await fetch(collector)).text());
    if (spans === 0) throw new Error('Nothing was sent to the collector.');
    context.say('start-ups, off and on');
    const startUps = await startUpsMs(worlds, context);

    return [
      figure('parts of traces of a call, off', 'ms', parts.traced, 'the same functions without', parts.bare),
      figure('own memory of an empty process that loads them, off', 'MB', loaded.traces, 'without', loaded.nothing),
      ...(['one', 'start'] as const).flatMap((call) => {
        const { off, on } = calls[call];
        const without = off.cpuMs - (parts.traced - parts.bare);
        return [
          unchanged(`processor time of ${CALLS[call]}, off`, 'ms', off.cpuMs, 'less its parts of traces', without),
          figure(`processor time of ${CALLS[call]}, on`, 'ms', on.cpuMs, 'off', off.cpuMs),
          figure(`${CALLS[call]}, ${AT_ONCE} at once, on`, 'ms', on.ms, 'off', off.ms),
        ];
      }),
      ...PROCESSES.flatMap((kind, index) => {
        const [off = 0, on = 0] = [memory.off[index], memory.on[index]];
        const without = off - (loaded.traces - loaded.nothing);
        return [
          unchanged(`own memory of ${kind}, off`, 'MB', off, 'less what it loads for traces', without),
          figure(`own memory of ${kind}, on`, 'MB', on, 'off', off),
        ];
      }),
      figure('start-up of gateway, on', 'ms', startUps.on, 'off', startUps.off),
    ];
  },
};

function figure(name: string, unit: 'ms' | 'MB', value: number, floor: string, floorValue: number): Figure {
  return { name, value, unit, ...against(value, floor, floorValue) };
}

const unchanged = (...of: Parameters<typeof figure>): Figure => ({ ...figure(...of), target: UNCHANGED });

/** Milliseconds of what one call does for traces in the gateway and in a service, and of the same functions without it. */
async function partsMs({ quick, signal }: BenchContext) {
  const many = (call: () => Promise<void>) => async () => {
    for (let index = 0; index < BATCH; index += 1) await call();
  };
  const subjects = { traced: many(tracedCall), bare: many(bareCall) };
  const times = await interleave(subjects, { rounds: quick ? 7 : 25, warmUps: 3, signal });
  return { traced: median(times.traced) / BATCH, bare: median(times.bare) / BATCH };
}

/** Own memory of a process that loads what each loads for traces, and of one that does not. */
async function loadedMb({ quick, signal }: BenchContext) {
  const found: Record<'traces' | 'nothing', number[]> = { traces: [], nothing: [] };
  const look = (name: keyof typeof found) => async () => {
    const settings: TracesProcessSettings = { traces: name === 'traces' };
    await using floor = await startFloor('traces-process.ts', settings, signal);
    found[name].push(await ownMb(floor.pid));
  };
  await interleave(
    { traces: look('traces'), nothing: look('nothing') },
    { rounds: quick ? 7 : 15, warmUps: 0, signal },
  );
  return { traces: median(found.traces), nothing: median(found.nothing) };
}

interface World {
  readonly api: HttpClient;
  readonly stack: Stack;
  /** Each is started a backup of once. */
  readonly clusters: Iterator<string, undefined>;
}

const roundsOf = ({ quick }: BenchContext) => (quick ? 5 : 15);
const CALLS_OF_A_ROUND = { one: 400, start: 40 } as const;

/** @param collector that spans are sent to; traces are off without */
async function openWorld(context: BenchContext, collector?: string): Promise<World> {
  const database = context.database();
  const stack = await context.processes(database, {
    copies: { 'strategy-service': 1, 'backup-service': 1, 'scheduler-service': 1, 'executor-worker': 0, gateway: 1 },
    env: {
      // Spans are sent in the round in which they are made, and not five seconds later.
      ...(collector && { all: { OTEL_EXPORTER_OTLP_ENDPOINT: collector, OTEL_BSP_SCHEDULE_DELAY: '100' } }),
      'backup-service': { TIDEMARK_RING_SECONDS: '600' },
      gateway: { TIDEMARK_RATE_PER_SECOND: '1000000', TIDEMARK_RATE_BURST: '1000000' },
    },
  });
  const count = (WARM_UPS + roundsOf(context)) * CALLS_OF_A_ROUND.start;
  const clusters = Array.from({ length: count }, (_, index) => `traced-${index}`);
  const idAt = (index: number) => clusters[index] ?? '';
  const collection = (name: string) => database.collection<StoredDocument>(name);
  // As just registered, and known to strategy-service: so they are taken in soonest.
  await insertAll(collection('cluster_labels'), count, (index) => labelsDocument(idAt(index)));
  await insertAll(collection('clusters'), count, (index) => ({
    ...clusterDocument(idAt(index), STORAGE),
    updateTime: new Date(),
  }));
  await insertAll(collection('backups'), 1, () => finishedBackup(FAILED, idAt(0), 'Failed', new Date()));
  const api = context.use(openHttpClient(`${stack.url}/api/v1`, stack.token));
  const isAll = (verdicts: object) => Object.values(verdicts).reduce((sum, one) => sum + one, 0) > count;
  await untilTakenIn(api, isAll, context.signal);
  return { api, stack, clusters: clusters.values() };
}

const processesOf = ({ stack }: World) => PROCESSES.map((kind) => stack.process(kind));

type Sides<T> = Readonly<Record<'off' | 'on', T>>;

interface Cost {
  /** Of gateway and backup-service together. */
  readonly cpuMs: number;
  readonly ms: number;
}

/** What one call costs, without traces and with them. */
async function costs(worlds: Sides<World>, call: keyof typeof CALLS, context: BenchContext): Promise<Sides<Cost>> {
  context.say(`${CALLS[call]}, off and on`);
  const times = CALLS_OF_A_ROUND[call];
  const found: Sides<Cost[]> = { off: [], on: [] };
  const spent = async (world: World) =>
    (await Promise.all(processesOf(world).map(usageOf))).reduce((sum, { cpuMs }) => sum + cpuMs, 0);
  const round = (side: keyof typeof found) => async () => {
    const world = worlds[side];
    const before = await spent(world);
    const startedAt = performance.now();
    await crowd({ times, atOnce: AT_ONCE, signal: context.signal }, () => act(world, call));
    const ms = (performance.now() - startedAt) / times;
    found[side].push({ cpuMs: ((await spent(world)) - before) / times, ms });
  };
  const rounds = { rounds: roundsOf(context), warmUps: WARM_UPS, signal: context.signal };
  await interleave({ off: round('off'), on: round('on') }, rounds);
  const middle = (all: readonly Cost[]): Cost => {
    const counted = all.slice(WARM_UPS);
    return { cpuMs: median(counted.map(({ cpuMs }) => cpuMs)), ms: median(counted.map(({ ms }) => ms)) };
  };
  return { off: middle(found.off), on: middle(found.on) };
}

async function act({ api, clusters }: World, call: keyof typeof CALLS): Promise<void> {
  if (call === 'one') await mustCall(api, 'GET', `/backups/${FAILED}`);
  else await startBackup(api, clusters.next().value ?? '');
}

/** Of the gateway, each time as soon as the other one is there again. */
async function startUpsMs({ off, on }: Sides<World>, { quick, signal }: BenchContext): Promise<Sides<number>> {
  const found: Sides<number[]> = { off: [], on: [] };
  const start =
    (side: keyof typeof found, { stack }: World) =>
    async () => {
      const gateway = stack.process('gateway');
      await gateway.stop();
      const startedAt = performance.now();
      await gateway.start();
      found[side].push(performance.now() - startedAt);
    };
  await interleave({ off: start('off', off), on: start('on', on) }, { rounds: quick ? 3 : 9, warmUps: 0, signal });
  return { off: median(found.off), on: median(found.on) };
}
