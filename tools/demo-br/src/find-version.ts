import { readScript } from './script.ts';
import { parseStorage } from './storage-url.ts';
import { DEFAULT_VERSION } from './version.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** The storage in a command line that may otherwise be wrong. */
function storageArgument(argv: readonly string[]): string | undefined {
  const at = argv.findLastIndex((argument) => /^(--storage|-s)(=|$)/.test(argument));
  const argument = argv[at];
  return argument?.includes('=') ? argument.slice(argument.indexOf('=') + 1) : argv[at + 1];
}

/**
 * The version that a run stands in for, which decides already what flags there are: of the script that its storage has,
 * of DEMO_BR_VERSION, or the default. Mistakes in the script are left to whoever reads it next.
 */
export async function findVersion(env: Env, argv: readonly string[]): Promise<string> {
  try {
    return (await readScript(env, folderOf(storageArgument(argv)), [])).version;
  } catch {
    return env.DEMO_BR_VERSION || DEFAULT_VERSION;
  }
}

function folderOf(storage: string | undefined): string | undefined {
  try {
    const target = parseStorage(storage ?? '');
    return target.kind === 'local' ? target.path : undefined;
  } catch {
    return undefined;
  }
}
