import { BrError } from './br-error.ts';
import { FLAGS, type FlagType, SHORT_FLAGS } from './flags.ts';
import { parseGoDuration } from './go-format.ts';

/** The flags that were given, by long name, with every value that each was given, in order. */
export type GivenFlags = ReadonlyMap<string, readonly string[]>;

/** The command line: its words (`backup full`) and its flags, which may stand before, between and after. */
export interface CommandLine {
  readonly words: readonly string[];
  readonly flags: GivenFlags;
}

const TRUTH: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'true', 'TRUE', 'True'].map((text): [string, boolean] => [text, true]),
  ...['0', 'f', 'F', 'false', 'FALSE', 'False'].map((text): [string, boolean] => [text, false]),
]);

const VALID: Readonly<Record<FlagType, (value: string) => string | undefined>> = {
  bool: (value) => (TRUTH.has(value) ? undefined : `strconv.ParseBool: parsing "${value}": invalid syntax`),
  uint: (value) => (/^\d+$/.test(value) ? undefined : `strconv.ParseUint: parsing "${value}": invalid syntax`),
  int: (value) => (/^-?\d+$/.test(value) ? undefined : `strconv.ParseInt: parsing "${value}": invalid syntax`),
  duration: (value) => (parseGoDuration(value) === undefined ? `time: invalid duration "${value}"` : undefined),
  string: () => undefined,
  list: () => undefined,
  array: () => undefined,
};

/**
 * Reads a command line by the rules of `br` (br-contract 1.1): `--name value`, `--name=value`, `-s value`; a boolean
 * takes its value only after `=`, so that the `false` of `--checksum false` becomes a word.
 *
 * @param known the flags that there are; by default those of any version
 * @throws BrError in the words of `br` for a flag or a value that it would refuse
 */
export function parseCommandLine(argv: readonly string[], known: ReadonlyMap<string, FlagType> = FLAGS): CommandLine {
  const words: string[] = [];
  const flags = new Map<string, string[]>();
  const rest = [...argv];

  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--') {
      words.push(...rest.splice(0));
    } else if (argument.startsWith('-') && argument !== '-') {
      const { name, inline } = splitFlag(argument);
      const type = known.get(name);
      if (type === undefined) throw unknownFlag(argument, name);
      const value = inline ?? (type === 'bool' ? 'true' : rest.shift());
      if (value === undefined) throw new BrError(`flag needs an argument: ${argument}`);
      const problem = VALID[type](value);
      if (problem !== undefined) throw new BrError(`invalid argument "${value}" for "--${name}" flag: ${problem}`);
      const given = flags.get(name) ?? [];
      given.push(...(type === 'list' ? value.split(',') : [value]));
      flags.set(name, given);
    } else {
      words.push(argument);
    }
  }
  return { words, flags };
}

function splitFlag(argument: string): { name: string; inline: string | undefined } {
  if (argument.startsWith('--')) {
    const [name = '', ...value] = argument.slice(2).split('=');
    return { name, inline: value.length === 0 ? undefined : value.join('=') };
  }
  const name = SHORT_FLAGS.get(argument.charAt(1)) ?? '';
  const value = argument.slice(2).replace(/^=/, '');
  return { name, inline: value === '' ? undefined : value };
}

function unknownFlag(argument: string, name: string): BrError {
  return argument.startsWith('--')
    ? new BrError(`unknown flag: --${name}`)
    : new BrError(`unknown shorthand flag: '${argument.charAt(1)}' in ${argument}`);
}

/** The last value given for a flag, as the real program takes it. */
export function textFlag(flags: GivenFlags, name: string, fallback = ''): string {
  return flags.get(name)?.at(-1) ?? fallback;
}

/** The value of a boolean flag. */
export function boolFlag(flags: GivenFlags, name: string, fallback: boolean): boolean {
  return TRUTH.get(textFlag(flags, name)) ?? fallback;
}

/** All values of a flag that may be given more than once. */
export function listFlag(flags: GivenFlags, name: string, fallback: readonly string[]): readonly string[] {
  return flags.get(name) ?? fallback;
}
