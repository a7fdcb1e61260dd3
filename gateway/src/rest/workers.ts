import { type Worker, WorkerState } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { timeOf } from './legacy-states.ts';
import { listWorkers, WORKER_STATE_NAMES, type WorkerView } from './operations/workers.ts';
import { route } from './route.ts';
import { parseQuery } from './validate.ts';

const STATES = {
  Present: WorkerState.PRESENT,
  Draining: WorkerState.DRAINING,
  Gone: WorkerState.GONE,
} as const;

/** Who is there to do the work. */
export function workerRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'GET',
    path: '/workers',
    operation: listWorkers,
    toRequest({ request }) {
      const { pool = '', pageSize = 0, pageToken = '' } = parseQuery(listWorkers.query, request.query);
      return { pool, pageSize, pageToken };
    },
    toView: ({ workers, total, nextPageToken }) => ({
      data: {
        workers: workers.map(toWorkerView),
        total,
        ...(nextPageToken !== '' && { pageToken: nextPageToken }),
      },
    }),
  });
}

function toWorkerView(worker: Worker): WorkerView {
  const { id, name, host, pool, slots, freeSlots, brVersions, otherTasks, otherOutOfReach } = worker;
  return {
    ...{ id, name, host, pool },
    state: WORKER_STATE_NAMES.find((one) => STATES[one] === worker.state) ?? 'Unknown',
    ...{ slots, freeSlots, brVersions },
    tasks: worker.tasks.map(({ kind, id, clusterId, startTime }) => ({
      ...{ kind, id },
      ...(clusterId && { clusterId }),
      startTime: timeOf(startTime),
    })),
    otherTasks,
    outOfReach: worker.outOfReach.map(({ storageId, code, message, passing, startTime }) => ({
      ...{ storageId, code, message, passing },
      startTime: timeOf(startTime),
    })),
    otherOutOfReach,
    firstSeenTime: timeOf(worker.firstSeenTime),
    lastSeenTime: timeOf(worker.lastSeenTime),
  };
}
