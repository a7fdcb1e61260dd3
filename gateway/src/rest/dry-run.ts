/** Which requests are dry runs of a save: nothing of them may be mistaken for one. */
import { invalidArgument } from '@tidemark/errors/app-error';
import type { FastifyRequest } from 'fastify';
import type { Operation } from './operation.ts';

const PARAMETER = 'validateOnly';
const isSpelling = (name: string) => name.replaceAll(/[-_]/g, '').toLowerCase() === PARAMETER.toLowerCase();
const knows = ({ query }: Operation) => query !== undefined && PARAMETER in query.shape;

/** Whether it is a dry run: it changes nothing, so no audit line says that it did. */
export function isDryRun({ query, routeOptions }: FastifyRequest): boolean {
  const { operation } = routeOptions.config ?? {};
  return operation !== undefined && knows(operation) && (query as Record<string, unknown>)[PARAMETER] === 'true';
}

/**
 * Unknown parameters are passed over, but not what somebody sends who wants nothing to be changed: in another spelling, or
 * with a call that has no dry run.
 *
 * @throws AppError `invalid_argument` naming the parameter
 */
export function refuseMistakenDryRun(operation: Operation, query: unknown): void {
  const mistaken = Object.keys(query as object).find(
    (name) => isSpelling(name) && !(name === PARAMETER && knows(operation)),
  );
  if (mistaken === undefined) return;
  const description = knows(operation)
    ? `is spelled ${PARAMETER}; nothing was changed`
    : 'is no parameter here: this call has no dry run; nothing was changed';
  throw invalidArgument([{ field: mistaken, description }]);
}
