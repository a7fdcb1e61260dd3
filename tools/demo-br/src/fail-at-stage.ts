import { setTimeout as pause } from 'node:timers/promises';
import { BrError } from './br-error.ts';
import type { Log } from './log.ts';
import { type FailureStage, namedFailure } from './named-failures.ts';
import type { Script } from './script.ts';

/** How often BR says that it still waits for PD. */
const WARN_EVERY_SECONDS = 1;

const PD_FIELDS = [
  ['url', 'http://127.0.0.1:1'],
  ['error', '[PD:client:ErrClientGetMember]error:rpc error: code = Unavailable desc = connection error'],
] as const;

/**
 * Ends the run if its script names a failure of this stage, after the time that BR takes to give up.
 * One whose step is the log comes there.
 *
 * @throws BrError with that failure; what the abort signal brings up
 */
export async function failAtStage(
  stage: FailureStage,
  { script, log, signal }: { readonly script: Script; readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  const { kind, name, message, code, exitCode, step } = script.outcome;
  if (kind !== 'fail' || name === undefined || step === 'log-files') return;
  const failure = namedFailure(name);
  if (failure.stage !== stage) return;
  const waitsForPd = name === 'pd-unreachable';
  const error = new BrError(message, code, exitCode, waitsForPd);
  try {
    for (let left = failure.seconds ?? 0; left > 0; left -= WARN_EVERY_SECONDS) {
      if (waitsForPd) log.warn('pd_service_discovery.go:843', message, PD_FIELDS);
      await pause(Math.min(left, WARN_EVERY_SECONDS) * 1000 * script.waitScale, undefined, { signal });
    }
  } catch (aborted) {
    if (!waitsForPd) throw aborted;
  }
  if (waitsForPd) logPdGivenUp(log, error);
  throw error;
}

function logPdGivenUp(log: Log, error: BrError): void {
  log.error('pd.go:164', 'fail to create pd client', error);
  log.error('conn.go:172', 'failed to create pd controller', error);
}
