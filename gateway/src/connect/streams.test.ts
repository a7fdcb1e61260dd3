/**
 * How long a call lives, over each protocol.
 *
 * 1. A client that goes away takes its call with it, down to the service.
 * 2. The deadline of a client holds on both sides; a client without one, or with a longer one, has the gateway's.
 * 3. A gateway that stops ends its streams, in words that say to come back, and lets short calls end.
 * 4. A stream does not outlive the right of its token to see it.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client, HandlerContext } from '@connectrpc/connect';
import { BackupService } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import { RegistryService } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import { RestoreService } from '@tidemark/protocol/connect/tidemark/backup/v1/restore_service';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { CALL_TIMEOUT_MS } from '../backends.ts';
import type { Limits } from '../edge/limits.ts';
import { log } from '../logger.ts';
import { BACKUP, CLUSTER, OTHER_CLUSTER, RESTORE, sampleBackup } from '../testing/programmable-backends.ts';
import { as, outcomeOf, PROTOCOLS, type RpcGateway, startRpcGateway, toldBy } from '../testing/rpc-clients.ts';

let gateway: RpcGateway;
/** What services saw, and the longest time that they were given for an answer. */
const UNSEEN = { started: 0, aborted: 0, timeoutMs: 0 };
const seen = { ...UNSEEN };
const untilAborted = async ({ signal, timeoutMs }: HandlerContext) => {
  seen.started += 1;
  seen.timeoutMs = Math.max(seen.timeoutMs, timeoutMs() ?? Number.POSITIVE_INFINITY);
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  seen.aborted += 1;
};
/** Streams bring one message and then nothing, and a pin never ends, until somebody gives them up. */
async function start(limits: Partial<Limits>): Promise<RpcGateway> {
  const started = await startRpcGateway({ limits, labelAges: { fresh: 0, usable: 0 } });
  started.answers.watchBackup = async function* (_, context) {
    yield { backup: sampleBackup() };
    await untilAborted(context);
  };
  started.answers.watchRestore = async function* ({ id }, context) {
    yield { restore: { id } };
    await untilAborted(context);
  };
  started.answers.pinBackup = async (_, context) => {
    await untilAborted(context);
    return {};
  };
  return started;
}
beforeEach(async () => {
  Object.assign(seen, UNSEEN);
  for (const level of ['info', 'warn'] as const) vi.spyOn(log, level).mockImplementation(() => undefined);
  gateway = await start({ heartbeatMs: 100 });
});
afterEach(async () => {
  await gateway[Symbol.asyncDispose]();
  vi.restoreAllMocks();
});

it('a deadline is held for a client that goes on waiting', async () => {
  const response = await fetch(`${gateway.url}/${BackupService.typeName}/PinBackup`, {
    method: 'POST',
    headers: { authorization: 'Bearer admin', 'content-type': 'application/json', 'connect-timeout-ms': '500' },
    body: JSON.stringify({ id: BACKUP }),
  });
  expect(await response.json()).toMatchObject({ code: 'deadline_exceeded' });
  await vi.waitFor(() => expect(seen).toMatchObject({ started: 1, aborted: 1 }));
});

