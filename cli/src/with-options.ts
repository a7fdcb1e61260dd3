import type { Command, Option, OptionValues } from '@commander-js/extra-typings';

/** Options as a command has them, which takes no interfaces. */
export type OptionsOf<Options> = { [Name in keyof Options]: Options[Name] };

/** Adds options that several verbs share; `Values` is what they are read as. */
export function withOptions<Values extends OptionValues>(options: readonly Pick<Option, keyof Option>[]) {
  return <Args extends unknown[], Own extends OptionValues, Global extends OptionValues>(
    command: Command<Args, Own, Global>,
  ): Command<Args, Own & Values, Global> => {
    for (const option of options) command.addOption(option as Option);
    return command as unknown as Command<Args, Own & Values, Global>;
  };
}
