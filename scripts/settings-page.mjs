/** What each process says of its settings (`main.ts --help json`), and docs/settings.md, which is written from that. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PROCESSES = [
  ['gateway', 'gateway'],
  ['strategy-service', 'services/strategy-service'],
  ['backup-service', 'services/backup-service'],
  ['scheduler-service', 'services/scheduler-service'],
  ['executor-worker', 'services/executor-worker'],
];

const HEAD = `# Settings

Every process reads its settings from its environment, and from nowhere else. This page is made from the readers
(\`npm run generate\`), and \`node services/backup-service/src/main.ts --help\` prints the same of one process. A variable
that is empty counts as not set. With wrong settings a process names all of them and ends with exit code 2.

- A time in seconds may have a fraction.
- What must not be seen (a token, a URL with a password) can be given as a file: \`NAME_FILE\` in place of \`NAME\`.
- \`npm start\` sets what it needs by itself; its own options: \`npm start -- --help\`.
- The command line has its own: \`npm run tidemark -- --help\`. Credentials of storages: [storages.md](storages.md). What the
  bounds mean: [limits.md](limits.md).

`;

/**
 * The settings of all processes by name, each with what it is, and its default by process.
 *
 * @param run runs a program to its end, as `run` of workspace.mjs does
 */
export function readSettings(root, run) {
  const known = new Map();
  for (const [name, folder] of PROCESSES) {
    const { ok, output } = run(process.execPath, [join(root, folder, 'src', 'main.ts'), '--help', 'json']);
    if (!ok) return { ok, output };
    for (const setting of JSON.parse(output)) {
      const before = known.get(setting.name);
      const defaults = before?.defaults ?? new Map();
      defaults.set(name, setting.default);
      known.set(setting.name, { ...setting, defaults });
    }
  }
  return { ok: true, output: '', settings: known };
}

/** @param settings as `readSettings` has them */
export function writeSettingsPage(file, settings) {
  const rows = [...settings.values()].sort((one, other) => (one.name < other.name ? -1 : 1)).map(rowOf);
  const table = [
    '| setting | what it is | how it is written | unless set | read by |',
    '| --- | --- | --- | --- | --- |',
    ...rows,
  ];
  writeFileSync(file, `${HEAD}${table.join('\n')}\n`);
}

function rowOf({ name, about, kind, required, defaults }) {
  const values = new Set(defaults.values());
  const quoted = (value) => (value === undefined ? '' : `\`${value}\``);
  const unlessSet = required
    ? '**must be set**'
    : values.size === 1
      ? quoted([...values][0])
      : [...defaults].map(([reader, value]) => `${reader} ${quoted(value)}`).join(', ');
  const readers = defaults.size === PROCESSES.length ? 'all' : [...defaults.keys()].join(', ');
  return `| \`${name}\` | ${about} | ${kind} | ${unlessSet} | ${readers} |`;
}
