/**
 * Streams of events and logs, over sockets.
 *
 * 1. A client that goes away, says nothing any more, or takes nothing, lets go of everything behind it.
 * 2. What a client does not take is not asked for: memory is bounded, whatever the service has.
 * 3. A stream ends by itself: with its backup, with its time, with its token, with the gateway.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RestoreState } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { Backup } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type BackupServiceServer,
  BackupServiceService,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { bindService, type Handlers } from '@tidemark/service-kit/grpc/bind-service';
import { startGrpcServer } from '@tidemark/service-kit/grpc/server';
import { createLogger } from '@tidemark/service-kit/logging';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { toConfig } from './config.ts';
import type { Limits } from './edge/limits.ts';
import type { LabelAges } from './identity/cluster-labels.ts';
import { startGateway } from './service.ts';
import { BACKUP, CLUSTER, RESTORE, sampleBackup } from './testing/programmable-backends.ts';
import { exchange, open, requestOf } from './testing/raw-http.ts';
import { startTestGateway, type TestGateway } from './testing/test-gateway.ts';

const EVENTS = `/backups/${BACKUP}/events`;
const OF_BACKUPS = [EVENTS, `/backups/${BACKUP}/log?follow=true`] as const;
const PATHS = [...OF_BACKUPS, `/restores/${RESTORE}/events`] as const;

/** Waits as long as a busy machine may need. */
const soon = <T>(check: () => T | Promise<T>) => vi.waitFor(check, { timeout: 20_000, interval: 20 });

let stack = new AsyncDisposableStack();
afterEach(async () => {
  await stack.disposeAsync();
  stack = new AsyncDisposableStack();
});

const untilAborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** What a service does: nothing at first, a little, or without end. */
type Behaviour = 'silent' | 'little' | 'endless';

interface Witness {
  opened: number;
  open: number;
  pieces: number;
}

const PIECE = Buffer.alloc(64 * 1024, 'x\n');

function behave(gateway: TestGateway, behaviour: Behaviour): Witness {
  const witness = { opened: 0, open: 0, pieces: 0 };
  async function* pieces<T>(piece: T, signal: AbortSignal): AsyncGenerator<T> {
    witness.opened += 1;
    witness.open += 1;
    void untilAborted(signal).then(() => (witness.open -= 1));
    while (behaviour !== 'silent' && !signal.aborted && (witness.pieces < 1 || behaviour === 'endless')) {
      witness.pieces += 1;
      yield piece;
    }
    await untilAborted(signal);
  }
  const padded = sampleBackup({ createdBy: behaviour === 'endless' ? PIECE.toString() : 'console' });
  gateway.answers.watchBackup = (_, { signal }) => pieces({ backup: padded }, signal);
  gateway.answers.watchRestore = ({ id }, { signal }) =>
    pieces({ restore: { id, state: RestoreState.SUCCEEDED, createdBy: padded.createdBy } }, signal);
  gateway.answers.readBackupLog = (_, { signal }) =>
    pieces({ attempt: 1, data: PIECE, worker: 'w1', brVersion: 'v8.5.0' }, signal);
  return witness;
}

async function start(
  limits: Partial<Limits> = {},
  labelAges?: LabelAges,
): Promise<{ gateway: TestGateway; port: number }> {
  const gateway = stack.use(await startTestGateway({ limits, ...(labelAges && { labelAges }) }));
  return { gateway, port: await gateway.listen() };
}

