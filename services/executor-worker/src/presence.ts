/**
 * Reports to backup-service what this worker is and does.
 *
 * P1. Every 10 s, and at once where something changed that others wait for; never two reports at a time.
 * P2. It is a courtesy: a report that fails is made again soon, and later each time; it is logged at most once until the next
 *     that is answered, and nothing waits. A backup-service that does not know it is an older one, which does without.
 */

import { isOutage } from '@tidemark/errors/app-error';
import type {
  ExecutorServiceServer,
  ReportPresenceRequest,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { backoffMs, sleep } from '@tidemark/service-kit/backoff';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import { startLoop } from '@tidemark/service-kit/loop';
import { presenceNotTold } from './events.ts';
import { log } from './logger.ts';

export interface PresenceReporter extends AsyncDisposable {
  /** Something changed that others wait for. */
  changed(): void;
  /** When backup-service last answered a report, if only with a refusal, by `performance.now()`. */
  heardAt(): number | undefined;
  /** Reports once more, as well as may be: this worker stops. */
  lastWords(): Promise<void>;
}

export interface PresenceOptions {
  readonly client: Pick<ServiceClient<ExecutorServiceServer>, 'reportPresence'>;
  /** Deadline of one call. */
  readonly callMs: number;
  /** What there is to report now. */
  readonly report: () => ReportPresenceRequest;
  /** Called with each check that waits for this worker; again, until it was claimed. */
  readonly onCheck: (checkId: string) => void;
  /** Called with the backups of which this worker may claim the verification; again, until none is left. */
  readonly onVerifications: (backupIds: readonly string[]) => void;
  readonly everyMs?: number;
}

const EVERY_MS = 10_000;
const FIRST_RETRY_MS = 250;
const LAST_WORDS_MS = 1_000;

/** Starts reporting. */
export function startPresence({
  client,
  callMs,
  report,
  onCheck,
  onVerifications,
  everyMs = EVERY_MS,
}: PresenceOptions): PresenceReporter {
  let failures = 0;
  let heardAt: number | undefined;
  const loop = startLoop({
    name: 'presence',
    everyMs,
    log,
    async run(signal) {
      try {
        const { checkIds, verificationIds } = await client.reportPresence(report(), { timeoutMs: callMs, signal });
        failures = 0;
        heardAt = performance.now();
        for (const id of checkIds) onCheck(id);
        if (verificationIds.length > 0) onVerifications(verificationIds);
      } catch (error) {
        if (failures === 0 && !signal.aborted) presenceNotTold(error);
        failures += 1;
        if (signal.aborted) return false;
        if (isOutage(error)) {
          const pauseMs = backoffMs(failures, { baseMs: FIRST_RETRY_MS, maxMs: everyMs });
          sleep(pauseMs, signal).then(
            () => loop.wake(),
            () => undefined,
          );
        } else heardAt = performance.now();
      }
      return false;
    },
  });
  return {
    changed: () => loop.wake(),
    heardAt: () => heardAt,
    async lastWords() {
      await client.reportPresence(report(), { timeoutMs: LAST_WORDS_MS }).catch(() => undefined);
    },
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}
