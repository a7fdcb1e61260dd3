import type { Publisher } from '@tidemark/messaging/publisher';
import { CommandKind } from '@tidemark/protocol/queue/v1/commands';
import type { AcceptedRequest, Backup } from './backup.ts';
import { rung } from './events.ts';
import type { LogBackup } from './log/log-backup.ts';
import { dispatcherLog } from './logger.ts';
import type { Restore } from './restore/restore.ts';
import type { StorageCheck } from './storage-check.ts';
import type { Verification } from './verification.ts';

/**
 * How long whoever rings waits for the broker. One that hangs must not keep a caller from learning that his backup was
 * accepted, nor the dispatcher from the next task: the message goes out, or fails, behind its back.
 */
const PATIENCE_MS = 300;

/** Rings and broadcasts; a failure is logged and no more, since the document rings again (T2). */
export interface CommandPublisher {
  ring(backup: Backup): Promise<void>;
  ringCheck(check: StorageCheck): Promise<void>;
  broadcastCancel(backup: Backup): Promise<void>;
  ringRestore(restore: Restore): Promise<void>;
  broadcastCancelOfRestore(restore: Restore, requestId: string): Promise<void>;
  /** @param pool of the cluster */
  ringLog(log: LogBackup, pool: string): Promise<void>;
  /** @param pool that a log is of, out of which something is to be taken */
  ringTruncation(log: LogBackup, pool: string): Promise<void>;
  /** Lets every worker know that a verification waits, or was canceled; their reports and renewals ask for both, too. */
  announceVerification(verification: Verification): Promise<void>;
}

/** @param ringMs after which the document rings again, so that the message may go by then */
export function createCommandPublisher(
  publisher: Publisher,
  { ringMs }: { readonly ringMs: number },
): CommandPublisher {
  const commands: CommandPublisher = {
    async ring({ _id, target, request }) {
      const command = { kind: CommandKind.COMMAND_KIND_BACKUP, id: _id };
      try {
        await publisher.publishRun(target.pool, command, {
          expirationMs: ringMs,
          requestId: request.id,
          ...traceOf(request),
        });
        rung('published');
      } catch (error) {
        rung('failed');
        dispatcherLog.warn({ error, backupId: _id, requestId: request.id }, 'could not ring; the backup rings again');
      }
    },
    async ringCheck({ _id, pool, part, requestId }) {
      const command = { kind: CommandKind.COMMAND_KIND_CHECK, id: _id };
      try {
        // A part is for one worker, and only all of them together can be notified at once: it asks for its checks then.
        if (part) await publisher.publishCancel(command, { requestId });
        else await publisher.publishRun(pool, command, { expirationMs: ringMs, requestId });
        rung('published');
      } catch (error) {
        rung('failed');
        dispatcherLog.warn({ error, checkId: _id, requestId }, 'could not ring; the check rings again');
      }
    },
    async broadcastCancel({ _id, cancel, request }) {
      const command = { kind: CommandKind.COMMAND_KIND_BACKUP, id: _id };
      const requestId = cancel?.requestId ?? request.id;
      try {
        await publisher.publishCancel(command, { requestId });
      } catch (error) {
        dispatcherLog.warn({ error, backupId: _id, requestId }, 'could not notify the workers; the next renewal does');
      }
    },
    async ringRestore({ _id, target, request }) {
      const command = { kind: CommandKind.COMMAND_KIND_RESTORE, id: _id };
      try {
        await publisher.publishRun(target.pool, command, {
          expirationMs: ringMs,
          requestId: request.id,
          ...traceOf(request),
        });
        rung('published');
      } catch (error) {
        rung('failed');
        dispatcherLog.warn({ error, restoreId: _id, requestId: request.id }, 'could not ring; the restore rings again');
      }
    },
    async ringLog({ _id, requestId }, pool) {
      const command = { kind: CommandKind.COMMAND_KIND_LOG, id: _id };
      try {
        await publisher.publishRun(pool, command, { expirationMs: ringMs, requestId });
        rung('published');
      } catch (error) {
        rung('failed');
        dispatcherLog.warn({ error, clusterId: _id, requestId }, 'could not ring; the log backup rings again');
      }
    },
    async ringTruncation({ _id, requestId }, pool) {
      const command = { kind: CommandKind.COMMAND_KIND_LOG_TRUNCATION, id: _id };
      try {
        await publisher.publishRun(pool, command, { expirationMs: ringMs, requestId });
        rung('published');
      } catch (error) {
        rung('failed');
        dispatcherLog.warn({ error, clusterId: _id, requestId }, 'could not ring; the truncation rings again');
      }
    },
    async broadcastCancelOfRestore({ _id }, requestId) {
      const command = { kind: CommandKind.COMMAND_KIND_RESTORE, id: _id };
      try {
        await publisher.publishCancel(command, { requestId });
      } catch (error) {
        dispatcherLog.warn({ error, restoreId: _id, requestId }, 'could not notify the workers; the next renewal does');
      }
    },
    async announceVerification({ _id, requestId }) {
      const command = { kind: CommandKind.COMMAND_KIND_VERIFICATION, id: _id };
      try {
        await publisher.publishCancel(command, { requestId });
        rung('published');
      } catch (error) {
        rung('failed');
        dispatcherLog.warn({ error, backupId: _id, requestId }, 'could not notify the workers; they ask by themselves');
      }
    },
  };
  return {
    ring: (backup) => patiently(commands.ring(backup)),
    ringRestore: (restore) => patiently(commands.ringRestore(restore)),
    broadcastCancelOfRestore: (restore, requestId) => patiently(commands.broadcastCancelOfRestore(restore, requestId)),
    ringLog: (log, pool) => patiently(commands.ringLog(log, pool)),
    ringTruncation: (log, pool) => patiently(commands.ringTruncation(log, pool)),
    ringCheck: (check) => patiently(commands.ringCheck(check)),
    broadcastCancel: (backup) => patiently(commands.broadcastCancel(backup)),
    announceVerification: (verification) => patiently(commands.announceVerification(verification)),
  };
}

const traceOf = ({ trace }: AcceptedRequest) => (trace === undefined ? {} : { trace: { traceparent: trace } });

/** @param publishing never rejects */
async function patiently(publishing: Promise<void>): Promise<void> {
  const { promise: late, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, PATIENCE_MS);
  await Promise.race([publishing, late]);
  clearTimeout(timer);
}