describe.each(PATHS)('a client of %s', (path) => {
  it.each(['silent', 'little', 'endless'] as const)(
    'that goes away ends the stream of a %s service',
    async (behaviour) => {
      const { gateway, port } = await start();
      const witness = behave(gateway, behaviour);
      const socket = await open(port);
      socket.write(requestOf('GET', path));
      await soon(() => expect(witness.open).toBe(1));
      socket.destroy();
      await soon(() => expect(witness.open).toBe(0));
    },
  );

  it('that is connected knows so at once, also while nothing happens', async () => {
    const { gateway, port } = await start();
    behave(gateway, 'silent');
    const socket = await open(port);
    socket.write(requestOf('GET', path));
    const [head] = (await once(socket.setEncoding('utf8'), 'data')) as [string];
    expect(head).toMatch(/^HTTP\/1.1 200 OK\r\n/);
    socket.destroy();
  });

  it('that takes nothing costs bounded memory, and is cut after a while', async () => {
    const { gateway, port } = await start({ stalledMs: 500 });
    const witness = behave(gateway, 'endless');
    const sockets = await Promise.all(Array.from({ length: 5 }, () => open(port)));
    for (const socket of sockets) socket.pause().write(requestOf('GET', path));
    await soon(() => expect(witness.opened).toBe(5));
    await soon(() => expect(witness.open).toBe(0));
    // The kernel's buffers on both sides take some megabytes of each; nothing else does.
    expect(witness.pieces * PIECE.length).toBeLessThan(5 * 16 * 1024 * 1024);
    for (const socket of sockets) socket.destroy();
    expect((await gateway.ask('GET', '/backups')).status).toBe(200);
  });

  it('has one stream too many for its token: 429 with Retry-After, until it closes one', async () => {
    const { gateway, port } = await start({ streamsPerToken: 2 });
    const witness = behave(gateway, 'silent');
    const sockets = await Promise.all([open(port), open(port)]);
    for (const socket of sockets) socket.write(requestOf('GET', path));
    await soon(() => expect(witness.open).toBe(2));
    const refused = await exchange(port, requestOf('GET', path));
    expect(refused).toMatch(/^HTTP\/1.1 429 [\s\S]*retry-after: [1-9][\s\S]*"code":10000/);
    expect((await gateway.ask('GET', '/backups')).status).toBe(200);
    const other = await open(port);
    other.write(requestOf('GET', path).toString().replace('Bearer admin', 'Bearer viewer'));
    await soon(() => expect(witness.open).toBe(3));
    sockets[0]?.destroy();
    await soon(() => expect(witness.open).toBe(2));
    const again = await open(port);
    again.write(requestOf('GET', path));
    await soon(() => expect(witness.open).toBe(3));
    for (const socket of [...sockets, other, again]) socket.destroy();
  });

  it('finds as many streams open as there may be: 503 with Retry-After, until one ends', async () => {
    const { gateway, port } = await start({ streams: 1 });
    const witness = behave(gateway, 'silent');
    const first = await open(port);
    first.write(requestOf('GET', path));
    await soon(() => expect(witness.open).toBe(1));
    expect(await exchange(port, requestOf('GET', path))).toMatch(
      /^HTTP\/1.1 503 [\s\S]*retry-after: [1-9][\s\S]*"code":20604/,
    );
    first.destroy();
    await soon(() => expect(witness.open).toBe(0));
    const second = await open(port);
    second.write(requestOf('GET', path));
    await soon(() => expect(witness.open).toBe(1));
    second.destroy();
  });

  it('is told to come again when the time of a stream is over', async () => {
    const { gateway, port } = await start({ streamMs: 300 });
    const witness = behave(gateway, 'little');
    expect(await exchange(port, requestOf('GET', path))).toMatch(/connect again|ask again/);
    expect(witness.open).toBe(0);
  });

  it('whose token is taken away loses its stream', async () => {
    const { gateway, port } = await start({ heartbeatMs: 200 });
    const witness = behave(gateway, 'little');
    const received = exchange(port, requestOf('GET', path));
    await soon(() => expect(witness.open).toBe(1));
    await gateway.writeTokens({ viewer: { role: 'viewer', clusters: ['*'] } });
    expect(await received).toMatch(/connect again|ask again/);
    expect(witness.open).toBe(0);
  });

  it('whose token sees the cluster no longer loses its stream', async () => {
    const { gateway, port } = await start({ heartbeatMs: 200 });
    const witness = behave(gateway, 'little');
    const received = exchange(port, requestOf('GET', path));
    await soon(() => expect(witness.open).toBe(1));
    await gateway.writeTokens({ admin: { role: 'admin', clusters: ['another'] } });
    expect(await received).toMatch(/connect again|ask again/);
    expect(witness.open).toBe(0);
  });

  it('whose cluster loses the label that its token goes by loses its stream', async () => {
    const { gateway, port } = await start({ heartbeatMs: 100 }, { fresh: 0, usable: 0 });
    const witness = behave(gateway, 'little');
    const asked = requestOf('GET', path).toString().replace('Bearer admin', 'Bearer labelled-viewer');
    const received = exchange(port, Buffer.from(asked));
    await soon(() => expect(witness.open).toBe(1));
    gateway.answers.listClusters = async () => ({ clusters: [{ id: CLUSTER, labels: { env: 'dev' } }] });
    expect(await received).toMatch(/connect again|ask again/);
    expect(witness.open).toBe(0);
  });

  it('keeps it while nobody can say whether its token still sees the cluster', async () => {
    const { gateway, port } = await start({ heartbeatMs: 100 }, { fresh: 0, usable: 0 });
    const witness = behave(gateway, 'little');
    const socket = await open(port);
    socket.write(requestOf('GET', path).toString().replace('Bearer admin', 'Bearer labelled-viewer'));
    await soon(() => expect(witness.open).toBe(1));
    let looked = 0;
    gateway.answers.listClusters = async () => {
      looked += 1;
      throw new Error('gone');
    };
    await soon(() => expect(looked).toBeGreaterThan(2));
    expect(witness.open).toBe(1);
    socket.destroy();
  });

  it('is told to come again when the gateway stops, which it does not hold up', async () => {
    const { gateway, port } = await start();
    const witness = behave(gateway, 'little');
    const received = exchange(port, requestOf('GET', path));
    await soon(() => expect(witness.pieces).toBe(1));
    await gateway.app.close();
    expect(await received).toMatch(/connect again|ask again/);
    expect(witness.open).toBe(0);
  });

  it('does not count as a request that is being answered', async () => {
    const { gateway, port } = await start({ inFlight: 1 });
    const witness = behave(gateway, 'silent');
    const socket = await open(port);
    socket.write(requestOf('GET', path));
    await soon(() => expect(witness.open).toBe(1));
    expect((await gateway.ask('GET', '/backups')).status).toBe(200);
    socket.destroy();
  });

  it('gets it uncompressed, as it comes', async () => {
    const { gateway, port } = await start();
    behave(gateway, 'little');
    const socket = await open(port);
    socket.write(requestOf('GET', path, '', ['Accept-Encoding: gzip, br, zstd']));
    let received = '';
    socket.setEncoding('utf8').on('data', (chunk) => (received += chunk));
    await soon(() => expect(received).toMatch(/Succeeded|==> attempt 1/));
    expect(received).not.toMatch(/content-encoding/i);
    socket.destroy();
  });
});

