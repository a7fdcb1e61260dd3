import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Stack } from '@tidemark/local-stack/stack';
import {
  type BackupServiceServer,
  BackupServiceService,
  GetBackupRequest,
  ListBackupsRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { createServiceClient } from '@tidemark/service-kit/grpc/client';
import { type ApiWorld, FAILED, openApiWorld, PAGE, READ_CLUSTER } from './api-world.ts';
import type { Benchmark, Figure, Target } from './benchmark.ts';
import { crowd } from './crowd.ts';
import { mustCall } from './http-client.ts';
import { usageOf } from './process-usage.ts';
import { interleave, type Timings } from './rounds.ts';
import { against, median } from './statistics.ts';

const AT_ONCE = 16;
const READ: Target = { of: 'ratio', atLeast: 0.9 };
const WRITE: Target = { of: 'ratio', atLeast: 0.85 };

export const benchmark: Benchmark = {
  name: 'gateway-calls',
  what: `reads and starts over the API, ${AT_ONCE} at once, against bare Fastify and the driver, and a record against a bare pair`,
  async run(context) {
    const world = await openApiWorld(context);
    const backups = context.use(openBackups(world.stack));
    const counts = { reads: context.quick ? 200 : 1_000, starts: context.quick ? 50 : 200 };
    const rounds = { rounds: context.quick ? 3 : 7, warmUps: 2, signal: context.signal };
    context.say('reads, many at once');
    const subjects = { ...manyAtOnce(world, counts, ['one', 'page']), 'pair one': many(world, counts, 'pair', 'one') };
    const reads = await interleave(subjects, rounds);
    const costOfReads = await processorTime(world, counts, ['one', 'page']);
    context.say('reads, one after the other');
    const alone = await interleave(sequential(world, backups), {
      ...rounds,
      rounds: context.quick ? 100 : 400,
      warmUps: 50,
    });
    // Last: what they leave would make every later page slower, on both sides.
    context.say('starts, many at once');
    const starts = await interleave(manyAtOnce(world, counts, ['start']), rounds);
    const costOfStarts = await processorTime(world, counts, ['start']);
    return [...figuresAtOnce({ ...reads, ...starts }, counts), ...figuresAlone(alone), ...costOfReads, ...costOfStarts];
  },
};

/** Over gRPC without the gateway, as it calls itself. */
function openBackups({ dataDir, process }: Stack) {
  return createServiceClient<BackupServiceServer>(BackupServiceService, {
    address: process('backup-service').address,
    token: readFileSync(join(dataDir, 'secrets', 'service-token'), 'utf8').trim(),
  });
}

interface Counts {
  readonly reads: number;
  readonly starts: number;
}

const KINDS = ['one', 'page', 'start'] as const;
type Kind = (typeof KINDS)[number];
type Side = 'api' | 'bare' | 'pair';
type AtOnce = Timings<`${'api' | 'bare'} ${Kind}` | 'pair one'>;

const countOf = (kind: Kind, { reads, starts }: Counts) => (kind === 'start' ? starts : reads);

/** Some kinds of calls, many at once, through the API and of one bare process. */
function manyAtOnce<Some extends Kind>(world: ApiWorld, counts: Counts, kinds: readonly Some[]) {
  return Object.fromEntries(
    kinds.flatMap((kind) => [
      [`bare ${kind}`, many(world, counts, 'bare', kind)],
      [`api ${kind}`, many(world, counts, 'api', kind)],
    ]),
  ) as Record<`${'api' | 'bare'} ${Some}`, () => Promise<void>>;
}

function many(world: ApiWorld, counts: Counts, side: Side, kind: Kind): () => Promise<void> {
  const crowded = { times: countOf(kind, counts), atOnce: AT_ONCE, signal: world.signal };
  return () => crowd(crowded, () => act(world, side, kind));
}

/** What a call costs each process. */
async function processorTime(world: ApiWorld, counts: Counts, kinds: readonly Kind[]): Promise<Figure[]> {
  const processes = [world.stack.process('gateway'), world.stack.process('backup-service')];
  const figures: Figure[] = [];
  for (const kind of kinds) {
    const before = await Promise.all(processes.map(usageOf));
    const times = countOf(kind, counts);
    await crowd({ times, atOnce: AT_ONCE, signal: world.signal }, () => act(world, 'api', kind));
    const after = await Promise.all(processes.map(usageOf));
    for (const [index, { kind: process }] of processes.entries())
      figures.push({
        name: `processor time of ${process}, ${NAMES[kind]}`,
        value: ((after[index]?.cpuMs ?? 0) - (before[index]?.cpuMs ?? 0)) / times,
        unit: 'ms',
      });
  }
  return figures;
}

async function act(world: ApiWorld, side: Side, kind: Kind): Promise<void> {
  const { one, page, freshCluster } = world;
  const client = world[side];
  if (kind === 'start') await mustCall(client, 'POST', '/backups', { clusterId: freshCluster() });
  else await mustCall(client, 'GET', kind === 'one' ? one : page);
}

const NAMES = { one: 'one backup', page: `a page of ${PAGE}`, start: 'a start' } as const;

function figuresAtOnce(timings: AtOnce, counts: Counts): Figure[] {
  const perSecond = (name: keyof AtOnce, kind: Kind) => (countOf(kind, counts) / median(timings[name])) * 1_000;
  const figures = KINDS.map((kind): Figure => {
    const value = perSecond(`api ${kind}`, kind);
    const figure = { value, unit: '/s', ...against(value, 'bare Fastify', perSecond(`bare ${kind}`, kind)) } as const;
    // A record is measured against two processes: one alone spares the call between them.
    return { name: NAMES[kind], ...figure, ...(kind !== 'one' && { target: kind === 'start' ? WRITE : READ }) };
  });
  const value = perSecond('api one', 'one');
  const ofPair = against(value, 'bare pair', perSecond('pair one', 'one'));
  return [{ name: `${NAMES.one}, two processes`, value, unit: '/s', ...ofPair, target: READ }, ...figures];
}

/** The same read through the gateway, and asked of the service behind it. */
function sequential({ api, one, page }: ApiWorld, backups: ReturnType<typeof openBackups>) {
  const list = ListBackupsRequest.create({ clusterIds: [READ_CLUSTER], page: 1, pageSize: PAGE });
  return {
    'service one': () => backups.getBackup(GetBackupRequest.create({ id: FAILED })),
    'api one': () => mustCall(api, 'GET', one),
    'service page': () => backups.listBackups(list),
    'api page': () => mustCall(api, 'GET', page),
  };
}

function figuresAlone(timings: Timings<'service one' | 'api one' | 'service page' | 'api page'>): Figure[] {
  return (['one', 'page'] as const).map((kind) => {
    const [whole, service] = [median(timings[`api ${kind}`]), median(timings[`service ${kind}`])];
    return {
      name: `added by the gateway, ${NAMES[kind]}, alone`,
      value: whole - service,
      unit: 'ms',
      floor: { name: 'gRPC call', value: service },
    };
  });
}
