import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from './logging.ts';
import { renderMetrics } from './metrics.ts';

/** Throws when the process cannot do its work because of the thing it is named after. */
export type ReadyCheck = (signal: AbortSignal) => void | Promise<void>;

export interface OperationsListener extends AsyncDisposable {
  readonly port: number;
  /** From now on `/readyz` says no, so that nothing new is sent here. */
  stopping(): void;
}

const CHECK_TIMEOUT_MS = 1_500;

/**
 * Tells the log when a check begins to fail, with all that is known of why, and when it is well again; `/readyz` is asked
 * every few seconds and tells only that it fails.
 */
function tellOfChanges(log: Logger): (check: string, error?: unknown) => void {
  const failing = new Map<string, boolean>();
  return (check, error) => {
    const before = failing.get(check);
    const now = error !== undefined;
    failing.set(check, now);
    if (now && before === false) log.warn({ error, check }, `${check} is missing: not ready any more`);
    // At the start it may just not be there yet.
    else if (now && before === undefined) log.info({ error, check }, `${check} is missing: not ready yet`);
    else if (!now && before) log.info({ check }, `${check} is there`);
  };
}

/**
 * Serves `/livez` (the process runs), `/readyz` (it can do its work; names what is missing) and `/metrics`
 * (Prometheus' text format), without a token: bind it to an address that only operators reach.
 */
export async function startOperationsListener(options: {
  readonly host: string;
  readonly port: number;
  readonly log: Logger;
  readonly ready: Readonly<Record<string, ReadyCheck>>;
}): Promise<OperationsListener> {
  let stopping = false;
  const tell = tellOfChanges(options.log);

  const readiness = async (): Promise<{ ready: boolean; checks: Record<string, string> }> => {
    const signal = AbortSignal.timeout(CHECK_TIMEOUT_MS);
    const checks = await Promise.all(
      Object.entries(options.ready).map(async ([name, check]) => {
        try {
          await check(signal);
          tell(name);
          return [name, 'ok'] as const;
        } catch (error) {
          tell(name, error);
          return [name, error instanceof Error ? error.message : String(error)] as const;
        }
      }),
    );
    const ready = !stopping && checks.every(([, verdict]) => verdict === 'ok');
    return { ready, checks: { ...Object.fromEntries(checks), ...(stopping && { process: 'stopping' }) } };
  };

  const server = createServer(async (request, response) => {
    const send = (status: number, contentType: string, body: string) =>
      response.writeHead(status, { 'content-type': contentType, 'cache-control': 'no-store' }).end(body);
    try {
      switch (request.url?.split('?')[0]) {
        case '/livez':
          return send(200, 'application/json', '{"live":true}');
        case '/readyz': {
          const answer = await readiness();
          return send(answer.ready ? 200 : 503, 'application/json', JSON.stringify(answer));
        }
        case '/metrics': {
          const { contentType, body } = await renderMetrics();
          return send(200, contentType, body);
        }
        default:
          return send(404, 'application/json', '{"error":"This listener serves /livez, /readyz and /metrics."}');
      }
    } catch (error) {
      options.log.error({ error, path: request.url }, 'the operations listener could not answer');
      return send(500, 'application/json', '{"error":"see the log"}');
    }
  });

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    stopping() {
      stopping = true;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
