import type { Dialect } from './dialect.ts';

/** The line that every failure ends with, on the stream of the version (br-contract 3.1). */
export function printError({ message }: Error, { errorStream }: Dialect): void {
  process[errorStream].write(`Error: ${message}\n`);
}
