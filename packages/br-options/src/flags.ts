/** Flags of `br` that are given by name: an allow-list, and what is said of all others. Pure. */
import type { FieldViolation } from '@tidemark/errors/app-error';
import { MAX_EXTRA_FLAGS, MAX_QUOTED_NAME } from '@tidemark/limits/limits';

/** What the value of a flag looks like. */
export interface FlagRule {
  readonly fits: RegExp;
  /** What it must be, as the end of a sentence. */
  readonly must: string;
}

export const BOOLEAN: FlagRule = { fits: /^(true|false)$/, must: 'must be "true" or "false"' };
export const WHOLE: FlagRule = { fits: /^\d{1,12}$/, must: 'must be a whole number' };
export const DURATION: FlagRule = { fits: /^(\d{1,9}(ms|s|m|h)){1,4}$/, must: 'must be a duration such as "10s"' };

export interface FlagList<Rule extends FlagRule> {
  /** What may be given as it is. */
  readonly allowed: Readonly<Record<string, Rule>>;
  /** Flags that somebody may well try, and what to do instead. */
  readonly elsewhere: Readonly<Record<string, string>>;
}

/** What is wrong with flags, each under `<field>.<flag>`; of too many none is looked at. */
export function flagViolations<Rule extends FlagRule>(
  flags: Readonly<Record<string, string>>,
  field: string,
  { allowed, elsewhere }: FlagList<Rule>,
): FieldViolation[] {
  const entries = Object.entries(flags);
  if (entries.length > MAX_EXTRA_FLAGS) return [{ field, description: `must be at most ${MAX_EXTRA_FLAGS} flags` }];
  return entries.flatMap(([name, value]): FieldViolation[] => {
    const quoted = name.slice(0, MAX_QUOTED_NAME);
    const rule = Object.hasOwn(allowed, name) ? allowed[name] : undefined;
    if (!rule) return [{ field: `${field}.${quoted}`, description: refusal(quoted, { allowed, elsewhere }) }];
    return rule.fits.test(value) ? [] : [{ field: `${field}.${quoted}`, description: rule.must }];
  });
}

function refusal(name: string, { allowed, elsewhere }: FlagList<FlagRule>): string {
  const bare = name.replace(/^-+/, '');
  if (Object.hasOwn(elsewhere, bare)) return elsewhere[bare] ?? '';
  const hint = bare !== name && Object.hasOwn(allowed, bare) ? `write ${bare}, without dashes` : '';
  return hint || `is no option that may be given; possible are ${Object.keys(allowed).join(', ')}`;
}
