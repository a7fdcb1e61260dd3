/**
 * Audit lines on their way to backup-service, which keeps them as records.
 *
 * AR1. No call waits for it, and none fails by it. A line is in the log, and in the file where there is one, before it is here.
 * AR2. An entry leaves the queue once backup-service has said that it is kept. Its id is made here, so that a batch whose answer was lost is
 *      sent again and kept once.
 * AR3. One batch is on its way at a time, the oldest entries first. While it fails, the pause before the next try grows.
 * AR4. The queue is bounded: above that the oldest are dropped, counted, and told in the log. What is under way is dropped, too, where it
 *      comes to that; it may be kept all the same.
 * AR5. Entries that backup-service takes for bad are sent one by one in the end, and only the bad one is given up.
 * AR6. A gateway that stops sends what waits, for a while. One that is killed loses what it had not sent.
 */
import { randomBytes } from 'node:crypto';
import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { AppError } from '@tidemark/errors/app-error';
import { MAX_AUDIT_BATCH, MAX_WAITING_AUDIT_ENTRIES } from '@tidemark/limits/limits';
import { type AuditEntry, AuditEntrySchema } from '@tidemark/protocol/connect/tidemark/backup/v1/audit_service';
import { backoffMs, pause } from '@tidemark/service-kit/backoff';
import { counter, gauge } from '@tidemark/service-kit/metrics';
import type { AuditLine } from './audit-line.ts';
import type { Backends } from './backends.ts';
import { log } from './logger.ts';
import { toError } from './to-error.ts';

export interface AuditRecords extends AsyncDisposable {
  /** Takes a line of a caller who is known; any other one is in the log alone. */
  append(line: AuditLine, time: Date): void;
}

export interface AuditRecordsOptions {
  /** What proves the gateway to backup-service. */
  readonly headers: Readonly<Record<string, string>>;
  /** How many entries may wait. */
  readonly mostWaiting?: number;
  /** For how long lines are gathered before they are sent, in milliseconds. */
  readonly gatherMs?: number;
}

const GATHER_MS = 250;
const TIMEOUT_MS = 5_000;
const PAUSE = { baseMs: 500, maxMs: 30_000 };
/** For how long a gateway that stops goes on sending. */
const CLOSE_MS = 2_000;
const ID_BYTES = 12;

const lost = counter(
  'tidemark_audit_entries_lost_total',
  'Audit entries that were not kept as records: too many waited, or one was bad. They are in the log.',
  [],
);
const waitingEntries = gauge('tidemark_audit_entries_waiting', 'Audit entries that wait for backup-service.', []);

export function createAuditRecords(
  backend: Pick<Backends['audit'], 'recordAuditEntries'>,
  { headers, mostWaiting = MAX_WAITING_AUDIT_ENTRIES, gatherMs = GATHER_MS }: AuditRecordsOptions,
): AuditRecords {
  const waiting: AuditEntry[] = [];
  const closing = new AbortController();
  let sending: Promise<void> | undefined;
  let isFull = false;

  const noteWaiting = () => waitingEntries.set({}, waiting.length);
  const drop = (entries: readonly AuditEntry[]): void => {
    const dropped = new Set(entries);
    const left = waiting.filter((entry) => !dropped.has(entry));
    waiting.splice(0, waiting.length, ...left);
    noteWaiting();
  };
  /** Sends what waits until nothing does, or `until` aborts. */
  const send = async (until: AbortSignal): Promise<void> => {
    let most = MAX_AUDIT_BATCH;
    for (let failures = 0; waiting.length > 0 && !until.aborted; ) {
      const batch = waiting.slice(0, most);
      try {
        await backend.recordAuditEntries({ entries: batch }, { headers, timeoutMs: TIMEOUT_MS, signal: until });
        drop(batch);
        if (failures > 0 && most === MAX_AUDIT_BATCH)
          log.info({ waiting: waiting.length }, 'audit entries are kept again');
        failures = 0;
        isFull = false;
        most = MAX_AUDIT_BATCH;
      } catch (thrown) {
        if (until.aborted) return;
        const error = toError(thrown);
        if (isOfEntries(error)) {
          if (batch.length === 1) giveUp(batch, error);
          else most = Math.ceil(batch.length / 2);
          continue;
        }
        failures += 1;
        if (failures === 1)
          log[error.row.log]({ code: error.code, error }, 'audit entries cannot be kept now; they wait');
        await pause(backoffMs(failures, PAUSE), until);
      }
    }
  };
  const giveUp = (entries: readonly AuditEntry[], error: AppError): void => {
    drop(entries);
    lost.inc({}, entries.length);
    log.error({ ids: entries.map(({ id }) => id), error }, 'an audit entry cannot be kept; it is in the log alone');
  };
  const start = (): void => {
    sending ??= gatherThenSend().finally(() => {
      sending = undefined;
      if (waiting.length > 0 && !closing.signal.aborted) start();
    });
  };
  const gatherThenSend = async (): Promise<void> => {
    await pause(gatherMs, closing.signal);
    await send(closing.signal);
  };

  return {
    append(line, time) {
      if (line.caller === undefined || line.callerId === undefined) return;
      waiting.push(toEntry(line, time));
      if (waiting.length > mostWaiting) {
        waiting.shift();
        lost.inc({});
        if (!isFull)
          log.error({ waiting: waiting.length }, 'too many audit entries wait: the oldest are in the log alone');
        isFull = true;
      }
      noteWaiting();
      start();
    },
    async [Symbol.asyncDispose]() {
      closing.abort();
      await sending;
      await send(AbortSignal.timeout(CLOSE_MS));
      if (waiting.length === 0) return;
      lost.inc({}, waiting.length);
      log.error({ entries: waiting.length }, 'audit entries were not kept; they are in the log alone');
    },
  };
}

/** Whether it is the entries that are bad, and no repeat helps. */
const isOfEntries = ({ code }: AppError): boolean => code === 'invalid_argument' || code === 'payload_too_large';

function toEntry({ caller = '', callerId = '', ...line }: AuditLine, time: Date): AuditEntry {
  return create(AuditEntrySchema, {
    ...line,
    ...{ caller, callerId },
    id: randomBytes(ID_BYTES).toString('base64url'),
    time: timestampFromDate(time),
  });
}
