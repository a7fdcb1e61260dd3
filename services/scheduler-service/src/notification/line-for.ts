import { MAX_SHORT_TEXT } from '@tidemark/limits/limits';
import type { Quarantines } from '../quarantines.ts';
import type { ConditionState } from './decide/condition.ts';
import { isAbout, type Receiver } from './decide/receiver.ts';

/**
 * What a receiver is to know of something that is bad, as one line of what was told; undefined where it is not about what the receiver chooses.
 * What cannot be read may be about anything.
 */
export function lineFor(
  { selector }: Pick<Receiver, 'selector'>,
  { _id, condition: topic, labels, text }: ConditionState,
  quarantines: Pick<Quarantines, 'conditions'>,
): string | undefined {
  const read = () => ({ line: isAbout(selector, { topic, labels }) ? lineOf(text) : undefined });
  const found = quarantines.conditions.read(_id, read);
  return found ? found.line : `The record of ${_id}, which is bad, cannot be read.`;
}

const lineOf = (text: string): string => text.replaceAll(/\p{Cc}+/gu, ' ').slice(0, MAX_SHORT_TEXT);
