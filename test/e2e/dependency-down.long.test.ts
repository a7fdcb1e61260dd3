/**
 * What a caller is told while a part of Tidemark is away, over real processes.
 *
 * 1. A call that needs what is away is a 503 with Retry-After within 2 s, whether the part is gone or frozen.
 * 2. A call that does not need it is answered as ever, within 2 s too.
 * 3. `/readyz` of the process next to it says what is away.
 * 4. When it is back all calls work again, and no process was started anew.
 */
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { type FreezableProxy, freezableProxy } from './freezable-proxy.ts';
import { startTidemark, type Tidemark } from './tidemark.ts';

let tidemark: Tidemark;
let mongodb: FreezableProxy;
let rabbitmq: FreezableProxy;
let clusterId: string;
let good: string;

beforeAll(async () => {
  [mongodb, rabbitmq] = await Promise.all([
    freezableProxy(inject('mongodbUrl'), { directConnection: 'true' }),
    freezableProxy(inject('amqpUrl'), { heartbeat: '2' }),
  ]);
  tidemark = await startTidemark({
    mongodbUrl: mongodb.url,
    amqpUrl: rabbitmq.url,
    copies: { 'executor-worker': 1 },
  });
  clusterId = await tidemark.cluster('away');
  await tidemark.saveRule(clusterId, 'default', { backupDate: 'Monday' });
  good = await tidemark.start(clusterId);
  await tidemark.untilState(good, 'Succeeded', 40);
}, 180_000);
afterAll(async () => {
  await Promise.all([mongodb?.resume(), rabbitmq?.resume()]);
  await tidemark?.[Symbol.asyncDispose]();
  await Promise.all([mongodb?.[Symbol.asyncDispose](), rabbitmq?.[Symbol.asyncDispose]()]);
});

/** Every documented call, and those beyond that call a second service. */
const CALLS = {
  'get strategy': ['GET', () => `/clusters/${clusterId}/strategy`, 20606],
  'save strategy': ['PUT', () => `/clusters/${clusterId}/strategy`, 20605, { strategy: { backupDate: 'Monday' } }],
  'start backup': ['POST', () => '/backups', 20602, {}],
  'cancel backup': ['POST', () => '/backups/cancel', 20602, { backupId: 'AAAAAAAAAAAAAAAAAAAAAA' }],
  'list backups': ['GET', () => '/backups', 20604],
  'delete backup': ['DELETE', () => '/backups/AAAAAAAAAAAAAAAAAAAAAA', 20603],
  'get backup': ['GET', () => `/backups/${good}`, 20604],
  'list occurrences': ['GET', () => `/clusters/${clusterId}/occurrences`, undefined],
} as const satisfies Record<string, readonly [string, () => string, number | undefined, object?]>;
type Name = keyof typeof CALLS;
const ALL = Object.keys(CALLS) as Name[];
/** Of a backup that is not there, where all is well. */
const UNKNOWN: readonly Name[] = ['cancel backup', 'delete backup'];

/** Makes all calls at once: those named are refused as they should be, the others answered, and none takes long. */
async function expectRefused(refused: readonly Name[]): Promise<void> {
  await Promise.all(
    ALL.map(async (name) => {
      const [method, path, number, body]: readonly [string, () => string, number | undefined, object?] = CALLS[name];
      const startedAt = performance.now();
      const answer = await tidemark.call(method, path(), body && { clusterId, ...body });
      const ms = performance.now() - startedAt;
      expect(ms, `${name} took long`).toBeLessThan(2_000);
      if (refused.includes(name)) {
        expect(answer, name).toMatchObject({ status: 503, ...(number !== undefined && { code: number }) });
        expect(answer.headers.get('retry-after'), name).toMatch(/^[1-9]\d*$/);
        expect(answer.message, name).not.toMatch(/mongo|rabbit|amqp|ECONN|grpc|127\.0\.0\.1/i);
      } else
        expect([200, ...(UNKNOWN.includes(name) ? [404] : name === 'start backup' ? [409] : [])], name).toContain(
          answer.status,
        );
    }),
  );
}

