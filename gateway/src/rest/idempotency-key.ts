import { randomUUID } from 'node:crypto';
import { rulesOf } from '@tidemark/contract/rules';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { parse } from './validate.ts';

const HEADER = 'Idempotency-Key';
const { maxLength } = rulesOf('tidemark.backup.v1.StartBackupRequest', 'key');
const Key = z
  .string('must be sent once')
  .regex(
    new RegExp(`^[\\x21-\\x7e]{1,${maxLength}}$`),
    `must be 1 to ${maxLength} printable characters without blanks`,
  );
/** The headers of a start. */
export const IdempotencyHeaders = z.object({
  [HEADER]: Key.optional().describe(
    'A repeat with the same key and token answers with the first backup; the same key with another body, or for another cluster, is a 400.',
  ),
});

/**
 * The key of a start: every one has one, so that a repeat on the way cannot start two.
 *
 * @throws AppError `invalid_argument` for a key that is none
 */
export function idempotencyKey({ headers }: FastifyRequest): string {
  const given = headers['idempotency-key'];
  return given === undefined ? randomUUID() : (parse(IdempotencyHeaders, { [HEADER]: given })[HEADER] ?? '');
}
