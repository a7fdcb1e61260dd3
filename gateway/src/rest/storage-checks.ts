/** What workers do with a storage beside backups: a probe, and the rebuild of lost records. For admins. */
import { AppError } from '@tidemark/errors/app-error';
import {
  CheckKind,
  CheckState,
  type StorageCheck,
} from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import { authorizeAll } from '../authorize.ts';
import { CALL_TIMEOUT_MS } from '../backends.ts';
import { success } from './envelope.ts';
import { timeOf } from './legacy-record.ts';
import * as operations from './operations/storages.ts';
import { callOptions, type RequestScope, type RouteDependencies } from './route.ts';
import { bodyObject, parse } from './validate.ts';

/** backup-service waits up to 30 s for the worker. */
export const CHECK_ANSWER_MS = 31_000;

const KINDS: Readonly<Record<CheckKind, operations.CheckView['kind']>> = {
  [CheckKind.UNSPECIFIED]: 'unknown',
  [CheckKind.PROBE]: 'probe',
  [CheckKind.REBUILD_DRY_RUN]: 'rebuildDryRun',
  [CheckKind.REBUILD]: 'rebuild',
};
const STATES: Readonly<Record<CheckState, operations.CheckView['state']>> = {
  [CheckState.UNSPECIFIED]: 'Unknown',
  [CheckState.QUEUED]: 'Queued',
  [CheckState.RUNNING]: 'Running',
  [CheckState.DONE]: 'Done',
};

type WithStorage = { Params: { storageId: string } };
type WithCheck = { Params: { storageId: string; checkId: string } };

/**
 * The storage is looked up before the long wait for a worker, so that a service or database that is down is told of as
 * soon as in any other call.
 *
 * @throws AppError `storage_not_found`, or what is down, within 2 s
 */
export async function lookUpStorage(id: string, scope: RequestScope, dependencies: RouteDependencies): Promise<void> {
  const options = callOptions(scope, dependencies);
  const timeoutMs = Math.min(CALL_TIMEOUT_MS, options.timeoutMs ?? CALL_TIMEOUT_MS);
  await dependencies.backends.registry.getStorage({ id }, { ...options, timeoutMs });
}

export function storageCheckRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { registry } = dependencies.backends;

  app.post<WithStorage>(
    '/storages/:storageId/check',
    { config: { audit: 'check storage', answerMs: CHECK_ANSWER_MS, operation: operations.checkStorage } },
    async (request) => {
      const { storageId } = parse(operations.checkStorage.params, request.params);
      request.audited = { storageId };
      authorizeAll(request.caller, 'checkStorage');
      const { pool = '' } = parse(operations.checkStorage.body, bodyObject(request.body));
      await lookUpStorage(storageId, request, dependencies);
      const { check } = await registry.checkStorage(
        { storageId, pool },
        { ...callOptions(request, dependencies), signal: AbortSignal.any([request.gone, dependencies.stopping]) },
      );
      return success({ check: check && toCheckView(check) });
    },
  );

  app.post<WithStorage>(
    '/storages/:storageId/rebuild',
    { config: { audit: 'rebuild records', operation: operations.rebuildRecords } },
    async (request) => {
      const { storageId } = parse(operations.checkStorage.params, request.params);
      request.audited = { storageId };
      authorizeAll(request.caller, 'rebuildRecords');
      const { pool = '', apply = false } = parse(operations.rebuildRecords.body, bodyObject(request.body));
      const { check } = await registry.rebuildRecords({ storageId, pool, apply }, callOptions(request, dependencies));
      return success({ check: check && toCheckView(check) });
    },
  );

  app.get<WithCheck>(
    '/storages/:storageId/checks/:checkId',
    { config: { operation: operations.getStorageCheck } },
    async (request) => {
      authorizeAll(request.caller, 'getStorageCheck');
      const { storageId, checkId } = parse(operations.getStorageCheck.params, request.params);
      const { check } = await registry.getStorageCheck({ id: checkId }, callOptions(request, dependencies));
      if (check?.storageId !== storageId)
        throw new AppError(
          'check_not_found',
          `Storage ${storageId} has no check ${checkId}: they are kept for a day.`,
          {
            info: { checkId },
          },
        );
      return success({ check: toCheckView(check) });
    },
  );
}

function toCheckView(check: StorageCheck): operations.CheckView {
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
