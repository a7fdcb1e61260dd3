/** What can be followed of a restore: its changes, and what its br printed. */
import { randomUUID } from 'node:crypto';
import { TaskStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { RestoreEndKind, RestoreState, TargetState } from '@tidemark/protocol/grpc/tidemark/backup/v1/restore';
import {
  type ReadRestoreLogResponse,
  RestoreServiceService,
  StartRestoreRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/restore_service';
import { openChannel } from '@tidemark/service-kit/grpc/client';
import { serviceMetadata } from '@tidemark/service-kit/grpc/credentials';
import { SIGHT } from '@tidemark/service-kit/grpc/metadata-names';
import { describe, expect, it } from 'vitest';
import { callWithSight } from './testing/call-with-sight.ts';
import { type RestoringWorker, restoreCalls } from './testing/restore-calls.ts';

const calls = restoreCalls();
const { service, cluster, target, plan, startRestore, working } = calls;

async function started(): Promise<{ readonly id: string; readonly worker: RestoringWorker }> {
  const id = await startRestore();
  const worker = await working(id);
  await worker.starts();
  return { id, worker };
}

describe('a restore that is watched', () => {
  it('is shown after each change, the last one being its end', async () => {
    const { id, worker } = await started();
    const seen: { readonly state: RestoreState; readonly targetState: TargetState; readonly revision: bigint }[] = [];
    for await (const { restore } of service().restores.watchRestore({ id })) {
      if (restore) seen.push(restore);
      if (seen.length === 1) await worker.ends(RestoreEndKind.RESTORE_END_KIND_SUCCEEDED);
    }
    expect(seen[0]).toMatchObject({
      state: RestoreState.RESTORE_STATE_RUNNING,
      targetState: TargetState.TARGET_STATE_PARTIAL,
    });
    expect(seen.at(-1)).toMatchObject({
      state: RestoreState.RESTORE_STATE_SUCCEEDED,
      targetState: TargetState.TARGET_STATE_RESTORED,
    });
    const revisions = seen.map(({ revision }) => revision);
    expect(revisions).toEqual([...new Set(revisions)].sort((one, other) => (one < other ? -1 : 1)));
  });

  it('has ended where it waits for a person, and is watched again from its resume on', async () => {
    const { id, worker } = await started();
    await service().restores.cancelRestore({ id, reason: '' });
    await worker.ends(RestoreEndKind.RESTORE_END_KIND_STOPPED);
    const watched = async () => {
      const states: RestoreState[] = [];
      for await (const { restore } of service().restores.watchRestore({ id })) {
        states.push(restore?.state ?? RestoreState.RESTORE_STATE_UNSPECIFIED);
        if (restore?.state === RestoreState.RESTORE_STATE_QUEUED)
          await service().restores.cancelRestore({ id, reason: '' });
      }
      return states;
    };
    expect(await watched()).toEqual([RestoreState.RESTORE_STATE_CANCELED]);
    await service().restores.resumeRestore({ id, hostDead: false });
    const states = await watched();
    expect(states[0]).toBe(RestoreState.RESTORE_STATE_QUEUED);
    expect(states.at(-1)).toBe(RestoreState.RESTORE_STATE_CANCELED);
  });
});

describe('the log of a restore', () => {
  const report = ({ restore }: RestoringWorker, sequence: number, offset: number, text: string) => {
    const { restoreId: backupId, claim, fence } = restore;
    const task = { backupId, claim, fence };
    return service().executor.reportOutput({ task, sequence, offset: BigInt(offset), data: Buffer.from(text) });
  };
  const read = async (id: string, options: { attempt?: number; follow?: boolean } = {}, from = service()) => {
    const pieces: ReadRestoreLogResponse[] = [];
    for await (const piece of from.restores.readRestoreLog({ id, attempt: 0, follow: false, ...options }))
      pieces.push(piece);
    return pieces;
  };
  const textOf = (pieces: readonly ReadRestoreLogResponse[]) => pieces.map(({ data }) => data.toString()).join('');

  it('can be read from any copy of the service, attempt by attempt, with who printed it and what was not kept', async () => {
    const { id, worker } = await started();
    await report(worker, 0, 0, 'one ');
    await report(worker, 1, 9, 'two ');
    await service().restores.cancelRestore({ id, reason: '' });
    await worker.ends(RestoreEndKind.RESTORE_END_KIND_REFUSED);
    const again = await started();
    await report(again.worker, 0, 0, 'another restore');
    await using other = await service().another();
    const pieces = await read(id, {}, other);
    expect(textOf(pieces)).toBe('one two ');
    expect(pieces[1]).toMatchObject({ attempt: 1, skippedBytes: 5n, worker: 'w1' });
    expect(textOf(await read(id, { attempt: 1, follow: true }))).toBe('one two ');
    expect((await read(again.id))[0]).toMatchObject({ attempt: 1, brVersion: 'v8.5.0' });
  });

  it('is followed until the restore has ended, and has the words of an attempt that is over', async () => {
    const { id, worker } = await started();
    const followed = read(id, { follow: true });
    await report(worker, 0, 0, 'begun, ');
    await report(worker, 1, 7, 'done');
    await worker.ends(RestoreEndKind.RESTORE_END_KIND_SUCCEEDED);
    expect(textOf(await followed)).toBe('begun, done');
    expect(await report(worker, 2, 11, '.')).toEqual({ standing: TaskStanding.TASK_STANDING_HELD });
    expect(textOf(await read(id))).toBe('begun, done.');
  });

  it('of an attempt that was never made is refused, and of a restore that is not there unknown', async () => {
    const { id } = await started();
    const refused = { code: 'invalid_argument', details: { fields: [{ field: 'attempt' }] } };
    await expect(read(id, { attempt: 2 })).rejects.toMatchObject(refused);
    await expect(read(randomUUID())).rejects.toMatchObject({ code: 'restore_not_found' });
    await expect(read('..')).rejects.toMatchObject({ code: 'invalid_argument' });
    expect(await read(id)).toEqual([]);
  });
});

it('neither is shown to a caller who sees only one of the two clusters', async () => {
  const { id } = await started();
  using channel = openDisposable(service().address);
  const [OK, NOT_FOUND] = [0, 5];
  const codeOf = (method: Method, sight: string) =>
    new Promise<number>((resolve) => {
      const metadata = serviceMetadata(undefined);
      metadata.set(SIGHT, sight);
      const { path, requestSerialize, responseDeserialize } = method;
      const request = { id, attempt: 0, follow: false } as never;
      const stream = channel.raw.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        metadata,
      );
      const served = () => {
        resolve(OK);
        stream.cancel();
      };
      stream.on('data', served).on('end', served);
      stream.on('error', ({ code }: Error & { readonly code?: number }) => resolve(code ?? OK));
    });
  const { watchRestore, readRestoreLog } = RestoreServiceService;
  for (const method of [watchRestore, readRestoreLog]) {
    for (const sight of ['another', cluster(), target.id]) expect(await codeOf(method, sight), sight).toBe(NOT_FOUND);
    expect(await codeOf(method, `${target.id},${cluster()}`)).toBe(OK);
  }
});

it('a repeat of a start by its key shows the restore only to who still sees both of its clusters', async () => {
  const key = randomUUID();
  const { hash: planHash } = await plan();
  const wish = { backupId: calls.backupId(), targetClusterId: target.id, planHash, confirm: target.id, key };
  const request = StartRestoreRequest.create(wish);
  await service().restores.startRestore(request);
  const codeFor = async (sight: string) =>
    (await callWithSight(service().address, RestoreServiceService.startRestore, request, sight)).code;
  expect(await codeFor(target.id)).toBe(5);
  expect(await codeFor(cluster())).toBe(5);
  expect(await codeFor(`${target.id},${cluster()}`)).toBe(0);
});

interface Method {
  readonly path: string;
  requestSerialize(request: never): Buffer;
  responseDeserialize(bytes: Buffer): object;
}

function openDisposable(address: string) {
  const raw = openChannel(address, undefined);
  return { raw, [Symbol.dispose]: () => raw.close() };
}