describe.each(PROTOCOLS)('over %s', (protocol) => {
  const backups = () => gateway.client(BackupService, protocol);

  it('a stream brings each message as it comes, and ends with its reader', async () => {
    const leave = new AbortController();
    const stream = backups().watchBackup({ id: BACKUP }, { ...as('viewer'), signal: leave.signal });
    const told = (async () => {
      try {
        for await (const { backup } of stream) {
          expect(backup?.id).toBe(BACKUP);
          leave.abort();
        }
        return 'ended';
      } catch (error) {
        return toldBy(error).code;
      }
    })();
    expect(await told).toBe('Canceled');
    await vi.waitFor(() => expect(seen).toMatchObject({ started: 1, aborted: 1 }));
  });

  it('a call that its client gives up is given up by the service', async () => {
    const leave = new AbortController();
    const call = outcomeOf(backups().pinBackup({ id: BACKUP }, { ...as('admin'), signal: leave.signal }));
    await vi.waitFor(() => expect(seen.started).toBe(1));
    leave.abort();
    expect(await call).toMatchObject({ code: 'Canceled' });
    await vi.waitFor(() => expect(seen.aborted).toBe(1));
    await vi.waitFor(() => expect(codes('call answered')).toContain('canceled'));
  });

  it.each([
    ['taken away', { admin: { role: 'admin', clusters: ['*'] } }, 'Unauthenticated'],
    ['given other clusters', { viewer: { role: 'viewer', clusters: ['another'] } }, 'NotFound'],
  ] as const)('a stream ends when its token is %s', async (_, tokens, code) => {
    const stream = outcomeOf(backups().watchBackup({ id: BACKUP }, as('viewer')));
    await vi.waitFor(() => expect(seen.started).toBe(1));
    await gateway.writeTokens(tokens);
    expect(await stream).toMatchObject({ code });
    await vi.waitFor(() => expect(seen.aborted).toBe(1));
  });

  it('a stream ends when its cluster loses the label that its token goes by', async () => {
    const stream = outcomeOf(backups().watchBackup({ id: BACKUP }, as('labelled-viewer')));
    await vi.waitFor(() => expect(seen.started).toBe(1));
    gateway.answers.listClusters = async () => ({ clusters: [{ id: CLUSTER, labels: { env: 'dev' } }] });
    expect(await stream).toMatchObject({ code: 'NotFound', message: `There is no backup ${BACKUP}.` });
    await vi.waitFor(() => expect(seen.aborted).toBe(1));
  });

  it('a stream about a restore ends when its token sees one of its two clusters no longer', async () => {
    gateway.answers.getRestore = async ({ id }) => ({
      restore: { id, source: { clusterId: CLUSTER }, target: { clusterId: OTHER_CLUSTER } },
    });
    await gateway.writeTokens({ viewer: { role: 'viewer', clusters: [CLUSTER, OTHER_CLUSTER] } });
    const restores = gateway.client(RestoreService, protocol);
    const stream = outcomeOf(restores.watchRestore({ id: RESTORE }, as('viewer')));
    await vi.waitFor(() => expect(seen.started).toBe(1));
    await gateway.writeTokens({ viewer: { role: 'viewer', clusters: [OTHER_CLUSTER] } });
    expect(await stream).toMatchObject({ code: 'NotFound', message: `There is no restore ${RESTORE}.` });
    await vi.waitFor(() => expect(seen.aborted).toBe(1));
  });

  it('a gateway that stops ends streams and says when to come back', async () => {
    const stream = outcomeOf(backups().watchBackup({ id: BACKUP }, as('viewer')));
    await vi.waitFor(() => expect(seen.started).toBe(1));
    const stopped = protocol === 'gRPC' ? gateway.grpc[Symbol.asyncDispose]() : gateway.app.close();
    expect(await stream).toMatchObject({ code: 'Unavailable', retryMs: 1_000 });
    await vi.waitFor(() => expect(seen.aborted).toBe(1));
    gateway.app.server.closeIdleConnections();
    await stopped;
  });
});

/** Those that take their time are asked for over all protocols at once. */
describe('over every protocol', () => {
  const everywhere = <T>(ask: (backups: Client<typeof BackupService>) => Promise<T>) =>
    Promise.all(
      PROTOCOLS.map(async (protocol) => [protocol, await ask(gateway.client(BackupService, protocol))] as const),
    );
  const all = PROTOCOLS.length;

  it('a deadline ends call and stream, on both sides', async () => {
    const within = (token: string) => ({ ...as(token), timeoutMs: 1_000 });
    const calls = await everywhere((backups) => outcomeOf(backups.pinBackup({ id: BACKUP }, within('admin'))));
    for (const [protocol, call] of calls) expect(call, protocol).toMatchObject({ code: 'DeadlineExceeded' });
    await vi.waitFor(() => expect(seen).toMatchObject({ started: all, aborted: all }));
    expect(seen.timeoutMs).toBeLessThanOrEqual(1_000);
    const streams = await everywhere((backups) => outcomeOf(backups.watchBackup({ id: BACKUP }, within('viewer'))));
    for (const [protocol, stream] of streams) expect(stream, protocol).toMatchObject({ code: 'DeadlineExceeded' });
    await vi.waitFor(() => expect(seen).toMatchObject({ started: 2 * all, aborted: 2 * all }));
    expect(seen.timeoutMs).toBeLessThanOrEqual(1_000);
  });

  it('a longer deadline than the gateway’s is fine, and the gateway’s holds', async () => {
    const options = { ...as('admin'), timeoutMs: 3_600_000 };
    const calls = await everywhere((backups) => outcomeOf(backups.pinBackup({ id: BACKUP }, options)));
    for (const [protocol, call] of calls)
      expect(call, protocol).toMatchObject({ code: 'Unavailable', reason: 'tidemark/unavailable', retryMs: 1_000 });
    expect(seen.timeoutMs).toBeLessThanOrEqual(CALL_TIMEOUT_MS);
  });

  it('a stream ends when its token expires, and not before', async () => {
    const expires = Date.now() + 2_000;
    await gateway.writeTokens({
      viewer: { role: 'viewer', clusters: ['*'], expiresAt: new Date(expires).toISOString() },
    });
    const streams = everywhere(async (backups) => {
      const outcome = await outcomeOf(backups.watchBackup({ id: BACKUP }, as('viewer')));
      return { outcome, at: Date.now() };
    });
    await vi.waitFor(() => expect(seen.started).toBe(all));
    for (const [protocol, { outcome, at }] of await streams) {
      expect(outcome, protocol).toMatchObject({ code: 'Unauthenticated', reason: 'tidemark/token_expired' });
      expect(at, protocol).toBeGreaterThanOrEqual(expires);
    }
    await vi.waitFor(() => expect(seen.aborted).toBe(all));
  });
});

