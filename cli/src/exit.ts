/** What the exit code of a command says. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  denied: 4,
  timedOut: 5,
  /** By the convention of sysexits.h, of a fault of the program itself. */
  broken: 70,
  /** By convention, of what Ctrl-C ended. */
  interrupted: 130,
} as const;

/** A command did not do what it was asked for; the message is for people. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT.failed, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
  }
}

/** The arguments cannot be used; says what would be right. */
export class UsageError extends CommandError {
  constructor(message: string) {
    super(message, EXIT.usage);
  }
}
