import { isFailureName, namedFailure } from './named-failures.ts';
import { OUTCOME_KINDS, type Outcome, type OutcomeKind, RESTORE_STEPS, SUCCESS } from './outcome.ts';

const isKind = (value: unknown): value is OutcomeKind => OUTCOME_KINDS.some((kind) => kind === value);
const isText = (value: unknown) => typeof value === 'string';
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

const FIELDS: Readonly<Record<keyof Outcome, (value: unknown) => boolean>> = {
  kind: isKind,
  name: isFailureName,
  message: isText,
  code: isText,
  exitCode: isCount,
  at: (value) => typeof value === 'number' && value >= 0 && value <= 1,
  step: (value) => RESTORE_STEPS.some((step) => step === value),
  times: isCount,
  levels: (value) => isCount(value) && value !== 0,
  thenHangs: (value) => typeof value === 'boolean',
  megabytes: isCount,
  childSeconds: isCount,
  awaySeconds: (value) => typeof value === 'number' && value >= 0,
};

/** Reads an outcome from a script: a kind, or an object; as a text it may be JSON. Undefined for anything else. */
export function readOutcome(value: unknown): Outcome | undefined {
  if (isKind(value)) return { ...SUCCESS, kind: value };
  if (typeof value === 'string') return fromJson(value);
  if (typeof value !== 'object' || value === null || !('kind' in value)) return undefined;
  const good = Object.entries(value).every(
    ([name, field]) => Object.hasOwn(FIELDS, name) && FIELDS[name as keyof Outcome](field),
  );
  return good ? named({ ...SUCCESS, ...(value as Partial<Outcome>) }) : undefined;
}

/** Fills in what a named failure says; its end may be another than `fail`. */
function named(outcome: Outcome): Outcome {
  if (outcome.name === undefined) return outcome;
  const { text, code, instead } = namedFailure(outcome.name);
  return { ...outcome, kind: instead ?? outcome.kind, message: text, ...(code !== undefined && { code }) };
}

function fromJson(text: string): Outcome | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'string' ? undefined : readOutcome(parsed);
  } catch {
    return undefined;
  }
}
