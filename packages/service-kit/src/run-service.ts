import { MAX_QUOTED } from '@tidemark/limits/limits';
import { startTracing } from '@tidemark/tracing/start-tracing';
import { ConfigError, readEnv } from './env.ts';
import { createLogger } from './logging.ts';
import { helpText, settingsOf, type ToConfig } from './settings.ts';

/** A service that runs. */
export interface RunningService extends AsyncDisposable {
  /** How long its disposal waits at most for what is to be finished first, in milliseconds; nothing when left out. */
  readonly drainMs?: number;
  /** How long the rest of its disposal may take, in milliseconds; `STOP_LIMIT_MS` when left out. */
  readonly stopMs?: number;
  /** Resolves with the reason when it has done all that it was started for; most services never do. */
  readonly finished?: Promise<string>;
  /** Ends the wait that `drainMs` bounds, now or as soon as it begins; answers whether it had not ended before. */
  hurry?(): boolean;
}

/** How long a stop may take before the process gives up and ends anyway, unless the service says otherwise. */
export const STOP_LIMIT_MS = 90_000;
/** A Ctrl-C can reach a process up to three times at once (terminal, npm, launcher); only a later one means "now". */
const SECOND_SIGNAL_MS = 1_000;
const PARENT_POLL_MS = 500;

const CONFIG_EXIT = 2;

/**
 * Runs a service for the whole life of this process: reads and checks the settings, starts it, waits for TERM, INT or
 * HUP (or for the process that `TIDEMARK_PARENT_PID` names to be gone, or for the service to have done what it was started for), and
 * stops it in good order.
 * A second signal, at least a second after the first, ends the wait of one that drains, and otherwise the process, at once;
 * so does the end of the parent, for what a drain needs goes with it. Exit 2 means wrong settings.
 * With `--help` or `-h` it prints what its settings are, and does nothing else; any other argument is refused.
 */
export async function runService<Config>(
  name: string,
  toConfig: ToConfig<Config>,
  start: (config: Config, signal: AbortSignal) => Promise<RunningService>,
): Promise<void> {
  const [asked, ...more] = process.argv.slice(2);
  if (asked !== undefined) {
    answerArguments(name, asked, more, toConfig);
    return;
  }
  const log = createLogger(name);
  const stop = new AbortController();
  const stopped = Promise.withResolvers<string>();
  let service: RunningService | undefined;
  let lastSignalAt: number | undefined;
  let hurried = false;

  const limit = stopLimit((ms) => {
    log.error({ seconds: ms / 1000 }, 'did not stop in time: ending anyway');
    process.exit(1);
  });
  const hurry = (): boolean => {
    hurried = true;
    const waited = service?.hurry?.() ?? false;
    if (waited && stop.signal.aborted) limit(service?.stopMs ?? STOP_LIMIT_MS);
    return waited;
  };
  const onStop = (reason: string): void => {
    lastSignalAt = performance.now();
    stop.abort(new Error(`stopping on ${reason}`));
    stopped.resolve(reason);
  };
  const onSignal = (signal: string): void => {
    if (lastSignalAt === undefined) {
      onStop(signal);
      return;
    }
    if (performance.now() - lastSignalAt <= SECOND_SIGNAL_MS) return;
    lastSignalAt = performance.now();
    if (hurry()) {
      log.warn({ signal }, 'told to stop a second time: what is not finished is given up');
      return;
    }
    log.warn({ signal }, 'told to stop again: ending at once');
    process.exit(1);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => onSignal(signal));
  process.on('uncaughtException', (error) => {
    log.error({ error }, 'a bug ended this process');
    process.exit(1);
  });
  // A reader of our output that went away must not take the service with it.
  process.stdout.on('error', () => undefined);

  const env = readEnv();
  watchParent(Number(env.TIDEMARK_PARENT_PID), () => {
    hurry();
    if (lastSignalAt === undefined) onStop('the end of its parent process');
  });
  try {
    const config = toConfig(env);
    const startedAt = performance.now();
    const tracing = await startTracing(name, env);
    service = await start(config, stop.signal);
    log.info({ ms: Math.round(performance.now() - startedAt), node: process.version }, `${name} started`);
    const reason = await Promise.race([stopped.promise, ...(service.finished ? [service.finished] : [])]);
    log.info({ reason }, `${name} stops`);
    if (hurried) service.hurry?.();
    limit((hurried ? 0 : (service.drainMs ?? 0)) + (service.stopMs ?? STOP_LIMIT_MS));
    await service[Symbol.asyncDispose]();
    await tracing[Symbol.asyncDispose]();
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

/** A process takes no arguments but those that ask for help. */
function answerArguments(name: string, asked: string, more: readonly string[], toConfig: ToConfig<unknown>): void {
  const wrong = asked !== '--help' && asked !== '-h' ? asked : more.find((one) => one !== 'json');
  if (wrong !== undefined) {
    const quoted = wrong.slice(0, MAX_QUOTED);
    process.stderr.write(
      `${name}: there is no argument "${quoted}"; its settings come from the environment, and --help lists them.\n`,
    );
    process.exitCode = CONFIG_EXIT;
    return;
  }
  const settings = settingsOf(toConfig);
  process.stdout.write(more.length > 0 ? `${JSON.stringify(settings)}\n` : helpText(name, settings));
}

/** A limit of time that can be set anew; it keeps no process alive. */
function stopLimit(onOver: (ms: number) => void): (ms: number) => void {
  let timer: NodeJS.Timeout | undefined;
  return (ms) => {
    clearTimeout(timer);
    timer = setTimeout(() => onOver(ms), ms).unref();
  };
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
