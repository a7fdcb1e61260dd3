/** What holds a save back, a dry run and a revision: neither may be asked for in vain. */
import { invalidArgument } from '@tidemark/errors/app-error';
import type { FastifyRequest } from 'fastify';
import type { Operation } from './operation.ts';

/** Of each parameter, what people and other programs call it, in small letters. */
const CALLED = {
  validateOnly: ['validateonly', 'dryrun', 'dry'],
  revision: ['revision', 'rev', 'ifrevision', 'ifmatch', 'etag'],
} as const;
type Condition = keyof typeof CALLED;

const SENTENCES: Readonly<Record<Condition, string>> = {
  validateOnly: 'this call has no dry run',
  revision: 'this call does not ask for a revision',
};

const knows = ({ query }: Operation, name: Condition) => query !== undefined && name in query.shape;

/** Whether it is a dry run: it changes nothing, so no audit line says that it did. */
export function isDryRun({ query, routeOptions }: FastifyRequest): boolean {
  const { operation } = routeOptions.config ?? {};
  return (
    operation !== undefined &&
    knows(operation, 'validateOnly') &&
    (query as Record<string, unknown>).validateOnly === 'true'
  );
}

/**
 * Unknown parameters of a call that changes something are passed over, but not one that was to hold the change back: in another spelling, or with a call
 * that does not have it.
 *
 * @throws AppError `invalid_argument` naming the parameter
 */
export function refuseMistakenConditions(operation: Operation, query: unknown): void {
  const mistaken = Object.keys(query as object).flatMap((name) => {
    const condition = conditionOf(name);
    return condition === undefined || (name === condition && knows(operation, condition)) ? [] : [{ name, condition }];
  });
  if (mistaken.length === 0) return;
  throw invalidArgument(
    mistaken.map(({ name, condition }) => ({
      field: name,
      description: knows(operation, condition)
        ? `is spelled ${condition}; nothing was changed`
        : `is no parameter here: ${SENTENCES[condition]}; nothing was changed`,
    })),
  );
}

function conditionOf(name: string): Condition | undefined {
  const word = name.replaceAll(/[-_]/g, '').toLowerCase();
  return (Object.keys(CALLED) as Condition[]).find((condition) =>
    (CALLED[condition] as readonly string[]).includes(word),
  );
}
