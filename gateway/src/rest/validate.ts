import { type FieldViolation, invalidArgument } from '@tidemark/errors/app-error';
import { ID_PATTERN, ID_SENTENCE } from '@tidemark/limits/id';
import { MAX_DEPTH, MAX_ENTRIES, MAX_QUOTED_NAME, MAX_VIOLATIONS } from '@tidemark/limits/limits';
import { z } from 'zod';

/** A query that has a parameter twice means two things; it is refused, whichever comes last. */
const ONCE = 'must be one value, and be sent once';

/** An id of a cluster, a backup or a storage. */
export const Id = z
  .string({
    error: ({ input }) => (input === undefined ? 'must be set' : Array.isArray(input) ? ONCE : 'must be a text'),
  })
  .regex(ID_PATTERN, ID_SENTENCE);

/** Values that generated clients send for "nothing" (`""`, null) count as left out. */
const nothing = (value: unknown) => (value === '' || value === null ? undefined : value);

/** A field that may be left out, also as `""` or null; of the two the document can say that null is taken. */
export function leftOut<T extends z.ZodType>(schema: T) {
  return z.preprocess(nothing, schema.nullish()).transform((value) => value ?? undefined);
}

/** A field that must be there: left out, `""` or null is a violation. */
export function required<T extends z.ZodType>(schema: T) {
  return z.preprocess(nothing, schema);
}

/** A parameter of a query that may be sent several times; none where it is left out. */
export function listOf<T extends z.ZodType>(schema: T) {
  const all = (value: unknown) => (Array.isArray(value) ? value : nothing(value) === undefined ? [] : [value]);
  const list = z.array(schema).max(MAX_ENTRIES, `must be at most ${MAX_ENTRIES}`);
  // The document is to say that it may be left out.
  return z.preprocess(all, list.optional()).transform((value) => value ?? []);
}

/** A whole number, also written as a text, as in a query. @param least that a person is told of */
export function wholeNumber(min: number, max: number, least = min) {
  const wanted = `must be a whole number from ${least} to ${max}`;
  return z.preprocess(
    (value) => (typeof value === 'string' && /^-?\d{1,15}$/.test(value.trim()) ? Number(value) : value),
    z
      .int({ error: ({ input }) => (Array.isArray(input) ? ONCE : wanted) })
      .min(min, wanted)
      .max(max, wanted),
  );
}

/** A whole number from 1 that may be left out, also as 0, which generated clients send for "nothing". */
export function leftOutOrFrom1(max: number) {
  const zero = (value: unknown) => value === 0 || (typeof value === 'string' && /^\s*-?0+\s*$/.test(value));
  return z
    .preprocess((value) => (zero(value) ? undefined : nothing(value)), wholeNumber(0, max, 1).nullish())
    .transform((value) => value ?? undefined);
}

/** True or false, also written as a text, as in a query. */
export function flag() {
  const meant = (value: unknown) => (value === 'true' ? true : value === 'false' ? false : value);
  return z.preprocess(meant, z.boolean('must be true or false'));
}

/**
 * A list or object with more entries than any may have: looked for before its entries are, of which each could be one more
 * thing to tell.
 */
function findTooLong(value: unknown, path = '', depth = 0): FieldViolation | undefined {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return undefined;
  const entries = Object.entries(value);
  if (entries.length > MAX_ENTRIES)
    return { field: path || 'body', description: `must have at most ${MAX_ENTRIES} entries` };
  for (const [name, part] of entries) {
    const found = findTooLong(part, path === '' ? name : `${path}.${name}`, depth + 1);
    if (found) return found;
  }
  return undefined;
}

/** @throws AppError `invalid_argument` naming every bad field by its path */
export function parse<T extends z.ZodType>(schema: T, input: unknown): z.infer<T> {
  const tooLong = findTooLong(input);
  if (tooLong) throw invalidArgument([tooLong]);
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const violations = result.error.issues.flatMap(toViolations);
  // A number may break two rules that say the same.
  const isFirst = ({ field, description }: FieldViolation, index: number) =>
    violations.findIndex((one) => one.field === field && one.description === description) === index;
  throw invalidArgument(violations.filter(isFirst));
}

/** A field of the body itself that is not known is told by its name. */
function toViolations(issue: z.core.$ZodIssue): FieldViolation[] {
  const { path, message } = issue;
  if (issue.code !== 'unrecognized_keys' || path.length > 0)
    return [{ field: path.join('.') || 'body', description: message }];
  return issue.keys
    .slice(0, MAX_VIOLATIONS)
    .map((key) => ({ field: key.slice(0, MAX_QUOTED_NAME), description: message }));
}

/** Parameters of a query of which none may be unknown. @throws AppError `invalid_argument` naming each that is, and every bad one */
export function parseQuery<T extends z.ZodObject>(schema: T, query: unknown): z.infer<T> {
  const known = Object.keys(schema.shape);
  const unknown = Object.keys(query as object).filter((name) => !known.includes(name));
  if (unknown.length === 0) return parse(schema, query);
  throw invalidArgument(
    unknown.map((name) => ({ field: name, description: `is no parameter here; there are ${known.join(', ')}` })),
  );
}

/** The object in a request's body; a client that sends none means an empty one. @throws AppError `invalid_argument` */
export function bodyObject(body: unknown): Record<string, unknown> {
  if (body === undefined || body === null) return {};
  if (typeof body !== 'object' || Array.isArray(body))
    throw invalidArgument([{ field: 'body', description: 'must be a JSON object' }]);
  return body as Record<string, unknown>;
}
