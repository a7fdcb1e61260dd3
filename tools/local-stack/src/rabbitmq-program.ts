import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { findOnPath, isExecutable } from './find-program.ts';

/** Where Debian and Ubuntu keep the server itself. */
const DEBIAN = '/usr/lib/rabbitmq/bin/rabbitmq-server';

/**
 * The RabbitMQ server installed on this machine, or `undefined`. Never Debian's wrapper in `/usr/sbin`,
 * which changes the user and as root ends with exit code 0 without starting anything (stack-findings 11).
 */
export function findRabbitmqServer(debian = DEBIAN): string | undefined {
  if (isExecutable(debian)) return debian;
  const found = findOnPath('rabbitmq-server');
  return found === undefined || isDebianWrapper(found) ? undefined : found;
}

/** The `epmd` that belongs to the `erl` on PATH. */
export function findEpmd(): string | undefined {
  const erl = findOnPath('erl');
  const sibling = erl === undefined ? undefined : join(dirname(realpathSync(erl)), 'epmd');
  return sibling !== undefined && isExecutable(sibling) ? sibling : findOnPath('epmd');
}

function isDebianWrapper(path: string): boolean {
  return /su rabbitmq|Only root or rabbitmq/.test(readFileSync(path, 'utf8'));
}