/** What takes its time is tried with all streams at once. */
describe('clients of all streams', () => {
  it('that are slow but take something are not cut', async () => {
    const { gateway, port } = await start({ stalledMs: 2_000 });
    const witness = behave(gateway, 'endless');
    const clients = await Promise.all(PATHS.map(async (path) => ({ path, socket: await open(port), taken: 0 })));
    for (const { path, socket } of clients) socket.pause().write(requestOf('GET', path));
    await soon(() => expect(witness.opened).toBe(PATHS.length));
    for (const client of clients) client.socket.on('data', (chunk) => (client.taken += chunk.length)).pause();
    for (let i = 0; i < 16; i += 1) {
      await sleep(200);
      for (const { socket } of clients) socket.resume();
      await sleep(50);
      for (const { socket } of clients) socket.pause();
    }
    for (const { path, taken } of clients) expect(taken, path).toBeGreaterThan(PIECE.length);
    expect(witness.open).toBe(PATHS.length);
    for (const { socket } of clients) socket.destroy();
  });

  it('whose token expires lose their streams then, and not before', async () => {
    const { gateway, port } = await start({ heartbeatMs: 100 });
    const witness = behave(gateway, 'little');
    const expires = Date.now() + 2_000;
    await gateway.writeTokens({
      admin: { role: 'admin', clusters: ['*'], expiresAt: new Date(expires).toISOString() },
    });
    const ended = PATHS.map(async (path) => {
      const received = await exchange(port, requestOf('GET', path));
      return { path, received, at: Date.now() };
    });
    await soon(() => expect(witness.open).toBe(PATHS.length));
    for (const { path, received, at } of await Promise.all(ended)) {
      expect(received, path).toMatch(/connect again|ask again/);
      expect(at, path).toBeGreaterThanOrEqual(expires);
    }
    expect(witness.open).toBe(0);
  });
});

