import { create } from '@bufbuild/protobuf';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { DEFAULT_PAGE_SIZE } from '@tidemark/limits/limits';
import {
  type Backup,
  BackupMode,
  BackupOrigin,
  BackupState,
  DeletionState,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { ListBackupsResponseSchema } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { requireBackup } from '../calls/find-backup.ts';
import type { CallDependencies } from '../calls/scope.ts';
import { toBrOptions } from './br-options.ts';
import { pageView } from './envelope.ts';
import { BEAT, EVENT_STREAM, eventsOf, type ServerSentEvent } from './events.ts';
import { CREATE_FAILED, DELETE_FAILED, QUERY_FAILED } from './failure-numbers.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { statesOf, toLegacyRecord, toListedRecord } from './legacy-record.ts';
import * as operations from './operations/backups.ts';
import { keepingOf } from './retention.ts';
import { route } from './route.ts';
import { startedView } from './started-view.ts';
import { streamRoute } from './stream.ts';
import { bodyObject, parse } from './validate.ts';

const ORIGINS = { schedule: BackupOrigin.SCHEDULE, request: BackupOrigin.REQUEST, log: BackupOrigin.LOG } as const;
const MODES = { manual: BackupMode.MANUAL, auto: BackupMode.AUTO } as const;

/** Backups: the documented calls, and those beyond. */
export function backupRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'POST',
    path: '/backups',
    operation: operations.startBackup,
    failureNumber: CREATE_FAILED,
    toRequest({ body: { clusterId, backupMode = 'manual', brOptions }, request }) {
      const options = toBrOptions(brOptions);
      const key = idempotencyKey(request);
      return { clusterId, key, mode: MODES[backupMode], ...(options && { brOptions: options }) };
    },
    toView: startedView,
  });

  route(app, dependencies, {
    method: 'POST',
    path: '/backups/cancel',
    operation: operations.cancelBackup,
    failureNumber: CREATE_FAILED,
    toRequest: ({ body: { clusterId, backupId, reason = '' } }) => ({ id: backupId, clusterId, reason }),
    toView: ({ backup }) => ({ data: { backup: toLegacyRecord(requireBackup(backup)) } }),
  });

  route(app, dependencies, {
    method: 'GET',
    path: '/backups',
    operation: operations.listBackups,
    failureNumber: QUERY_FAILED,
    toRequest({ request }) {
      const query = listQuery(request);
      return {
        clusterIds: query.clusterId === undefined ? [] : [query.clusterId],
        id: query.backupId ?? '',
        states: statesAsked(query) ?? [],
        page: query.page,
        pageSize: query.pageSize,
        includeDeleted: query.includeDeleted ?? false,
        damaged: query.damaged ?? false,
        withoutTotal: query.withoutTotal ?? false,
        pageToken: query.pageToken ?? '',
        ...(query.backupMode && { mode: MODES[query.backupMode] }),
        ...(query.origin && { origin: ORIGINS[query.origin] }),
        ...(query.rule !== undefined && { rule: query.rule }),
        ...(query.startTime && { startedAtOrAfter: timestampFromMs(query.startTime * 1000) }),
        ...(query.endTime && { endedAtOrBefore: timestampFromMs(query.endTime * 1000 + 999) }),
      };
    },
    steps({ request }) {
      // A status and a state that exclude each other.
      const isNothing = statesAsked(listQuery(request))?.length === 0;
      return isNothing ? { act: async () => create(ListBackupsResponseSchema) } : undefined;
    },
    toView: (answer, { request }) => ({
      data: { backupRecords: answer.backups.map(toListedRecord) },
      page: pageView(answer, listQuery(request)),
    }),
  });

  route(app, dependencies, {
    method: 'GET',
    path: '/backups/:backupId',
    operation: operations.getBackup,
    failureNumber: QUERY_FAILED,
    toRequest: ({ params }) => ({ id: params.backupId }),
    async toView(answer, { request }) {
      const backup = requireBackup(answer.backup);
      const good = backup.state === BackupState.SUCCEEDED && backup.deletion?.state === DeletionState.NONE;
      const keeping = good ? await keepingOf(request, dependencies, backup) : {};
      return { data: { backup: { ...toLegacyRecord(backup), ...keeping } } };
    },
  });

  route(app, dependencies, {
    method: 'DELETE',
    path: '/backups/:backupId',
    operation: operations.deleteBackup,
    failureNumber: DELETE_FAILED,
    toRequest: ({ params, query: { forget = false, permanently, acknowledge }, body: { clusterId = '' } }) => ({
      id: params.backupId,
      clusterId,
      forget,
      ...(permanently && { permanently }),
      ...(acknowledge !== undefined && { acknowledge }),
    }),
    toView: ({ backup }) => ({ data: { backup: toLegacyRecord(requireBackup(backup)) } }),
  });

  route(app, dependencies, {
    method: 'POST',
    path: '/backups/:backupId/undelete',
    operation: operations.undeleteBackup,
    failureNumber: CREATE_FAILED,
    toRequest: ({ params }) => ({ id: params.backupId }),
    toView: ({ backup }) => ({ data: { backup: toLegacyRecord(requireBackup(backup)) } }),
  });

  streamRoute(app, dependencies, {
    path: '/backups/:backupId/events',
    operation: operations.watchBackup,
    failureNumber: QUERY_FAILED,
    type: EVENT_STREAM,
    beat: BEAT,
    toRequest: ({ params, query: { untilRemoved = false } }) => ({ id: params.backupId, untilRemoved }),
    toText: (changes, gone) => eventsOf(changes, eventOf, gone),
  });
}

/** The document shows a body here; it is read where the query is silent. */
function listQuery(request: FastifyRequest) {
  const asked = Object.entries(request.query as object).filter(([, value]) => value !== '');
  const query = parse(operations.listBackups.query, { ...bodyObject(request.body), ...Object.fromEntries(asked) });
  return { ...query, page: query.page ?? 1, pageSize: query.pageSize ?? DEFAULT_PAGE_SIZE };
}

/** The states that a status and a state leave; nothing where neither is asked for. */
function statesAsked({ status, state }: ReturnType<typeof listQuery>) {
  const [first, second] = [status, state].filter((name) => name !== undefined).map(statesOf);
  return second ? first?.filter((one) => second.includes(one)) : first;
}

const eventOf = ({ backup }: { readonly backup?: Backup | undefined }): ServerSentEvent | undefined =>
  backup && { event: 'backup', id: backup.revision, data: toLegacyRecord(backup) };
