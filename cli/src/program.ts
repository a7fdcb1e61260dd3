/** The verbs of the command line. Only those that the arguments name are loaded: help and errors come at once. */
import { CommanderError, Option, type OutputConfiguration } from '@commander-js/extra-typings';
import { CommandWithIds } from './command-with-ids.ts';
import { examples, type Program } from './options.ts';
import { FORMS } from './output.ts';
import type { Run } from './session.ts';

/** A module of verbs. */
interface Verbs {
  /** Adds its command, with all verbs below it. */
  add(program: Program, run: Run): void;
}

/** Where help and complaints go. */
export type Writing = OutputConfiguration;

interface Group {
  readonly name: string;
  readonly about: string;
  /** Another name of it. */
  readonly alias?: string;
  readonly load: () => Promise<Verbs>;
}

const GROUPS: readonly Group[] = [
  {
    name: 'status',
    about: 'whether all clusters are safe, the least safe first',
    load: () => import('./verbs/status.ts'),
  },
  {
    name: 'backup',
    about: 'start, follow, cancel, delete and verify backups',
    load: () => import('./verbs/backup.ts'),
  },
  { name: 'restore', about: 'plan, start and follow restores', load: () => import('./verbs/restore.ts') },
  {
    name: 'recovery-points',
    alias: 'recovery',
    about: 'to which moments a cluster can be brought back',
    load: () => import('./verbs/recovery-points.ts'),
  },
  {
    name: 'log-backup',
    about: 'write the log of a cluster all the time, to bring it back to any second',
    load: () => import('./verbs/log-backup.ts'),
  },
  {
    name: 'drill',
    about: 'restore backups into a scratch cluster from time to time, to prove it',
    load: () => import('./verbs/drill.ts'),
  },
  {
    name: 'strategy',
    about: 'when a cluster is backed up, and how long its backups are kept',
    load: () => import('./verbs/strategy.ts'),
  },
  {
    name: 'strategies',
    about: 'strategies for all clusters with certain labels',
    load: () => import('./verbs/strategies.ts'),
  },
  {
    name: 'retention',
    about: 'what a retention keeps and what it removes',
    load: () => import('./verbs/retention.ts'),
  },
  { name: 'occurrences', about: 'what became of each backup window', load: () => import('./verbs/occurrences.ts') },
  { name: 'cluster', about: 'register clusters, and look at them', load: () => import('./verbs/cluster.ts') },
  { name: 'storage', about: 'register storages, and have workers try them', load: () => import('./verbs/storage.ts') },
  { name: 'notification', about: 'who is told of what', load: () => import('./verbs/notification.ts') },
  { name: 'worker', about: 'which workers are there, and what they do', load: () => import('./verbs/worker.ts') },
  {
    name: 'search',
    about: 'what has an id, or one that begins so',
    load: () => import('./verbs/search.ts'),
  },
  {
    name: 'apply',
    about: 'make clusters, storages and strategies as files say',
    load: () => import('./verbs/apply.ts'),
  },
  { name: 'diff', about: 'what apply would change', load: () => import('./verbs/diff.ts') },
  { name: 'doctor', about: 'what is wrong around Tidemark', load: () => import('./verbs/doctor.ts') },
  { name: 'context', about: 'addresses of Tidemark under names', load: () => import('./verbs/context.ts') },
  { name: 'audit', about: 'who changed what', load: () => import('./verbs/audit.ts') },
  { name: 'token', about: 'who may use the API', load: () => import('./verbs/token.ts') },
  {
    name: 'verify',
    about: 'read a backup in its storage, where nothing of Tidemark runs',
    load: () => import('./verbs/verify.ts'),
  },
  { name: 'version', about: 'the version of this command line', load: () => import('./verbs/version.ts') },
  {
    name: 'completion',
    about: 'what makes a shell complete commands and options',
    load: () => import('./verbs/completion.ts'),
  },
  { name: 'rebuild', about: 'make records again that were lost', load: () => import('./verbs/rebuild.ts') },
];

const ABOUT = `Tidemark's command line.

Where Tidemark is, and with which token, is said by --url and --token-file, by TIDEMARK_URL and TIDEMARK_TOKEN_FILE, by --context
or the context in use, or by an npm start that runs here.`;

const CODES = `
Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 Tidemark cannot be reached, 4 not allowed, 5 timed out, 130 Ctrl-C.`;

/** Help was shown, or what is wrong with the arguments: nothing is left to say. */
export const UsageShown = CommanderError;

/** The names of all groups of verbs. */
export const NAMES: readonly string[] = GROUPS.map(({ name }) => name);

/** Arguments as the program takes them: `--version` by itself is a verb, for some verbs have an option of that name. */
export const withVersion = (args: readonly string[]): readonly string[] =>
  args.length === 1 && (args[0] === '--version' || args[0] === '-V') ? ['version'] : args;

/** Those that arguments name. What shells ask for, with the words that were typed, is completion's. */
export const namesIn = (args: readonly string[]): string[] =>
  GROUPS.filter(({ name, alias }) => args.some((arg) => arg === name || arg === alias))
    .map(({ name }) => name)
    .concat(args[0] === 'complete' ? ['completion'] : []);

/**
 * The program, with the verbs of these groups; of the others it knows the names.
 *
 * @param run is called with what a verb does
 * @param writing takes help and what is wrong with the arguments
 */
export async function createProgram(names: readonly string[], run: Run, writing: Writing): Promise<Program> {
  const program: Program = new CommandWithIds('tidemark')
    .description(ABOUT)
    .addOption(new Option('-o, --output <form>', 'form of the answer').choices(FORMS).default('table' as const))
    .option('--url <url>', 'address of Tidemark, such as http://127.0.0.1:4116')
    .option('--token-file <file>', 'file that holds the token')
    .option('--context <name>', 'a context, in place of the one in use')
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', `${examples('status', 'backup start orders --wait')}\n${CODES}`)
    .configureOutput(writing)
    .exitOverride();
  for (const { name, alias, about, load } of GROUPS)
    if (names.includes(name)) (await load()).add(program, run);
    else
      program
        .command(name)
        .aliases(alias === undefined ? [] : [alias])
        .summary(about);
  return program;
}