it('all streams of a token that is taken away end, also where no more bad tokens of its address are looked at', async () => {
  await gateway[Symbol.asyncDispose]();
  gateway = await start({ heartbeatMs: 100, badTokens: { perSecond: 0.001, burst: 1 } });
  const streams = [1, 2, 3].map(() =>
    outcomeOf(gateway.client(BackupService, 'gRPC').watchBackup({ id: BACKUP }, as('viewer'))),
  );
  await vi.waitFor(() => expect(seen.started).toBe(3));
  await gateway.writeTokens({ admin: { role: 'admin', clusters: ['*'] } });
  for (const stream of streams) expect(await stream).toMatchObject({ code: 'Unauthenticated' });
});

it('a stream that has lasted for long enough ends, in words that say to call again', async () => {
  await gateway[Symbol.asyncDispose]();
  gateway = await start({ streamMs: 200 });
  for (const protocol of PROTOCOLS)
    expect(
      await outcomeOf(gateway.client(BackupService, protocol).watchBackup({ id: BACKUP }, as('viewer'))),
    ).toMatchObject({ code: 'Unavailable', message: expect.stringContaining('call again') });
});

it('a call finds no room while as many are under way as may be, and streams take none of it', async () => {
  await gateway[Symbol.asyncDispose]();
  gateway = await start({ inFlight: 1 });
  const leave = new AbortController();
  const options = { ...as('admin'), signal: leave.signal };
  for (const protocol of PROTOCOLS) {
    const started = seen.started;
    const client = gateway.client(BackupService, protocol);
    void outcomeOf(client.watchBackup({ id: BACKUP }, options));
    await vi.waitFor(() => expect(seen.started).toBe(started + 1));
  }
  const waiting = outcomeOf(gateway.client(BackupService, 'gRPC').pinBackup({ id: BACKUP }, options));
  await vi.waitFor(() => expect(seen.started).toBe(PROTOCOLS.length + 1));
  for (const protocol of PROTOCOLS)
    expect(
      await outcomeOf(gateway.client(BackupService, protocol).getBackup({ id: BACKUP }, as('admin'))),
    ).toMatchObject({
      code: 'Unavailable',
      retryMs: 1_000,
    });
  leave.abort();
  await waiting;
  await vi.waitFor(async () =>
    expect(await outcomeOf(gateway.client(BackupService, 'gRPC').getBackup({ id: BACKUP }, as('admin')))).toBe('ok'),
  );
});

it('a gateway that stops lets short gRPC calls end, and ends the connection after them', async () => {
  gateway.answers.pinBackup = async () => {
    seen.started += 1;
    await sleep(300);
    return { backup: sampleBackup() };
  };
  const call = outcomeOf(gateway.client(BackupService, 'gRPC').pinBackup({ id: BACKUP }, as('admin')));
  await vi.waitFor(() => expect(seen.started).toBe(1));
  const startedAt = performance.now();
  await gateway.grpc[Symbol.asyncDispose]();
  expect(await call).toBe('ok');
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});

it('a storage check may take longer than other calls, and ends with the gateway', async () => {
  gateway.answers.checkStorage = async (_, context) => {
    await untilAborted(context);
    return {};
  };
  const call = outcomeOf(gateway.client(RegistryService, 'gRPC').checkStorage({ storageId: 'nfs' }, as('admin')));
  await vi.waitFor(() => expect(seen.started).toBe(1));
  expect(seen.timeoutMs).toBeGreaterThan(30_000);
  await gateway.grpc[Symbol.asyncDispose]();
  expect(await call).toMatchObject({ code: 'Unavailable' });
});

function codes(message: string): unknown[] {
  return vi
    .mocked(log.info)
    .mock.calls.flatMap(([line, said]: readonly unknown[]) =>
      said === message ? [(line as { code: string }).code] : [],
    );
}
