/** What the fields of a message may hold, as the options in proto/ say it; for messages of either generator. */
import type { FieldViolation } from '@tidemark/errors/app-error';
import { ID_SENTENCE, isId } from '@tidemark/limits/id';
import { MESSAGES } from '@tidemark/protocol/contract';
import { CALLS, type Call, callOfMethod, type Role } from './calls.ts';

/** The rules of a field (`tidemark.options.v1.Rules`). */
export interface FieldRules {
  readonly id?: true;
  readonly printable?: true;
  readonly required?: true;
  readonly maxLength?: number;
  readonly min?: number;
  readonly max?: number;
  readonly hint?: string;
  readonly internal?: true;
  readonly role?: Role;
  readonly auditAs?: string;
  /** A zero is a value, and not the same as nothing. */
  readonly optional?: true;
  /** The full name of its message, where that has rules. */
  readonly message?: string;
}

type Message = Readonly<Record<string, unknown>>;

const TABLE: Readonly<Record<string, Readonly<Record<string, FieldRules>>>> = MESSAGES;
const PRINTABLE = /^[\x21-\x7e]*$/;

/** What is wrong with a field that somebody else sets. */
export const SET_BY_TIDEMARK = "must be left out: it is for Tidemark's own processes";

/** The rules of one field. */
export function rulesOf<Type extends keyof typeof MESSAGES, Field extends keyof (typeof MESSAGES)[Type]>(
  type: Type,
  field: Field,
): (typeof MESSAGES)[Type][Field] {
  return MESSAGES[type][field];
}

/** What is wrong with the fields of a request: its subject first, then all others in their order. */
export function ruleViolations(method: string, request: object): FieldViolation[] {
  const name = callOfMethod(method);
  const type = name ? CALLS[name].request : requestOf(method);
  const found = violationsOf(type, request as Message, '');
  if (!name) return found;
  const missing = missingSubject(CALLS[name], request as Message);
  const isOfSubject = ({ field }: FieldViolation) => isSubjectField(CALLS[name], field);
  return [...missing, ...found.filter(isOfSubject), ...found.filter((one) => !isOfSubject(one))];
}

/** Whether a bad field leaves open whose a call is. */
export function isSubjectField({ subject, field = '' }: Call, path: string): boolean {
  return path.replace(/\[\d+\]$/, '') === field || (subject === 'backup' && path === 'clusterId');
}

/** Fields that only processes of Tidemark may set, and that are set. */
export function internalViolations(type: string, message: object): FieldViolation[] {
  return walk(type, message as Message, '', (path, { internal }, value) =>
    internal && isSet(value) ? [{ field: path, description: SET_BY_TIDEMARK }] : [],
  );
}

/** The roles that it takes to set what is set. */
export function rolesFor(type: string, message: object): Role[] {
  return walk(type, message as Message, '', (_, { role }, value) => (role && isSet(value) ? [role] : []));
}

/** What an audit line names of a request beside its subject. */
export function auditedOf(type: string, message: object): Record<string, string> {
  return Object.fromEntries(
    walk(type, message as Message, '', (_, { auditAs }, value) => (auditAs ? [[auditAs, String(value ?? '')]] : [])),
  );
}

/** The sentence about a bad value of a field. */
export function sentenceOf({ id, printable, maxLength, min = 0, max, hint }: FieldRules): string {
  const sentence = id
    ? ID_SENTENCE
    : printable
      ? `must be 1 to ${maxLength} printable characters without blanks`
      : max === undefined
        ? `must be at most ${maxLength} characters`
        : `must be a whole number from ${min} to ${max}`;
  return withHint(sentence, hint);
}

/** By convention of the protos, which their linter keeps. */
function requestOf(method: string): string {
  const [service = '', name] = method.split('/');
  return `${service.slice(0, service.lastIndexOf('.'))}.${name}Request`;
}

function missingSubject({ subject, field = '' }: Call, request: Message): FieldViolation[] {
  if (!['cluster', 'backup', 'restore'].includes(subject)) return [];
  const value = field.split('.').reduce<unknown>((part, name) => (part as Message | undefined)?.[name], request);
  return isSet(value) ? [] : [{ field, description: 'must be set' }];
}

function violationsOf(type: string, message: Message, prefix: string): FieldViolation[] {
  return walk(type, message, prefix, (path, rules, value) => {
    if (!isSet(value) && !(rules.optional && value === 0))
      return rules.required ? [{ field: path, description: withHint('must be set', rules.hint) }] : [];
    if (!Array.isArray(value)) return isGood(rules, value) ? [] : [{ field: path, description: sentenceOf(rules) }];
    return value.flatMap((one: unknown, index) =>
      isSet(one) && isGood(rules, one)
        ? []
        : [{ field: `${path}[${index}]`, description: isSet(one) ? sentenceOf(rules) : 'must be set' }],
    );
  });
}

function isGood({ id, printable, maxLength = Infinity, min = -Infinity, max = Infinity }: FieldRules, value: unknown) {
  if (typeof value === 'number') return value >= min && value <= max;
  if (typeof value !== 'string') return true;
  return (!id || isId(value)) && (!printable || PRINTABLE.test(value)) && value.length <= maxLength;
}

/** Whether a value is more than what a message holds anyway. */
function isSet(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  return value !== undefined && value !== null && value !== '' && value !== 0 && value !== 0n && value !== false;
}

type Look<Found> = (path: string, rules: FieldRules, value: unknown) => readonly Found[];

/** What is found in each field that has rules, and in those of the messages within. */
function walk<Found>(type: string, message: Message, prefix: string, look: Look<Found>): Found[] {
  return Object.entries(TABLE[type] ?? {}).flatMap(([name, rules]) => {
    const value = message[name];
    const path = `${prefix}${name}`;
    if (rules.message === undefined) return look(path, rules, value);
    const { message: inner } = rules;
    if (Array.isArray(value))
      return value.flatMap((one: Message, index) => walk(inner, one, `${path}[${index}].`, look));
    return value === undefined ? [] : walk(inner, value as Message, `${path}.`, look);
  });
}

function withHint(sentence: string, hint: string | undefined): string {
  return hint === undefined ? sentence : `${sentence}, ${hint}`;
}