it('a stream of events on which nothing happens says with comments that it is still there', async () => {
  const { gateway, port } = await start({ heartbeatMs: 100 });
  behave(gateway, 'little');
  const socket = await open(port);
  socket.write(requestOf('GET', EVENTS));
  let received = '';
  socket.setEncoding('utf8').on('data', (chunk) => (received += chunk));
  await soon(() => expect(received.match(/: still here\n\n/g)?.length).toBeGreaterThan(2));
  expect(received).toMatch(/event: backup\nid: 9\ndata: .*\n\n/);
  expect(received).toMatch(/x-accel-buffering: no/);
  socket.destroy();
});

describe('with a service behind real gRPC', () => {
  it.each(OF_BACKUPS)('a client that leaves %s is noticed by the service itself', async (path) => {
    const seen = { open: 0 };
    const refuse = async () => {
      throw new Error('not part of this test');
    };
    async function* follow<T>(piece: T, signal: AbortSignal): AsyncGenerator<T> {
      seen.open += 1;
      yield piece;
      await untilAborted(signal);
      seen.open -= 1;
    }
    const backup = Backup.create({ id: BACKUP, clusterId: 'c1', revision: 1n });
    const handlers: Handlers<BackupServiceServer> = {
      startBackup: refuse,
      findBackupByKey: refuse,
      listActivity: refuse,
      listBackups: refuse,
      deleteBackup: refuse,
      undeleteBackup: refuse,
      pinBackup: refuse,
      unpinBackup: refuse,
      verifyBackup: refuse,
      cancelVerification: refuse,
      listRecoveryPoints: refuse,
      listNeededBases: refuse,
      listNewestGood: refuse,
      listChangedClusters: refuse,
      cancelBackup: refuse,
      getBackup: async () => ({ backup }),
      watchBackup: (_, { signal }) => follow({ backup }, signal),
      readBackupLog: (_, { signal }) =>
        follow({ attempt: 1, data: PIECE, skippedBytes: 0n, worker: 'w1', brVersion: 'v8.5.0' }, signal),
    };
    const service = stack.use(
      await startGrpcServer({
        host: '127.0.0.1',
        port: 0,
        token: 'secret',
        log: createLogger('test'),
        services: [bindService<BackupServiceServer>(BackupServiceService, handlers)],
      }),
    );
    const folder = await mkdtemp(join(tmpdir(), 'tidemark-gateway-'));
    stack.defer(() => rm(folder, { recursive: true }));
    const tokensFile = join(folder, 'tokens.json');
    const sha256 = createHash('sha256').update('admin').digest('hex');
    const token = { id: 't1', name: 'script', sha256, role: 'admin', clusters: ['*'] };
    await writeFile(tokensFile, JSON.stringify({ tokens: [token] }));
    const at = `127.0.0.1:${service.port}`;
    const { port } = stack.use(
      await startGateway(
        toConfig({
          TIDEMARK_PORT: '0',
          TIDEMARK_OPERATIONS_PORT: '0',
          TIDEMARK_STRATEGY_SERVICE: at,
          TIDEMARK_BACKUP_SERVICE: at,
          TIDEMARK_SCHEDULER_SERVICE: at,
          TIDEMARK_SERVICE_TOKEN: 'secret',
          TIDEMARK_TOKENS_FILE: tokensFile,
          TIDEMARK_RATE_PER_SECOND: '1000',
          TIDEMARK_RATE_BURST: '1000',
        }),
      ),
    );
    const sockets = await Promise.all(Array.from({ length: 10 }, () => open(port)));
    for (const socket of sockets) socket.write(requestOf('GET', path));
    await soon(() => expect(seen.open).toBe(10));
    for (const socket of sockets) socket.destroy();
    await soon(() => expect(seen.open).toBe(0));
  });
});
