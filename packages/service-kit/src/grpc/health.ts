/**
 * The standard health service, of `grpc-health-check`. Of each service that is served here it says whether calls are taken;
 * of the process as a whole ("") also whether it has what it needs to answer them. `/readyz` says what is missing.
 */
import type { Server } from '@grpc/grpc-js';
import { HealthImplementation, type ServingStatus } from 'grpc-health-check';
import type { Logger } from '../logging.ts';
import { startLoop } from '../loop.ts';

const LOOK_EVERY_MS = 1_000;

/**
 * Adds the health of some services to a server, until it is disposed.
 *
 * @param ready whether the process has what it needs; looked at once a second
 */
export function addHealth(
  server: Server,
  {
    services,
    ready,
    leaving,
    log,
  }: {
    readonly services: readonly string[];
    readonly ready: () => Promise<boolean>;
    /** Aborts when nothing new shall be sent here. */
    readonly leaving: AbortSignal;
    readonly log: Logger;
  },
): AsyncDisposable {
  const health = new HealthImplementation(Object.fromEntries(services.map((name) => [name, 'SERVING'])));
  health.addToServer(server);
  let last: ServingStatus | undefined;
  const setProcess = (status: ServingStatus) => {
    if (status !== last) health.setStatus('', status);
    last = status;
  };
  setProcess('NOT_SERVING');
  leaving.addEventListener(
    'abort',
    () => {
      for (const name of services) health.setStatus(name, 'NOT_SERVING');
      setProcess('NOT_SERVING');
    },
    { once: true },
  );
  return startLoop({
    name: 'health',
    everyMs: LOOK_EVERY_MS,
    log,
    async run() {
      const able = await ready();
      setProcess(able && !leaving.aborted ? 'SERVING' : 'NOT_SERVING');
      return false;
    },
  });
}
