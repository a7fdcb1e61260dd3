/** The commands of `br log`; apart from what they do, which is loaded only for them. */
export const LOG_COMMANDS = ['start', 'status', 'pause', 'resume', 'stop', 'metadata', 'truncate'] as const;
export type LogCommandName = (typeof LOG_COMMANDS)[number];

export function isLogCommand(value: string | undefined): value is LogCommandName {
  return (LOG_COMMANDS as readonly (string | undefined)[]).includes(value);
}
