import { ConfigError, type Env, readEnv } from './env.ts';
import { createLogger } from './logging.ts';

/** How long a stop may take before the process gives up and ends anyway. */
const STOP_LIMIT_MS = 90_000;
/** A Ctrl-C can reach a process up to three times at once (terminal, npm, launcher); only a later one means "now". */
const SECOND_SIGNAL_MS = 1_000;
const PARENT_POLL_MS = 500;

const CONFIG_EXIT = 2;

/**
 * Runs a service for the whole life of this process: reads and checks the settings, starts it, waits for TERM, INT or
 * HUP (or for the process that `TIDEMARK_PARENT_PID` names to be gone), and stops it in good order.
 * A second signal, at least a second after the first, ends the process at once. Exit 2 means wrong settings.
 */
export async function runService<Config>(
  name: string,
  toConfig: (env: Env) => Config,
  start: (config: Config, signal: AbortSignal) => Promise<AsyncDisposable>,
): Promise<void> {
  const log = createLogger(name);
  const stop = new AbortController();
  const stopped = Promise.withResolvers<string>();
  let firstSignalAt: number | undefined;

  const onSignal = (signal: string) => {
    if (firstSignalAt === undefined) {
      firstSignalAt = performance.now();
      stop.abort(new Error(`stopping on ${signal}`));
      stopped.resolve(signal);
    } else if (performance.now() - firstSignalAt > SECOND_SIGNAL_MS) {
      log.warn({ signal }, 'told to stop a second time: ending at once');
      process.exit(1);
    }
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => onSignal(signal));
  process.on('uncaughtException', (error) => {
    log.error({ error }, 'a bug ended this process');
    process.exit(1);
  });
  // A reader of our output that went away must not take the service with it.
  process.stdout.on('error', () => undefined);

  const env = readEnv();
  watchParent(Number(env.TIDEMARK_PARENT_PID), () => onSignal('the end of its parent process'));
  try {
    const config = toConfig(env);
    const startedAt = performance.now();
    const service = await start(config, stop.signal);
    log.info({ ms: Math.round(performance.now() - startedAt), node: process.version }, `${name} started`);
    const reason = await stopped.promise;
    log.info({ reason }, `${name} stops`);
    setTimeout(() => {
      log.error({ seconds: STOP_LIMIT_MS / 1000 }, 'did not stop in time: ending anyway');
      process.exit(1);
    }, STOP_LIMIT_MS).unref();
    await service[Symbol.asyncDispose]();
    log.info({}, `${name} stopped`);
    process.exit(0);
  } catch (error) {
    if (error instanceof ConfigError) {
      process.stderr.write(`${name}: ${error.message}\n`);
      process.exit(CONFIG_EXIT);
    }
    if (stop.signal.aborted) process.exit(0);
    log.error({ error }, `${name} could not start: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  }
}

function watchParent(pid: number, onGone: () => void): void {
  if (!Number.isSafeInteger(pid) || pid <= 1) return;
  const timer = setInterval(() => {
    try {
      process.kill(pid, 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') return;
      clearInterval(timer);
      onGone();
    }
  }, PARENT_POLL_MS);
  timer.unref();
}
