import { CommandError, UsageError } from './exit.ts';
import type { Session } from './session.ts';

/**
 * Has somebody at the terminal type the name of what a command is about to destroy or to write over.
 *
 * @param what will happen, as a sentence
 * @param yes was given in place of it
 * @throws CommandError where another name was typed, UsageError where nobody can be asked
 */
export async function confirmByName(
  name: string,
  what: string,
  yes: boolean | undefined,
  { ask, tell, isInteractive }: Session,
): Promise<void> {
  if (yes) return;
  if (!isInteractive) throw new UsageError(`${what} Nobody can be asked here whether that is meant: say --yes.`);
  tell(what);
  const typed = await ask(`Type ${name} to go on: `);
  if (typed.trim() !== name) throw new CommandError('That is another name. Nothing was done.');
}
