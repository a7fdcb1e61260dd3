/** What workers do with a storage beside backups: a probe, and the rebuild of lost records. For admins. */
import { AppError } from '@tidemark/errors/app-error';
import {
  CheckKind,
  CheckState,
  type CheckStep,
  type StorageCheck,
} from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { timeOf } from './legacy-states.ts';
import * as operations from './operations/storages.ts';
import { route } from './route.ts';

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

export function storageCheckRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'POST',
    path: '/storages/:storageId/check',
    operation: operations.checkStorage,
    toRequest({ params, query, body }) {
      const { pool = '', adopt = query.adopt ?? false, moved = query.moved ?? false } = body;
      return { storageId: params.storageId, pool, adopt, moved };
    },
    toView: ({ check }) => ({ data: { check: check && toCheckView(check) } }),
  });

  route(app, dependencies, {
    method: 'POST',
    path: '/storages/:storageId/rebuild',
    operation: operations.rebuildRecords,
    toRequest: ({ params, body: { pool = '', apply = false } }) => ({ storageId: params.storageId, pool, apply }),
    toView: ({ check }) => ({ data: { check: check && toCheckView(check) } }),
  });

  route(app, dependencies, {
    method: 'GET',
    path: '/storages/:storageId/checks/:checkId',
    operation: operations.getStorageCheck,
    toRequest: ({ params }) => ({ id: params.checkId }),
    toView({ check }, { params: { storageId, checkId } }) {
      if (check?.storageId !== storageId)
        throw new AppError(
          'check_not_found',
          `Storage ${storageId} has no check ${checkId}: they are kept for a day.`,
          { info: { checkId } },
        );
      return { data: { check: toCheckView(check) } };
    },
  });
}

const toStepView = ({ name, ok, message, seconds }: CheckStep) => ({ name, ok, message, seconds });

function toCheckView(check: StorageCheck): operations.CheckView {
  const { id, kind, storageId, pool, state, ok, steps, totalSteps, worker, createdBy } = check;
  return {
    id,
    kind: KINDS[kind] ?? KINDS[CheckKind.UNSPECIFIED],
    storageId,
    pool,
    state: STATES[state] ?? STATES[CheckState.UNSPECIFIED],
    ok,
    steps: steps.map(toStepView),
    totalSteps,
    worker,
    ...(check.workers.length > 0 && {
      workers: check.workers.map((one) => ({
        worker: one.worker,
        state: STATES[one.state] ?? STATES[CheckState.UNSPECIFIED],
        ok: one.ok,
        steps: one.steps.map(toStepView),
      })),
    }),
    createdBy,
    createTime: timeOf(check.createTime),
    endTime: timeOf(check.endTime),
  };
}
