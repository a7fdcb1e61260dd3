/** A command that takes ids which begin with a dash for what they are: ids of backups and restores are 22 characters of base64url. */
import { Command } from '@commander-js/extra-typings';

/** An id with it before is no option. No shell and no person types it. */
const MARK = '\0';

/** Names of options are longer or shorter, or have small letters alone. */
const looksLikeId = (arg: string) => /^-[A-Za-z0-9_-]{21}$/.test(arg) && /[A-Z0-9]/.test(arg);
const withoutMark = (arg: string) => (arg.startsWith(MARK) ? arg.slice(MARK.length) : arg);

export class CommandWithIds extends Command {
  override createCommand(name?: string): Command {
    return new CommandWithIds(name);
  }

  override parseOptions(args: string[]): { operands: string[]; unknown: string[] } {
    const takesNext = (arg?: string) =>
      arg !== undefined &&
      this.options.some(({ required, short, long }) => required && (arg === short || arg === long));
    const end = args.includes('--') ? args.indexOf('--') : args.length;
    const marked = args.map((arg, at) =>
      at < end && looksLikeId(arg) && !takesNext(args[at - 1]) ? `${MARK}${arg}` : arg,
    );
    const { operands, unknown } = super.parseOptions(marked);
    return { operands: operands.map(withoutMark), unknown: unknown.map(withoutMark) };
  }
}
