import type { AppError } from '@tidemark/errors/app-error';
import { Backup } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupServiceServer,
  BackupServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createLogger } from '../logging.ts';
import { bindService, type Handlers } from './bind-service.ts';
import type { CallContext } from './call-context.ts';
import { createServiceClient, type ServiceClient } from './client.ts';
import { startGrpcServer } from './server.ts';

type Get = (id: string, context: CallContext) => Promise<void>;

let open: AsyncDisposableStack;
beforeEach(() => {
  open = new AsyncDisposableStack();
});
afterEach(() => vi.unstubAllEnvs());

/** A service whose `getBackup` does what it is told. */
async function serve(get: Get, admission = { atOnce: 8, waiting: 100 }): Promise<ServiceClient<BackupServiceServer>> {
  const handlers = {
    async getBackup({ id }: { id: string }, context: CallContext) {
      await get(id, context);
      return { backup: Backup.create({ id }) };
    },
  };
  const nothing = new Proxy(handlers, {
    get: (target, name) => Reflect.get(target, name) ?? (async () => undefined),
  }) as unknown as Handlers<BackupServiceServer>;
  const server = open.use(
    await startGrpcServer({
      host: '127.0.0.1',
      port: 0,
      token: undefined,
      log: createLogger('test'),
      services: [bindService<BackupServiceServer>(BackupServiceService, nothing)],
      admission,
    }),
  );
  const address = `127.0.0.1:${server.port}`;
  const client = open.use(
    createServiceClient<BackupServiceServer>(BackupServiceService, { address, token: undefined }),
  );
  await client.waitForReady(10_000);
  return client;
}

afterEach(async () => {
  await open.disposeAsync();
});

type Outcome = 'answered' | AppError;

/** What became of a call. */
const outcomeOf = (call: Promise<unknown>): Promise<Outcome> =>
  call.then(
    () => 'answered',
    (error: AppError) => error,
  );

const codesOf = (outcomes: readonly Outcome[]) => [
  ...new Set(outcomes.map((one) => (one === 'answered' ? one : one.code))),
];

it('lets others pass while a call only waits for something that takes long', async () => {
  const free = Promise.withResolvers<void>();
  const client = await serve(
    async (id, { leavePlace }) => {
      if (id !== 'waits') return;
      leavePlace();
      await free.promise;
    },
    { atOnce: 1, waiting: 0 },
  );
  const waiting = client.getBackup({ id: 'waits' }, { timeoutMs: 20_000 });
  await vi.waitFor(() => client.getBackup({ id: 'quick' }));
  free.resolve();
  await waiting;
});

it('says for as long as the database hangs that nothing was answered in time, and never that Tidemark has a fault', async () => {
  let hangs = true;
  const client = await serve(async (_, { signal }) => {
    if (hangs) await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  });
  const outcomes: Outcome[] = [];
  // Node's HTTP/2 closes a connection after a thousand resets in a short time: that is what callers did who gave up.
  for (let round = 0; round < 15; round++) {
    const calls = Array.from({ length: 100 }, () => outcomeOf(client.getBackup({ id: 'b' }, { timeoutMs: 400 })));
    outcomes.push(...(await Promise.all(calls)));
  }
  expect(codesOf(outcomes).sort()).toEqual(['deadline_exceeded', 'overloaded']);
  hangs = false;
  await vi.waitFor(() => client.getBackup({ id: 'b' }));
});

it('reaches the other processes whatever proxy the shell names', async () => {
  for (const name of ['http_proxy', 'https_proxy', 'grpc_proxy']) vi.stubEnv(name, 'http://127.0.0.1:1');
  vi.stubEnv('no_proxy', '');
  const client = await serve(async () => undefined);
  await client.getBackup({ id: 'b' });
});
