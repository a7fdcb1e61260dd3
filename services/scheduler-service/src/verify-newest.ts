/**
 * Has the newest good backup of a rule verified, where none of the rule was for as long as the rule says.
 *
 * V1. When a backup was verified stands on its record: nothing is kept here, and every copy of the scheduler may ask.
 *     backup-service verifies a backup once at a time, whoever asks.
 * V2. What was found damaged counts for nothing: then the next older backup is the newest good one, and its turn comes at
 *     once.
 * V3. What could not be verified, or was canceled, is not asked for again within a day.
 * V4. A rule that is paused asks for nothing.
 */
import { randomUUID } from 'node:crypto';
import { AppError, isOutage } from '@tidemark/errors/app-error';
import {
  type Verification,
  VerificationLevel,
  VerificationState,
  type VerificationVerdict,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type { Strategy, VerificationRule } from '@tidemark/protocol/grpc/tidemark/strategy/v1/strategy_service';
import type { Backends } from './backends.ts';
import { CALLER } from './due-loop.ts';
import { verificationAsked, verificationRefused } from './events.ts';
import { type GoodBackup, isBehind, listGoodBackups, listRules } from './retention.ts';

const DAY_MS = 86_400_000;

/**
 * Asks for what is due of a cluster.
 *
 * @returns 'later' when too many verifications wait already
 */
export async function verifyNewest(
  clusterId: string,
  { backends, now }: { readonly backends: Backends; readonly now: () => Date },
  signal: AbortSignal,
): Promise<'done' | 'later'> {
  const requestId = randomUUID();
  const options = { signal, requestId, caller: CALLER };
  const rules = (await listRules(backends, clusterId, options)).filter(verifies);
  if (rules.length === 0) return 'done';
  const backups = await listGoodBackups(backends, { clusterId, scheduled: true }, options);
  for (const { rule, verify } of rules) {
    const due = dueBackup(
      backups.filter((backup) => backup.rule === rule),
      verify,
      now(),
    );
    if (!due) continue;
    const { level, sample, rateLimit } = verify;
    const isMeta = level === VerificationLevel.VERIFICATION_LEVEL_META;
    try {
      const wish = { id: due.id, level, sample: isMeta ? undefined : sample, rateLimit, byRule: true };
      await backends.backups.verifyBackup(wish, options);
      verificationAsked(clusterId, rule, due.id, requestId);
    } catch (error) {
      if (!(error instanceof AppError) || error.code === 'canceled' || isOutage(error)) throw error;
      if (error.code === 'too_many_requests') return 'later';
      verificationRefused(clusterId, rule, due.id, error);
    }
  }
  return 'done';
}

/** Whether a rule has backups verified by itself. */
export function verifies(rule: Strategy): rule is Strategy & { readonly verify: VerificationRule } {
  return rule.verify !== undefined && !rule.paused && !rule.fleetPaused;
}

/** The newest good backup of a rule, where none of these was verified for so long. */
export function dueBackup(backups: readonly GoodBackup[], rule: VerificationRule, now: Date): GoodBackup | undefined {
  const sound = backups.filter(({ damaged }) => !damaged);
  if (sound.some(({ verification }) => verification && isRecent(verification, rule, now))) return undefined;
  return sound.reduce<GoodBackup | undefined>(
    (newest, one) => (newest === undefined || isBehind(newest, one) ? one : newest),
    undefined,
  );
}

function isRecent(verification: Verification, rule: VerificationRule, now: Date): boolean {
  const { state, verifiedAt, earlier } = verification;
  if (!verifiedAt) return true; // under way
  const everyMs = rule.everyDays * DAY_MS;
  const isGood = state === VerificationState.VERIFICATION_STATE_GOOD;
  if (!isGood && isSince(verifiedAt, Math.min(everyMs, DAY_MS), now)) return true;
  const verdicts: (Verification | VerificationVerdict)[] = [
    ...(isGood ? [verification] : []),
    ...(earlier ? [earlier] : []),
  ];
  return verdicts.some((verdict) => covers(verdict, rule) && isSince(verdict.verifiedAt, everyMs, now));
}

const isSince = (at: Date | undefined, ms: number, now: Date) => at !== undefined && +now - +at < ms;

/** Whether as much was looked at as the rule asks for. */
function covers({ level, sample }: Pick<Verification, 'level' | 'sample'>, rule: VerificationRule): boolean {
  const isMeta = rule.level === VerificationLevel.VERIFICATION_LEVEL_META;
  if (isMeta) return true;
  return level === VerificationLevel.VERIFICATION_LEVEL_BYTES && sample >= (rule.sample ?? 1);
}
