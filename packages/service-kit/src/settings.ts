/** What a process says of its settings: `--help` for people, `--help json` for programs. */
import { ConfigError, type Env, type OnRead, type Setting } from './env.ts';

/** Reads the settings of one process, and reports each that it reads. */
export type ToConfig<Config> = (env: Env, onRead?: OnRead) => Config;

/** Every setting of a process, by name. */
export function settingsOf(toConfig: ToConfig<unknown>): readonly Setting[] {
  const read = new Map<string, Setting>();
  try {
    toConfig({}, (setting) => read.set(setting.name, setting));
  } catch (error) {
    // Without any setting, those that must be set are missing.
    if (!(error instanceof ConfigError)) throw error;
  }
  return [...OF_ALL, ...read.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** What `--help` prints. */
export function helpText(name: string, settings: readonly Setting[]): string {
  const rows = settings.map(
    ({ name: setting, kind, about, default: fallback, required }) =>
      `  ${setting}\n      ${about}\n      ${kind}${required ? '; must be set' : fallback ? `; ${fallback} unless set` : ''}\n`,
  );
  return `${name} is configured by its environment:\n\n${rows.join('').replaceAll('`', '')}`;
}

/** Read before anything else can be said. */
const OF_ALL: readonly Setting[] = [
  {
    name: 'TIDEMARK_LOG_LEVEL',
    kind: '`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`',
    about: 'The least that is logged.',
    default: 'info',
    required: false,
  },
  {
    name: 'TIDEMARK_PARENT_PID',
    kind: 'the number of a process',
    about: 'Stops when this process is gone.',
    default: undefined,
    required: false,
  },
];
