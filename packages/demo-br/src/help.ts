import { FLAGS } from './flags.ts';

/** What `br` prints, with exit code 0, for an unknown sub-command or none. */
export function helpText(command: 'br' | 'br backup'): string {
  const about =
    command === 'br'
      ? ['br is a TiDB/TiKV cluster backup restore tool.', '  backup      backup a TiDB/TiKV cluster']
      : ['backup a TiDB/TiKV cluster', '  full        backup all database'];
  const flags = [...FLAGS].map(([name, type]) => `      --${name}${type === 'bool' ? '' : ` ${type}`}`).toSorted();
  return [
    about[0],
    '',
    'Usage:',
    `  ${command} [command]`,
    '',
    'Available Commands:',
    about[1],
    '',
    'Flags:',
    ...flags,
    '',
    `Use "${command} [command] --help" for more information about a command.`,
  ].join('\n');
}
