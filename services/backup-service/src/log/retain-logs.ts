/**
 * Takes what no point of a horizon needs out of the logs of all clusters. Every copy does this: the document decides who of them did
 * it, and judges it by what is known at its write (P5). One cluster whose logs cannot be judged stops no other.
 */
import type { Quarantine } from '@tidemark/service-kit/quarantine';
import type { Dispatcher } from '../dispatcher.ts';
import type { TruncationStore } from './truncation-store.ts';

export interface RetentionDependencies {
  readonly truncations: Pick<TruncationStore, 'findWithLogs' | 'apply'>;
  readonly dispatcher: Pick<Dispatcher, 'ringTruncation'>;
  readonly quarantine: Quarantine;
}

const BATCH = 100;

/** @throws AppError `unavailable` */
export async function retainLogs(
  { truncations, dispatcher, quarantine }: RetentionDependencies,
  signal: AbortSignal,
): Promise<void> {
  for (let after = ''; ; ) {
    const ids = await truncations.findWithLogs(after, BATCH, signal);
    for (const id of ids) {
      const retain = async () => {
        const applied = await truncations.apply(id, { kind: 'retain' }, signal);
        if (applied?.decision.next) await dispatcher.ringTruncation(id);
      };
      await quarantine.attempt(id, retain, signal);
    }
    const last = ids.at(-1);
    if (last === undefined || ids.length < BATCH) return;
    after = last;
  }
}
