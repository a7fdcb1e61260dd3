/** What is wrong with any request, whatever it asks: things that a message can hold and no service expects. */
import type { DescEnum, DescField, DescMessage, MessageShape } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';
import type { FieldViolation } from '@tidemark/errors/app-error';
import { SET_BY_TIDEMARK } from './served-call.ts';

const LONGEST_TEXT = 1_024;
const MOST_ENTRIES = 1_000;
/** How many bad fields are told at most. */
export const MOST_TOLD = 20;
/** What `google.protobuf.Timestamp` allows: the years 1 to 9999. */
const FIRST_SECOND = -62_135_596_800n;
const LAST_SECOND = 253_402_300_799n;
const NANOS = 1_000_000_000;

/**
 * Every field of a request that is not as it should be, by its path in JSON. An enum must name a value that is known, or a
 * filter by one that is not would filter nothing.
 *
 * @param internal fields that only Tidemark's own processes may set
 */
export function checkRequest<Schema extends DescMessage>(
  schema: Schema,
  message: MessageShape<Schema>,
  internal: readonly string[] = [],
): FieldViolation[] {
  const reflected = reflect(schema, message);
  const forbidden = reflected.fields
    .filter((field) => internal.includes(field.localName) && reflected.isSet(field))
    .map(({ jsonName }) => ({ field: jsonName, description: SET_BY_TIDEMARK }));
  return [...forbidden, ...problemsOf(reflected, '')].slice(0, MOST_TOLD);
}

function problemsOf(message: ReflectMessage, prefix: string): FieldViolation[] {
  return message.fields.flatMap((field) =>
    message.isSet(field) ? checkField(prefix + field.jsonName, field, message) : [],
  );
}

function checkField(path: string, field: DescField, message: ReflectMessage): FieldViolation[] {
  switch (field.fieldKind) {
    case 'scalar':
      return checkValue(path, message.get(field));
    case 'enum':
      return checkEnum(path, field.enum, message.get(field));
    case 'message':
      return checkMessage(path, message.get(field));
    case 'list': {
      const list = message.get(field);
      if (list.size > MOST_ENTRIES) return [tooMany(path)];
      return [...list].flatMap((item, index) => {
        const at = `${path}[${index}]`;
        if (field.listKind === 'message') return checkMessage(at, item as ReflectMessage);
        // In a list even the zero value was written down.
        return field.listKind === 'enum' ? checkEnum(at, field.enum, item as number, true) : checkValue(at, item);
      });
    }
    case 'map': {
      const map = message.get(field);
      if (map.size > MOST_ENTRIES) return [tooMany(path)];
      return [...map].flatMap(([key, value]) => [
        ...checkValue(`${path} (a key)`, key),
        ...checkValue(`${path}.${printable(String(key))}`, value),
      ]);
    }
  }
}

function checkMessage(path: string, value: ReflectMessage): FieldViolation[] {
  return value.desc.typeName === TimestampSchema.typeName
    ? checkTimestamp(path, value.message as Timestamp)
    : problemsOf(value, `${path}.`);
}

function checkValue(path: string, value: unknown): FieldViolation[] {
  if (typeof value !== 'string') return [];
  if (!value.isWellFormed() || value.includes('\0'))
    return [{ field: path, description: 'must be a text of whole Unicode characters without NUL' }];
  return value.length > LONGEST_TEXT
    ? [{ field: path, description: `must be at most ${LONGEST_TEXT} characters` }]
    : [];
}

function checkEnum(path: string, { values }: DescEnum, number: number, inList = false): FieldViolation[] {
  const known = values.filter((value) => value.number !== 0);
  if (known.some((value) => value.number === number) || (number === 0 && !inList)) return [];
  return [{ field: path, description: `must be one of ${known.map(({ name }) => name).join(', ')}` }];
}

function checkTimestamp(path: string, { seconds, nanos }: Timestamp): FieldViolation[] {
  const fine = seconds >= FIRST_SECOND && seconds <= LAST_SECOND && nanos >= 0 && nanos < NANOS;
  return fine ? [] : [{ field: path, description: 'must be a time of the years 1 to 9999' }];
}

function tooMany(path: string): FieldViolation {
  return { field: path, description: `must have at most ${MOST_ENTRIES} entries` };
}

function printable(key: string): string {
  return key.toWellFormed().slice(0, 64);
}
