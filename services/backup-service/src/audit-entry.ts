/** An audit entry as it is stored, and as it is told: pure. */
import { isId } from '@tidemark/limits/id';
import { MAX_AUDIT_WHAT, MAX_ID, MAX_REQUEST_ID, MAX_SHORT_TEXT } from '@tidemark/limits/limits';
import { AuditEntry, AuditOutcome } from '@tidemark/protocol/grpc/tidemark/backup/v1/audit_service';
import { earlier } from '@tidemark/task/time';

export type Outcome = 'ok' | 'refused' | 'failed';

/** What an entry may name. */
const NAMED = [
  'clusterId',
  'backupId',
  'restoreId',
  'storageId',
  'rule',
  'fleetStrategy',
  'token',
  'receiver',
] as const;
type Named = (typeof NAMED)[number];

/** One call that asked for a change. */
export interface StoredEntry extends Partial<Readonly<Record<Named, string>>> {
  /** Made by the gateway, so that an entry that comes twice is one. */
  readonly _id: string;
  /** By the clock of the gateway, and never after that of the database. */
  readonly at: Date;
  readonly what: string;
  readonly outcome: Outcome;
  readonly status: number;
  /** Empty where it was no error. */
  readonly code: string;
  readonly caller: string;
  readonly callerId: string;
  /** By which of these the caller is looked for: name and id, and the name that several tokens may have. */
  readonly callerNames: readonly string[];
  readonly from: string;
  readonly requestId: string;
}

export const OUTCOMES = {
  ok: AuditOutcome.AUDIT_OUTCOME_OK,
  refused: AuditOutcome.AUDIT_OUTCOME_REFUSED,
  failed: AuditOutcome.AUDIT_OUTCOME_FAILED,
} as const satisfies Record<Outcome, AuditOutcome>;

/** Answered to nobody: the client had gone away. */
const GONE = 499;

function outcomeOf(status: number): Outcome {
  if (status < 400) return 'ok';
  return status < 500 && status !== GONE ? 'refused' : 'failed';
}

/**
 * What is stored of an entry; what is too long is cut.
 *
 * @param now database time
 */
export function toStoredEntry(entry: AuditEntry, now: Date): StoredEntry {
  const { id, time, what, caller, callerId, from, status, code, requestId } = entry;
  const named = NAMED.flatMap((name) => (isId(entry[name]) ? [[name, entry[name]]] : []));
  return {
    _id: id,
    at: earlier(time ?? now, now),
    what: what.slice(0, MAX_AUDIT_WHAT),
    outcome: outcomeOf(status),
    status,
    code: code.slice(0, MAX_ID),
    caller: caller.slice(0, MAX_SHORT_TEXT),
    callerId: callerId.slice(0, MAX_SHORT_TEXT),
    callerNames: [...new Set([caller, callerId, bareName(caller, callerId)])].map((name) =>
      name.slice(0, MAX_SHORT_TEXT),
    ),
    from: from.slice(0, MAX_ID),
    requestId: requestId.slice(0, MAX_REQUEST_ID),
    ...Object.fromEntries(named),
  };
}

/** Tokens that were made by calls are called by name and id. */
function bareName(caller: string, callerId: string): string {
  const ending = ` (${callerId})`;
  return caller.endsWith(ending) ? caller.slice(0, -ending.length) : caller;
}

/** @param isLimited whether the reader sees some clusters: a restore may read a backup of another one */
export function toEntryMessage(stored: StoredEntry, isLimited: boolean): AuditEntry {
  const { _id, at, outcome, backupId = '', restoreId = '', ...fields } = stored;
  const isOfRestore = restoreId !== '' || stored.what === 'start restore';
  return AuditEntry.create({
    ...fields,
    ...(!(isLimited && isOfRestore) && { backupId, restoreId }),
    id: _id,
    time: at,
    outcome: OUTCOMES[outcome],
  });
}
