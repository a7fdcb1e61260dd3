/** What workers do with a storage beside backups: a probe, and the rebuild of lost records. For admins. */
import { AppError } from '@tidemark/errors/app-error';
import {
  CheckKind,
  CheckState,
  type StorageCheck,
} from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { authorizeAll } from '../authorize.ts';
import { success } from './envelope.ts';
import { timeOf } from './legacy-record.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { bodyObject, Id, leftOut, parse } from './validate.ts';

/** backup-service waits up to 30 s for the worker. */
const CHECK_ANSWER_MS = 31_000;

const Pool = leftOut(z.string('must be a text').max(32, 'must be at most 32 characters'));
const CheckBody = z.object({ pool: Pool });
const RebuildBody = z.object({ pool: Pool, apply: leftOut(z.boolean('must be true or false')) });
const OfStorage = z.object({ storageId: Id });
const OfCheck = z.object({ storageId: Id, checkId: Id });

const KINDS: Readonly<Record<CheckKind, string>> = {
  [CheckKind.UNSPECIFIED]: 'unknown',
  [CheckKind.PROBE]: 'probe',
  [CheckKind.REBUILD_DRY_RUN]: 'rebuildDryRun',
  [CheckKind.REBUILD]: 'rebuild',
};
const STATES: Readonly<Record<CheckState, string>> = {
  [CheckState.UNSPECIFIED]: 'Unknown',
  [CheckState.QUEUED]: 'Queued',
  [CheckState.RUNNING]: 'Running',
  [CheckState.DONE]: 'Done',
};

type WithStorage = { Params: { storageId: string } };
type WithCheck = { Params: { storageId: string; checkId: string } };

export function storageCheckRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { registry } = dependencies.backends;

  app.post<WithStorage>(
    '/storages/:storageId/check',
    { config: { audit: 'check storage', answerMs: CHECK_ANSWER_MS } },
    async (request) => {
      const { storageId } = parse(OfStorage, request.params);
      request.audited = { storageId };
      authorizeAll(request.caller, 'checkStorage');
      const { pool = '' } = parse(CheckBody, bodyObject(request.body));
      const { check } = await registry.checkStorage(
        { storageId, pool },
        { ...callOptions(request, dependencies), signal: AbortSignal.any([request.gone, dependencies.stopping]) },
      );
      return success({ check: check && toCheckView(check) });
    },
  );

  app.post<WithStorage>('/storages/:storageId/rebuild', { config: { audit: 'rebuild records' } }, async (request) => {
    const { storageId } = parse(OfStorage, request.params);
    request.audited = { storageId };
    authorizeAll(request.caller, 'rebuildRecords');
    const { pool = '', apply = false } = parse(RebuildBody, bodyObject(request.body));
    const { check } = await registry.rebuildRecords({ storageId, pool, apply }, callOptions(request, dependencies));
    return success({ check: check && toCheckView(check) });
  });

  app.get<WithCheck>('/storages/:storageId/checks/:checkId', async (request) => {
    authorizeAll(request.caller, 'getStorageCheck');
    const { storageId, checkId } = parse(OfCheck, request.params);
    const { check } = await registry.getStorageCheck({ id: checkId }, callOptions(request, dependencies));
    if (check?.storageId !== storageId)
      throw new AppError('check_not_found', `Storage ${storageId} has no check ${checkId}: they are kept for a day.`, {
        info: { checkId },
      });
    return success({ check: toCheckView(check) });
  });
}

function toCheckView(check: StorageCheck): object {
  const { id, kind, storageId, pool, state, ok, steps, totalSteps, worker, createdBy } = check;
  return {
    id,
    kind: KINDS[kind] ?? KINDS[CheckKind.UNSPECIFIED],
    storageId,
    pool,
    state: STATES[state] ?? STATES[CheckState.UNSPECIFIED],
    ok,
    steps: steps.map(({ name, ok: fine, message, seconds }) => ({ name, ok: fine, message, seconds })),
    totalSteps,
    worker,
    createdBy,
    createTime: timeOf(check.createTime),
    endTime: timeOf(check.endTime),
  };
}
