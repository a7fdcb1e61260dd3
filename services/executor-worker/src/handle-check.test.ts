import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@tidemark/errors/app-error';
import {
  CheckGrant,
  type CompleteCheckRequest,
  type ExecutorServiceServer,
  type ReleaseCheckRequest,
  type RenewCheckRequest,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { CheckKind, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { CommandKind } from '@tidemark/protocol/queue/v1/commands';
import { configReader } from '@tidemark/service-kit/env';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import { readTiming } from '@tidemark/service-kit/timing';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createCompletion } from './completion.ts';
import { claimCheck } from './handle-check.ts';
import { createWorks } from './works.ts';

const timing = readTiming(
  configReader({ TIDEMARK_RENEW_SECONDS: '0.02', TIDEMARK_CALL_SECONDS: '1', TIDEMARK_CLAIM_SECONDS: '0.5' }),
);
const command = { kind: CommandKind.COMMAND_KIND_CHECK, id: 'check-1' };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-handle-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The calls of a worker, answered by this test; what it does not replace goes well. */
const worker = (answers: Partial<ServiceClient<ExecutorServiceServer>> = {}) => {
  const completed: CompleteCheckRequest[] = [];
  const renewed: RenewCheckRequest[] = [];
  const released: ReleaseCheckRequest[] = [];
  const drain = new AbortController();
  const storage = Storage.create({ id: 's1', root: 'nfs', location: { $case: 'local', value: { path: folder } } });
  const client = {
    async claimCheck() {
      return { grant: CheckGrant.create({ fence: 3n, kind: CheckKind.CHECK_KIND_PROBE, storage, requestId: 'r1' }) };
    },
    async renewCheck(request: RenewCheckRequest) {
      renewed.push(request);
      return { standing: TaskStanding.TASK_STANDING_HELD };
    },
    async completeCheck(request: CompleteCheckRequest) {
      completed.push(request);
      return { standing: TaskStanding.TASK_STANDING_HELD };
    },
    async releaseCheck(request: ReleaseCheckRequest) {
      released.push(request);
      return { standing: TaskStanding.TASK_STANDING_HELD };
    },
    ...answers,
  } as ServiceClient<ExecutorServiceServer>;
  const completion = createCompletion(client, { callMs: timing.callMs, giveUp: new AbortController().signal });
  const dependencies = {
    client,
    completion,
    env: {},
    timing,
    drain: drain.signal,
    worker: 'w1',
    pool: 'default',
    instance: 'instance-of-the-test',
    works: createWorks(),
  };
  return { claim: () => claimCheck(dependencies, command, 'r1'), completed, renewed, released, drain, storage };
};

it('runs a granted check and tells what it found under its claim and fence', async () => {
  const { claim, completed } = worker();
  await (await claim())?.();
  expect(completed).toMatchObject([{ check: { checkId: 'check-1', fence: 3n }, ok: true, totalSteps: 8 }]);
  expect(completed[0]?.check?.claim.length).toBeGreaterThanOrEqual(22);
});

it('forgets a check that it did not get', async () => {
  const { claim } = worker({ claimCheck: async () => ({ grant: undefined }) });
  expect(await claim()).toBeUndefined();
});

it('asks again until its claim is answered, and gives up after a while', async () => {
  const claimCheckCall = vi.fn(async () => {
    throw new AppError('unavailable', 'not now');
  });
  const { claim } = worker({ claimCheck: claimCheckCall });
  expect(await claim()).toBeUndefined();
  expect(claimCheckCall.mock.calls.length).toBeGreaterThan(1);
});

const rebuildThatWaits = (storage: Storage, whenOffered: () => void) => ({
  async claimCheck() {
    return { grant: CheckGrant.create({ fence: 3n, kind: CheckKind.CHECK_KIND_REBUILD, storage, requestId: 'r1' }) };
  },
  offerManifest: (_request: unknown, options?: { signal?: AbortSignal | undefined }) => {
    whenOffered();
    return new Promise<never>((_resolve, reject) => {
      options?.signal?.addEventListener('abort', () => reject(new AppError('canceled', 'It was canceled.')));
    });
  },
});

it('stops a check that was lost, and says nothing more about it', async () => {
  const { storage } = worker();
  putBackup();
  const { claim, completed } = worker({
    ...rebuildThatWaits(storage, () => undefined),
    renewCheck: async () => ({ standing: TaskStanding.TASK_STANDING_LOST }),
  });
  await (await claim())?.();
  expect(completed).toEqual([]);
});

it('gives a check back when this worker stops, and renews it until then', async () => {
  const { storage } = worker();
  putBackup();
  const offered = Promise.withResolvers<void>();
  const { claim, completed, renewed, released, drain } = worker(rebuildThatWaits(storage, offered.resolve));
  const running = (await claim())?.();
  await offered.promise;
  await vi.waitFor(() => expect(renewed.length).toBeGreaterThan(1));
  expect(renewed.at(-1)).toMatchObject({ check: { checkId: 'check-1', fence: 3n }, totalSteps: 1 });
  drain.abort(new Error('stopping'));
  await running;
  expect(completed).toEqual([]);
  expect(released).toMatchObject([{ check: { checkId: 'check-1', fence: 3n } }]);
});

it('tells of the marker and of what was moved again where that was not answered', async () => {
  const { storage } = worker();
  const number = 'f'.repeat(32);
  const place = { place: 'p1', root: 'nfs', number, backups: [] };
  const unanswered = new AppError('unavailable', 'not now');
  const settleMove = vi
    .fn()
    .mockRejectedValueOnce(unanswered)
    .mockResolvedValue({ standing: TaskStanding.TASK_STANDING_HELD, proven: true, message: 'It is here.', number });
  const settleMarker = vi
    .fn()
    .mockRejectedValueOnce(unanswered)
    .mockResolvedValue({ standing: TaskStanding.TASK_STANDING_HELD, number, candidate: number, backups: [] });
  const { claim, completed } = worker({
    async claimCheck() {
      const kind = CheckKind.CHECK_KIND_PROBE;
      const marker = { number: '', adopt: true };
      return {
        grant: CheckGrant.create({ fence: 3n, kind, storage, requestId: 'r1', marker, move: { places: [place] } }),
      };
    },
    settleMove,
    settleMarker,
  });
  putMarker(number);
  await (await claim())?.();
  expect(completed).toMatchObject([{ ok: true }]);
  expect(settleMove.mock.calls[0]?.[0]).toMatchObject({ place: 'p1', number });
  expect(settleMove.mock.calls[1]?.[0]).toEqual(settleMove.mock.calls[0]?.[0]);
  expect(settleMarker.mock.calls[1]?.[0]).toEqual(settleMarker.mock.calls[0]?.[0]);
});

it('tells nothing again that was refused', async () => {
  const settleMarker = vi.fn().mockRejectedValue(new AppError('invalid_argument', 'It is none.'));
  const { storage } = worker();
  const { claim, completed } = worker({
    async claimCheck() {
      const marker = { number: '', adopt: false };
      return { grant: CheckGrant.create({ kind: CheckKind.CHECK_KIND_PROBE, storage, requestId: 'r1', marker }) };
    },
    settleMarker,
  });
  putMarker('f'.repeat(32));
  await (await claim())?.();
  expect(completed).toMatchObject([{ ok: false }]);
  expect(settleMarker).toHaveBeenCalledTimes(1);
});

function putMarker(number: string): void {
  const path = join(folder, 'nfs', '.tidemark');
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, 's1.json'), JSON.stringify({ schemaVersion: 1, storageId: 's1', number }));
}

function putBackup(): void {
  const path = join(folder, 'nfs', 'c1', 'p');
  mkdirSync(path, { recursive: true });
  for (const name of ['backupmeta', 'tidemark.json']) writeFileSync(join(path, name), '{}');
}
