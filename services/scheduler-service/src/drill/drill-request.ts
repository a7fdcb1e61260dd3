/** What a drill that somebody saves must be. */
import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { MAX_QUOTED_WORD } from '@tidemark/limits/limits';
import { DrillChoice, type PutDrillRequest } from '@tidemark/protocol/grpc/tidemark/scheduler/v1/drill_service';
import { readWindow } from '@tidemark/schedule/read-window';
import { nameOf } from '../notification/receiver-message.ts';
import { type Must, requireUrl, toSecrets } from '../notification/receiver-request.ts';
import type { DrillSettings, EmptyHook } from './decide/drill.ts';
import { CHOICES } from './drill-message.ts';

/** What is asked for; the hook undefined: as it was; the zone empty: that of the cluster. */
export type AskedDrill = Omit<DrillSettings, 'emptyHook'> & { readonly emptyHook: EmptyHook | null | undefined };

const WHOLE_DAY = '0:00-24:00';

/** @throws AppError `invalid_argument` naming every bad field */
export function toAskedDrill(request: PutDrillRequest): AskedDrill {
  const violations: FieldViolation[] = [];
  const bad = (field: string, description: string) => void violations.push({ field, description });
  const { targetClusterId, days, period, timeZone, paused, choose, withoutEmptyHook } = request;
  const window = readWindow(
    { days, period: period || WHOLE_DAY, timeZone },
    { what: 'drills', emptyZone: true, quote: (word) => `"${word.slice(0, MAX_QUOTED_WORD)}"` },
    bad,
  );
  const choice = choose === DrillChoice.DRILL_CHOICE_UNSPECIFIED ? 'newest' : nameOf(CHOICES, choose);
  if (!choice) bad('choose', 'must be "newest", "random" or "pointInTime"');
  if (request.emptyHook && withoutEmptyHook) bad('emptyHook', 'cannot be set and removed at once');
  const emptyHook = request.emptyHook && toHook(request.emptyHook, bad);
  if (violations.length > 0) throw invalidArgument(violations);
  return {
    targetClusterId,
    days: window.days ?? [],
    period: window.period ?? WHOLE_DAY,
    timeZone: window.timeZone ?? '',
    paused,
    choose: choice ?? 'newest',
    emptyHook: withoutEmptyHook ? null : emptyHook,
  };
}

function toHook(
  { url, secrets }: NonNullable<PutDrillRequest['emptyHook']>,
  bad: (field: string, description: string) => void,
): EmptyHook | undefined {
  const must: Must = (fine, field, description) => {
    if (!fine) bad(`emptyHook.${field}`, description);
  };
  if (url !== '') requireUrl(url, must);
  must(secrets !== undefined, 'secrets', 'must name the secrets, such as {"envPrefix":"DRILL_"}');
  const source = toSecrets({ secrets }, must);
  return source && { url, secrets: source };
}

/**
 * The hook after a save.
 *
 * @throws AppError `invalid_argument` where the target changes, and nobody says what becomes of a hook that empties another cluster
 */
export function hookAfter(asked: AskedDrill, before: DrillSettings | undefined): EmptyHook | null {
  if (asked.emptyHook !== undefined) return asked.emptyHook;
  if (before?.emptyHook && before.targetClusterId !== asked.targetClusterId)
    throw invalidArgument([
      {
        field: 'emptyHook',
        description: `must be named again, or be null: the one that is stored empties cluster ${before.targetClusterId}`,
      },
    ]);
  return before?.emptyHook ?? null;
}
