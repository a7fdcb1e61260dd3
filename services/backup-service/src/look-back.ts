import { plus } from './decide/vocabulary.ts';

const HOUR_MS = 3_600_000;
const WIDER = 4;
/** Six weeks. */
const WIDEST_MS = WIDER ** 5 * HOUR_MS;

/** How far to look back for what is newest, nearest first: an hour, then four times as far again and again. */
export function* lookBack(now: Date, notBefore: Date | undefined): Generator<Date> {
  for (let ms = HOUR_MS; ms <= WIDEST_MS; ms *= WIDER) {
    const after = plus(now, -ms);
    if (notBefore && after <= notBefore) return;
    yield after;
  }
}
