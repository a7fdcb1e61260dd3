/**
 * Asks how all log backups stand.
 *
 * LS1. Alarms are functions of the records and the time, so all are asked for anew; of very many so seldom that this takes a small part of the time.
 * LS2. An answer that breaks off is none: what was known before stays.
 */
import { AppError } from '@tidemark/errors/app-error';
import type { LogStanding } from '@tidemark/protocol/grpc/tidemark/backup/v1/log_backup';
import type { Backends } from './backends.ts';
import { CALLER } from './due-loop.ts';
import { fleetLog } from './logger.ts';

export interface LogStandings {
  /** By cluster, those of all that have one to tell of; undefined where it is too early to ask again, or cannot be told. */
  read(signal: AbortSignal): Promise<ReadonlyMap<string, LogStanding> | undefined>;
}

/** The part of the time that is spent asking. */
const SHARE = 0.05;
/** From an answer that is none to the next question. */
const AGAIN_MS = 60_000;
const LONG_CALL_MS = 120_000;

export function createLogStandings({ logBackups }: Pick<Backends, 'logBackups'>): LogStandings {
  let restsUntil = 0;
  return {
    async read(signal) {
      const begunAt = performance.now();
      if (begunAt < restsUntil) return undefined;
      try {
        const found = new Map<string, LogStanding>();
        for await (const { logs } of logBackups.scanLogBackups({}, { signal, caller: CALLER, timeoutMs: LONG_CALL_MS }))
          for (const log of logs) found.set(log.clusterId, log);
        const endedAt = performance.now();
        restsUntil = endedAt + (endedAt - begunAt) / SHARE;
        return found;
      } catch (error) {
        // A backup-service of an earlier version knows no such call, and the rest of the fleet is to be told all the same.
        if (!(error instanceof AppError) || error.code !== 'internal') throw error;
        fleetLog.warn({ error }, 'how log backups stand could not be asked for');
        restsUntil = performance.now() + AGAIN_MS;
        return undefined;
      }
    },
  };
}
