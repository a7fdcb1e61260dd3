import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from './logging.ts';
import { gauge, renderMetrics } from './metrics.ts';

/** Throws when the process cannot do its work because of the thing it is named after. */
export type ReadyCheck = (signal: AbortSignal) => void | Promise<void>;

export interface OperationsListener extends AsyncDisposable {
  readonly port: number;
  /** From now on `/readyz` says no, so that nothing new is sent here, and what this process does instead. */
  stopping(how?: 'stopping' | 'draining'): void;
}

interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, string>>;
  readonly remarks?: Readonly<Record<string, string>>;
}

const CHECK_TIMEOUT_MS = 1_500;

const dependencyUp = gauge(
  'tidemark_dependency_up',
  'Whether what this process needs is there (1) or not (0), as its /readyz says.',
  ['dependency'],
);

/**
 * Logs when a check begins to fail, with all that is known of why, and when it is well again; `/readyz` is asked
 * every few seconds and says only that it fails.
 */
function tellOfChanges(log: Logger, isNeeded: (check: string) => boolean): (check: string, error?: unknown) => void {
  const failing = new Map<string, boolean>();
  return (check, error) => {
    const before = failing.get(check);
    const now = error !== undefined;
    failing.set(check, now);
    const then = (words: string) => `${check} is missing: ${isNeeded(check) ? words : 'what needs it is refused'}`;
    if (now && before === false) log.warn({ error, check }, then('not ready any more'));
    // At the start it may just not be there yet.
    else if (now && before === undefined) log.info({ error, check }, then('not ready yet'));
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
  /** Checked and told as what is needed, but most work goes on without it. */
  readonly useful?: Readonly<Record<string, ReadyCheck>>;
  /** What is worth knowing but keeps nobody from being ready: a sentence each, or undefined. */
  readonly remarks?: Readonly<Record<string, () => string | undefined>>;
}): Promise<OperationsListener> {
  let stopping: 'stopping' | 'draining' | undefined;
  const all = { ...options.ready, ...options.useful };
  const isNeeded = (check: string) => check in options.ready;
  const tell = tellOfChanges(options.log, isNeeded);

  const readiness = async (): Promise<Readiness> => {
    const signal = AbortSignal.timeout(CHECK_TIMEOUT_MS);
    const checks = await Promise.all(
      Object.entries(all).map(async ([name, check]) => {
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
    const ready = stopping === undefined && checks.every(([name, verdict]) => verdict === 'ok' || !isNeeded(name));
    const remarks = Object.entries(options.remarks ?? {}).flatMap(([name, remark]) => {
      const text = remark();
      return text === undefined ? [] : [[name, text] as const];
    });
    return {
      ready,
      checks: { ...Object.fromEntries(checks), ...(stopping && { process: stopping }) },
      ...(remarks.length > 0 && { remarks: Object.fromEntries(remarks) }),
    };
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
          const { checks } = await readiness();
          for (const name of Object.keys(all)) dependencyUp.set({ dependency: name }, checks[name] === 'ok' ? 1 : 0);
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
    stopping(how = 'stopping') {
      stopping = how;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
