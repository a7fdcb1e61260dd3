/** Options and arguments that several verbs have, and how their values are read. */

import { type Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { isId } from '@tidemark/limits/id';
import { MAX_COMMAND_WAIT_SECONDS, MIN_VERIFY_SAMPLE } from '@tidemark/limits/limits';
import type { Form } from './output.ts';

/** What every verb takes. */
export type GlobalOptions = {
  readonly output: Form;
  readonly url?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly context?: string | undefined;
};

/** The whole of the command line, or a group of its verbs. */
export type Program = Command<[], GlobalOptions>;

const SECONDS = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** An id of the API: so that no text becomes another path. @throws InvalidArgumentError */
export function toId(text: string): string {
  if (!isId(text)) throw new InvalidArgumentError('An id has 1 to 64 letters, digits, underscores or dashes.');
  return text;
}

export function toIds(text: string, before: readonly string[] = []): string[] {
  return [...before, toId(text)];
}

export function toTexts(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** `name=value`. @throws InvalidArgumentError */
export function toLabel(text: string, before: readonly string[] = []): string[] {
  if (!/^[^=]+=/.test(text)) throw new InvalidArgumentError('It must be name=value, such as env=prod.');
  return [...before, text];
}

export function labelsOf(labels: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    labels.map((label) => [label.slice(0, label.indexOf('=')), label.slice(label.indexOf('=') + 1)]),
  );
}

/** A whole number; where no `max` is given, the API says which are too large. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER) {
  const wanted = max === Number.MAX_SAFE_INTEGER ? `${min} or more` : `from ${min} to ${max}`;
  return (text: string): number => {
    const value = /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It must be a whole number, ${wanted}.`);
    return value;
  };
}

/** A part of the data files of a backup. @throws InvalidArgumentError */
export function toSample(text: string): number {
  const value = /^\d(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= MIN_VERIFY_SAMPLE && value <= 1))
    throw new InvalidArgumentError(`It must be a part from ${MIN_VERIFY_SAMPLE} to 1, such as 0.1.`);
  return value;
}

/** `30s`, `15m`, `2h`, `1d`, in seconds. @throws InvalidArgumentError */
export function toSeconds(text: string): number {
  const [, count, unit] = /^(\d{1,7})([smhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (SECONDS[unit as keyof typeof SECONDS] ?? Number.NaN);
  if (!(seconds >= 1 && seconds <= MAX_COMMAND_WAIT_SECONDS))
    throw new InvalidArgumentError('It must be like 30s, 15m, 2h or 1d, and at most 14d.');
  return seconds;
}

/** Options of what waits for an end. */
export const TIMEOUT = ['--timeout <time>', 'wait no longer than this, such as 90m', toSeconds] as const;
export const PATIENCE = ['--patience <time>', 'how long Tidemark may be away meanwhile (2m)', toSeconds] as const;

/** The end of the help of a verb. */
export function examples(...lines: readonly string[]): string {
  return ['', lines.length === 1 ? 'Example:' : 'Examples:', ...lines.map((line) => `  tidemark ${line}`)].join('\n');
}
