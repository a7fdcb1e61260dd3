import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { type AuditEntry, AuditOutcome } from '@tidemark/protocol/connect/tidemark/backup/v1/audit_service';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { timeOf } from './legacy-states.ts';
import { type AuditEntryView, listAuditEntries, OUTCOME_NAMES, type OutcomeName } from './operations/audit.ts';
import { route } from './route.ts';
import { parseQuery } from './validate.ts';

const OUTCOMES = {
  ok: AuditOutcome.OK,
  refused: AuditOutcome.REFUSED,
  failed: AuditOutcome.FAILED,
} as const satisfies Record<OutcomeName, AuditOutcome>;

/** Who changed what. */
export function auditRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  route(app, dependencies, {
    method: 'GET',
    path: '/audit',
    operation: listAuditEntries,
    toRequest({ request }) {
      const query = parseQuery(listAuditEntries.query, request.query);
      const { clusterId, caller = '', what = '', outcome, from, to, pageSize = 0, pageToken = '' } = query;
      return {
        clusterIds: clusterId === undefined ? [] : [clusterId],
        ...{ caller, what, pageSize, pageToken },
        ...(outcome && { outcome: OUTCOMES[outcome] }),
        ...(from !== undefined && { from: timestampFromDate(new Date(from)) }),
        ...(to !== undefined && { to: timestampFromDate(new Date(to)) }),
      };
    },
    toView: ({ entries, nextPageToken }) => ({
      data: { entries: entries.map(toEntryView), ...(nextPageToken !== '' && { pageToken: nextPageToken }) },
    }),
  });
}

function toEntryView(entry: AuditEntry): AuditEntryView {
  const { id, what, clusterId, backupId, restoreId, storageId, rule, fleetStrategy, token, receiver, code } = entry;
  const { caller, callerId, from, status, requestId } = entry;
  const named = { clusterId, backupId, restoreId, storageId, rule, fleetStrategy, token, receiver };
  return {
    id,
    time: timeOf(entry.time),
    what,
    ...Object.fromEntries(Object.entries(named).filter(([, value]) => value !== '')),
    ...{ caller, callerId, from },
    outcome: OUTCOME_NAMES.find((one) => OUTCOMES[one] === entry.outcome) ?? 'unknown',
    status,
    ...(code !== '' && { code }),
    requestId,
  };
}
