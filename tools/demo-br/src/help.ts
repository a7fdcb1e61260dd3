import { FLAGS, type FlagType, SHORT_FLAGS } from './flags.ts';

/** The real program's sub-commands with what it says about them; not all of them are here. */
const COMMANDS = {
  br: [
    'br is a TiDB/TiKV cluster backup restore tool.',
    '  backup      backup a TiDB/TiKV cluster',
    '  completion  Generate the autocompletion script for the specified shell',
    '  help        Help about any command',
    '  log         backup stream log from TiDB/TiKV cluster',
    '  restore     restore a TiDB/TiKV cluster',
  ],
  'br backup': [
    'backup a TiDB/TiKV cluster',
    '  db          backup a database',
    '  full        backup all database',
    '  table       backup a table',
  ],
  'br restore': [
    'restore a TiDB/TiKV cluster',
    '  db          restore tables in a database from the backup data',
    '  full        restore all tables',
    '  point       restore data from log until specify commit timestamp',
    '  table       restore a table',
  ],
} as const;

const TYPE_NAMES: Readonly<Record<FlagType, string>> = {
  bool: '',
  string: 'string',
  uint: 'uint',
  int: 'int',
  duration: 'duration',
  list: 'strings',
  array: 'stringArray',
};

const shortOf = new Map([...SHORT_FLAGS].map(([short, name]) => [name, short]));

function flagLine([name, type]: [string, FlagType]): string {
  const short = shortOf.get(name);
  return `  ${short === undefined ? '    ' : `-${short}, `}--${name} ${TYPE_NAMES[type]}`.trimEnd();
}

/** What `br` prints, with exit code 0, for an unknown sub-command or none. */
export function helpText(command: keyof typeof COMMANDS): string {
  const [about, ...commands] = COMMANDS[command];
  return [
    about,
    '',
    'Usage:',
    `  ${command} [command]`,
    '',
    'Available Commands:',
    ...commands,
    '',
    'Flags:',
    ...[...FLAGS].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(flagLine),
    '',
    `Use "${command} [command] --help" for more information about a command.`,
  ].join('\n');
}
