import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { z } from 'zod';

/** A query that has a parameter twice means two things; it is refused, whichever comes last. */
const ONCE = 'must be one value, and be sent once';

/** An id of a cluster, a backup or a storage. */
export const Id = z
  .string({
    error: ({ input }) => (input === undefined ? 'must be set' : Array.isArray(input) ? ONCE : 'must be a text'),
  })
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 letters, digits, underscores or dashes');

/** Values that generated clients send for "nothing" (`""`, null) count as left out. */
const nothing = (value: unknown) => (value === '' || value === null ? undefined : value);

/** A field that may be left out, also as `""` or null. */
export function leftOut<T extends z.ZodType>(schema: T) {
  return z.preprocess(nothing, schema.optional());
}

/** A field that must be there: left out, `""` or null is a violation. */
export function required<T extends z.ZodType>(schema: T) {
  return z.preprocess(nothing, schema);
}

/** A whole number, also written as a text, as in a query. */
export function wholeNumber(min: number, max: number) {
  const wanted = `must be a whole number from ${min} to ${max}`;
  return z.preprocess(
    (value) => (typeof value === 'string' && /^-?\d{1,15}$/.test(value.trim()) ? Number(value) : value),
    z
      .int({ error: ({ input }) => (Array.isArray(input) ? ONCE : wanted) })
      .min(min, wanted)
      .max(max, wanted),
  );
}

/** True or false, also written as a text, as in a query. */
export function flag() {
  const meant = (value: unknown) => (value === 'true' ? true : value === 'false' ? false : value);
  return z.preprocess(meant, z.boolean('must be true or false'));
}

/** @throws AppError `invalid_argument` naming every bad field by its path */
export function parse<T extends z.ZodType>(schema: T, input: unknown): z.infer<T> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const violations = result.error.issues.map(
    ({ path, message }): FieldViolation => ({ field: path.join('.') || 'body', description: message }),
  );
  throw invalidArgument(violations);
}

/** The object in a request's body; a client that sends none means an empty one. @throws AppError `invalid_argument` */
export function bodyObject(body: unknown): Record<string, unknown> {
  if (body === undefined || body === null) return {};
  if (typeof body !== 'object' || Array.isArray(body))
    throw invalidArgument([{ field: 'body', description: 'must be a JSON object' }]);
  return body as Record<string, unknown>;
}
