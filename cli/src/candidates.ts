import type { CommandUnknownOpts } from '@commander-js/extra-typings';

/**
 * What may come in the place of the last word.
 *
 * @param words behind the name of the program; the last one may be empty
 */
export function candidates(program: CommandUnknownOpts, words: readonly string[]): string[] {
  const typed = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  let command = program;
  for (const word of before) command = command.commands.find((one) => namesOf(one).includes(word)) ?? command;
  const options = [...command.options, ...program.options];
  const last = before.at(-1);
  const previous = options.find(({ long, short }) => last !== undefined && [long, short].includes(last));
  if (previous && (previous.required || previous.optional)) return starting(previous.argChoices ?? [], typed);
  if (typed.startsWith('-')) return starting([...options.flatMap(({ long }) => long ?? []), '--help'], typed);
  const choices = command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []);
  const verbs = command.commands.flatMap((one) => (isHidden(one) ? [] : [one.name()]));
  return starting([...verbs, ...choices], typed);
}

const namesOf = (command: CommandUnknownOpts): string[] => [command.name(), ...command.aliases()];

const isHidden = (command: CommandUnknownOpts): boolean =>
  !command.parent?.createHelp().visibleCommands(command.parent).includes(command);

const starting = (words: readonly string[], typed: string): string[] =>
  [...new Set(words)].filter((word) => word.startsWith(typed));
