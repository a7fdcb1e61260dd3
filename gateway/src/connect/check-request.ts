/** What is wrong with a request, by the fields of its message: what no message may hold, and what this one may not. */
import type { DescEnum, DescField, DescMessage, MessageShape } from '@bufbuild/protobuf';
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import { type Timestamp, TimestampSchema } from '@bufbuild/protobuf/wkt';
import { CALLS, type CallName } from '@tidemark/contract/calls';
import { internalViolations, isSubjectField, ruleViolations } from '@tidemark/contract/rules';
import type { FieldViolation } from '@tidemark/errors/app-error';
import { MAX_ENTRIES, MAX_QUOTED_NAME, MAX_TEXT, MAX_VIOLATIONS } from '@tidemark/limits/limits';
import { methodOf } from '../backends.ts';
import { stepsOf } from '../calls/perform.ts';
import type { RequestOf } from '../calls/steps.ts';

/** What `google.protobuf.Timestamp` allows: the years 1 to 9999. */
const FIRST_SECOND = -62_135_596_800n;
const LAST_SECOND = 253_402_300_799n;
const NANOS = 1_000_000_000;

/** Every field of a request that is not as it should be, by its path in JSON, each once; its subject leads. */
export function requestViolations<Name extends CallName>(name: Name, request: RequestOf<Name>): FieldViolation[] {
  const call = CALLS[name];
  const general = checkMessage(methodOf(name).input, request);
  // What has too many entries is not looked into.
  const rules = ruleViolations(call.method, request).filter(
    ({ field }) => !general.some((one) => field.startsWith(`${one.field}[`)),
  );
  const ofSubject = rules.filter(({ field }) => isSubjectField(call, field));
  const named = new Set(rules.map(({ field }) => field));
  return [
    ...ofSubject,
    ...internalViolations(call.request, request),
    ...general.filter(({ field }) => !named.has(field)),
    ...(stepsOf(name).check?.(request) ?? []),
    ...rules.filter((one) => !ofSubject.includes(one)),
  ];
}

/**
 * What is wrong with any message, whatever it asks: things that it can hold and no service expects. An enum must name a
 * value that is known, or a filter by one that is not would filter nothing.
 */
function checkMessage<Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>): FieldViolation[] {
  return problemsOf(reflect(schema, message), '').slice(0, MAX_VIOLATIONS);
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
      return checkInner(path, message.get(field));
    case 'list': {
      const list = message.get(field);
      if (list.size > MAX_ENTRIES) return [tooMany(path)];
      return [...list].flatMap((item, index) => {
        const at = `${path}[${index}]`;
        if (field.listKind === 'message') return checkInner(at, item as ReflectMessage);
        // In a list even the zero value was written down.
        return field.listKind === 'enum' ? checkEnum(at, field.enum, item as number, true) : checkValue(at, item);
      });
    }
    case 'map': {
      const map = message.get(field);
      if (map.size > MAX_ENTRIES) return [tooMany(path)];
      return [...map].flatMap(([key, value]) => [
        ...checkValue(`${path} (a key)`, key),
        ...checkValue(`${path}.${printable(String(key))}`, value),
      ]);
    }
  }
}

function checkInner(path: string, value: ReflectMessage): FieldViolation[] {
  return value.desc.typeName === TimestampSchema.typeName
    ? checkTimestamp(path, value.message as Timestamp)
    : problemsOf(value, `${path}.`);
}

function checkValue(path: string, value: unknown): FieldViolation[] {
  if (typeof value !== 'string') return [];
  if (!value.isWellFormed() || value.includes('\0'))
    return [{ field: path, description: 'must be a text of whole Unicode characters without NUL' }];
  return value.length > MAX_TEXT ? [{ field: path, description: `must be at most ${MAX_TEXT} characters` }] : [];
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

/** What is wrong with a list or map that has too many entries, of which none is then looked at. */
function tooMany(path: string): FieldViolation {
  return { field: path, description: `must have at most ${MAX_ENTRIES} entries` };
}

function printable(key: string): string {
  return key.toWellFormed().slice(0, MAX_QUOTED_NAME);
}
