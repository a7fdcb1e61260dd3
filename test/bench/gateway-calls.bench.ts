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
const READ: Target = { of: 'ratio', atLeast: 0.5 };
const WRITE: Target = { of: 'ratio', atLeast: 0.4 };

export const benchmark: Benchmark = {
  name: 'gateway-calls',
  what: `reads and starts over the API, ${AT_ONCE} at once, against bare Fastify and the driver on the same database`,
  async run(context) {
    const world = await openApiWorld(context);
    const backups = context.use(openBackups(world.stack));
    const counts = { reads: context.quick ? 200 : 1_000, starts: context.quick ? 50 : 200 };
    const rounds = { rounds: context.quick ? 3 : 7, warmUps: 2, signal: context.signal };
    context.say('reads, many at once');
    const reads = await interleave(manyAtOnce(world, counts, ['one', 'page']), rounds);
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
type Side = 'api' | 'bare';
type AtOnce = Timings<`${Side} ${Kind}`>;

const countOf = (kind: Kind, { reads, starts }: Counts) => (kind === 'start' ? starts : reads);

/** Some kinds of calls, many at once, on both sides. */
function manyAtOnce<Some extends Kind>(world: ApiWorld, counts: Counts, kinds: readonly Some[]) {
  const many = (side: Side, kind: Kind) => () =>
    crowd({ times: countOf(kind, counts), atOnce: AT_ONCE, signal: world.signal }, () => act(world, side, kind));
  return Object.fromEntries(
    kinds.flatMap((kind) => [
      [`bare ${kind}`, many('bare', kind)],
      [`api ${kind}`, many('api', kind)],
    ]),
  ) as Record<`${Side} ${Some}`, () => Promise<void>>;
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

async function act({ api, bare, one, page, freshCluster }: ApiWorld, side: Side, kind: Kind): Promise<void> {
  const client = side === 'api' ? api : bare;
  if (kind === 'start') await mustCall(client, 'POST', '/backups', { clusterId: freshCluster() });
  else await mustCall(client, 'GET', kind === 'one' ? one : page);
}

const NAMES = { one: 'one backup', page: `a page of ${PAGE}`, start: 'a start' } as const;

function figuresAtOnce(timings: AtOnce, counts: Counts): Figure[] {
  return KINDS.map((kind) => {
    const perSecond = (side: Side) => (countOf(kind, counts) / median(timings[`${side} ${kind}`])) * 1_000;
    return {
      name: NAMES[kind],
      value: perSecond('api'),
      unit: '/s',
      ...against(perSecond('api'), 'bare Fastify', perSecond('bare')),
      target: kind === 'start' ? WRITE : READ,
    };
  });
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