const readiness = async (name: string): Promise<{ status: number; text: string }> => {
  const { operations } = tidemark.stack.processes.find((one) => one.name === name) ?? { operations: '' };
  const startedAt = performance.now();
  const response = await fetch(`http://${operations}/readyz`);
  const text = await response.text();
  expect(performance.now() - startedAt).toBeLessThan(2_500);
  return { status: response.status, text };
};
const untilNotReady = (name: string, because: string) =>
  vi.waitFor(
    async () => expect(await readiness(name)).toMatchObject({ status: 503, text: expect.stringContaining(because) }),
    { timeout: 30_000, interval: 200 },
  );
/** The gateway is ready without the scheduler, and says that it is missing. */
const untilMissed = async (kind: string) => {
  if (kind !== 'scheduler-service') return untilNotReady('gateway', kind);
  const missed = { status: 200, text: expect.not.stringContaining('"scheduler-service":"ok"') };
  await vi.waitFor(async () => expect(await readiness('gateway')).toMatchObject(missed), {
    timeout: 30_000,
    interval: 200,
  });
};
const processes = () => tidemark.stack.processes.map(({ name, pid }) => `${name} ${pid}`);
const untilAllReady = () =>
  vi.waitFor(
    async () => {
      for (const { name } of tidemark.stack.processes) expect((await readiness(name)).status, name).toBe(200);
      await expectRefused([]);
    },
    { timeout: 40_000, interval: 300 },
  );

describe.each([
  ['freezes', (proxy: FreezableProxy) => proxy.freeze()],
  ['is gone', (proxy: FreezableProxy) => proxy.stop()],
] as const)('when a server %s', (_, away) => {
  it('the database: every call is refused, all its users say so, and it comes back by itself', async () => {
    await untilAllReady();
    const before = processes();
    await away(mongodb);
    try {
      await expectRefused(ALL);
      for (const name of ['backup-service', 'strategy-service', 'scheduler-service'])
        await untilNotReady(name, 'mongodb');
      await untilNotReady('gateway', 'backup-service');
      await expectRefused(ALL);
    } finally {
      await mongodb.resume();
    }
    await untilAllReady();
    expect(processes()).toEqual(before);
  });

  it('the broker: nothing is refused, backups are accepted and run once it is back', async () => {
    await untilAllReady();
    const before = processes();
    const another = await tidemark.cluster('doorbell');
    await away(rabbitmq);
    let id: string;
    try {
      const startedAt = performance.now();
      id = await tidemark.start(another);
      expect(performance.now() - startedAt).toBeLessThan(2_000);
      await expectRefused([]);
      for (const name of ['backup-service', 'executor-worker']) await untilNotReady(name, 'rabbitmq');
      await expectRefused([]);
    } finally {
      await rabbitmq.resume();
    }
    await tidemark.untilState(id, 'Succeeded', 60);
    await untilAllReady();
    expect(processes()).toEqual(before);
  });
});

describe.each([
  // A cluster that is known and its strategy are strategy-service's alone.
  ['backup-service', ALL.filter((name) => !name.endsWith('strategy'))],
  ['strategy-service', ['get strategy', 'save strategy']],
  ['scheduler-service', ['list occurrences']],
] as const)('when %s', (kind, refused: readonly Name[]) => {
  it('is frozen, what needs it is refused, what can do without it is answered, and it goes on afterwards', async () => {
    await untilAllReady();
    const before = processes();
    const service = tidemark.stack.process(kind);
    service.kill('SIGSTOP');
    try {
      await expectRefused(refused);
      await untilMissed(kind);
      await expectRefused(refused);
    } finally {
      service.kill('SIGCONT');
    }
    await untilAllReady();
    expect(processes()).toEqual(before);
  });

  it('is killed, the same, and all is well when it is started again', async () => {
    await untilAllReady();
    const service = tidemark.stack.process(kind);
    const others = processes().filter((one) => !one.startsWith(kind));
    service.kill('SIGKILL');
    await service.exited();
    await expectRefused(refused);
    await untilMissed(kind);
    await expectRefused(refused);
    await service.start();
    await untilAllReady();
    expect(processes().filter((one) => !one.startsWith(kind))).toEqual(others);
  });
});
