import { setTimeout as sleep } from 'node:timers/promises';
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { invalidArgument } from '@tidemark/errors/app-error';
import {
  type Backup,
  BackupMode,
  BackupOrigin,
  BackupState,
  DeletionState,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { authorizeCluster, requireRole, seesCluster, visibleClusters } from '../authorize.ts';
import { log } from '../logger.ts';
import { toBrOptions } from './br-options.ts';
import { success } from './envelope.ts';
import { toError } from './error-response.ts';
import { findVisibleBackup, unknownBackup } from './find-backup.ts';
import { idempotencyKey } from './idempotency-key.ts';
import { statesOf, toLegacyRecord } from './legacy-record.ts';
import * as operations from './operations/backups.ts';
import { keepingOf } from './retention.ts';
import { callOptions, type RouteDependencies } from './route.ts';
import { sendStream } from './stream.ts';
import { bodyObject, parse } from './validate.ts';

const CREATE_FAILED = 20602;
const DELETE_FAILED = 20603;
const QUERY_FAILED = 20604;
/** How long a deletion is waited for, so that a script which deletes and lists sees it gone. */
const DELETION_WAIT_MS = 2_000;
const DELETION_POLL_MS = 100;
/** A comment: clients skip it, and proxies see that the connection lives. */
const BEAT = ': still here\n\n';

const ORIGINS = { schedule: BackupOrigin.SCHEDULE, request: BackupOrigin.REQUEST } as const;
const MODES = { manual: BackupMode.MANUAL, auto: BackupMode.AUTO } as const;

/** Backups: the documented calls, and those beyond. */
export function backupRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  const { backups, registry } = dependencies.backends;

  /** The backup once it is deleted, or as it was last seen; nothing when it cannot be found any more. */
  async function afterDeletion(recorded: Backup | undefined, request: FastifyRequest): Promise<Backup | undefined> {
    let backup = recorded;
    request.answerBy = performance.now() + DELETION_WAIT_MS;
    while (backup && backup.deletion?.state !== DeletionState.DELETED && performance.now() < request.answerBy) {
      await sleep(DELETION_POLL_MS, undefined, { signal: request.gone });
      try {
        ({ backup } = await backups.getBackup({ id: backup.id }, callOptions(request, dependencies)));
      } catch (error) {
        // The deletion is recorded, whatever becomes of looking at it.
        return toError(error).code === 'backup_not_found' ? undefined : backup;
      }
    }
    return backup;
  }

  app.post(
    '/backups',
    { config: { failureNumber: CREATE_FAILED, audit: 'start backup', operation: operations.startBackup } },
    async (request) => {
      const body = parse(operations.startBackup.body, bodyObject(request.body));
      const { clusterId } = body;
      const key = idempotencyKey(request);
      request.audited = { clusterId };
      authorizeCluster(request.caller, 'startBackup', clusterId);
      // Every start is keyed, so that a repeat on the way cannot start two.
      const brOptions = toBrOptions(body.brOptions);
      const { backup } = await backups.startBackup(
        {
          clusterId,
          key,
          mode: MODES[body.backupMode ?? 'manual'],
          origin: BackupOrigin.REQUEST,
          ...(brOptions && { brOptions }),
        },
        callOptions(request, dependencies),
      );
      const backupId = backup?.id ?? '';
      request.audited = { clusterId, backupId };
      return success({ backupId, workFlowId: backupId });
    },
  );

  app.post(
    '/backups/cancel',
    { config: { failureNumber: CREATE_FAILED, audit: 'cancel backup', operation: operations.cancelBackup } },
    async (request) => {
      const body = parse(operations.cancelBackup.body, bodyObject(request.body));
      const { clusterId, backupId, reason = '' } = body;
      request.audited = { clusterId, backupId };
      if (!seesCluster(request.caller, clusterId)) throw unknownBackup(backupId);
      requireRole(request.caller, 'cancelBackup');
      const { backup } = await backups.cancelBackup(
        { id: backupId, clusterId, reason },
        callOptions(request, dependencies),
      );
      return success(backup ? { backup: toLegacyRecord(backup) } : {});
    },
  );

  app.get(
    '/backups',
    { config: { failureNumber: QUERY_FAILED, operation: operations.listBackups } },
    async (request) => {
      // The document shows a body here; it is read where the query is silent.
      const told = Object.entries(request.query as object).filter(([, value]) => value !== '');
      const query = parse(operations.listBackups.query, { ...bodyObject(request.body), ...Object.fromEntries(told) });
      const { clusterId, page = 1, pageSize = operations.DEFAULT_PAGE_SIZE } = query;
      if (clusterId === undefined) requireRole(request.caller, 'listBackups');
      else authorizeCluster(request.caller, 'listBackups', clusterId);
      const states = [query.status, query.state].filter((name) => name !== undefined).map(statesOf);
      const options = () => callOptions(request, dependencies);
      const wanted = states.length === 2 ? states[0]?.filter((state) => states[1]?.includes(state)) : states[0];
      if (wanted?.length === 0) return success({ backupRecords: [] }, { page, pageSize, total: 0 });
      const found = await backups.listBackups(
        {
          clusterIds: clusterId === undefined ? visibleClusters(request.caller) : [clusterId],
          id: query.backupId ?? '',
          states: wanted ?? [],
          page,
          pageSize,
          includeDeleted: query.includeDeleted ?? false,
          withoutTotal: query.withoutTotal ?? false,
          ...(query.backupMode && { mode: MODES[query.backupMode] }),
          ...(query.origin && { origin: ORIGINS[query.origin] }),
          ...(query.rule !== undefined && { rule: query.rule }),
          ...(query.startTime && { startedAtOrAfter: timestampFromMs(query.startTime * 1000) }),
          ...(query.endTime && { endedAtOrBefore: timestampFromMs(query.endTime * 1000 + 999) }),
        },
        options(),
      );
      const total = found.totalLeftOut ? undefined : Number(found.total);
      // A cluster that was never there is told apart from one without backups (must-not C15).
      if (total === 0 && clusterId !== undefined) await registry.getCluster({ id: clusterId }, options());
      return success(
        { backupRecords: found.backups.map(toLegacyRecord) },
        { page, pageSize, ...(total !== undefined && { total }) },
      );
    },
  );

  app.get<{ Params: { backupId: string } }>(
    '/backups/:backupId',
    { config: { failureNumber: QUERY_FAILED, operation: operations.getBackup } },
    async (request) => {
      const { backupId } = parse(operations.getBackup.params, request.params);
      const backup = await findVisibleBackup(request, dependencies, 'getBackup', backupId);
      const good = backup.state === BackupState.SUCCEEDED && backup.deletion?.state === DeletionState.NONE;
      const keeping = good ? await keepingOf(request, dependencies, backup) : {};
      return success({ backup: { ...toLegacyRecord(backup), ...keeping } });
    },
  );

  app.delete<{ Params: { backupId: string } }>(
    '/backups/:backupId',
    { config: { failureNumber: DELETE_FAILED, audit: 'delete backup', operation: operations.deleteBackup } },
    async (request) => {
      const { backupId } = parse(operations.getBackup.params, request.params);
      const { clusterId } = parse(operations.deleteBackup.body, bodyObject(request.body));
      const before = await findVisibleBackup(request, dependencies, 'deleteBackup', backupId);
      if (clusterId !== undefined && clusterId !== before.clusterId)
        throw invalidArgument([{ field: 'clusterId', description: 'is not the cluster of this backup' }]);
      const recorded = await backups.deleteBackup(
        { id: backupId, clusterId: before.clusterId },
        callOptions(request, dependencies),
      );
      const backup = await afterDeletion(recorded.backup, request);
      return success(backup ? { backup: toLegacyRecord(backup) } : {});
    },
  );

  app.get<{ Params: { backupId: string } }>(
    '/backups/:backupId/events',
    { config: { failureNumber: QUERY_FAILED, operation: operations.watchBackup } },
    async (request, reply) => {
      const { backupId } = parse(operations.getBackup.params, request.params);
      const backup = await findVisibleBackup(request, dependencies, 'watchBackup', backupId);
      return sendStream(request, reply, dependencies, {
        type: 'text/event-stream; charset=utf-8',
        backup,
        beat: BEAT,
        open: (options) => events(backups.watchBackup({ id: backupId }, options), request.gone),
      });
    },
  );
}

async function* events(changes: AsyncIterable<{ backup?: Backup }>, gone: AbortSignal): AsyncGenerator<string> {
  try {
    for await (const { backup } of changes)
      if (backup) yield `event: backup\nid: ${backup.revision}\ndata: ${JSON.stringify(toLegacyRecord(backup))}\n\n`;
    yield 'event: end\ndata: {}\n\n';
  } catch (error) {
    if (gone.aborted) return;
    // Thrown on, it would cut the connection, and this event with it.
    log.warn({ error }, 'a stream of events broke off');
    yield `event: error\ndata: ${JSON.stringify({ message: 'The stream ended; connect again.' })}\n\n`;
  }
}
