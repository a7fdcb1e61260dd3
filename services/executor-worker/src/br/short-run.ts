/** A `br` that is over within seconds: what it prints is kept whole, and it is killed when it takes longer. */
import { execFile } from 'node:child_process';
import { MAX_SHORT_RUN_BYTES } from '@tidemark/limits/limits';

/** A `br` that ended, or did not. */
export interface ShortRun {
  /** Undefined where it was killed, or never ran. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** Why it was ended before its time, or did not start. */
  readonly trouble?: string;
}

export interface ShortRunOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** The whole environment: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly forMs: number;
}

/** Never rejects: what went wrong is told as `trouble`. */
export function runShortly({ program, args, env, cwd, forMs }: ShortRunOptions): Promise<ShortRun> {
  const { promise, resolve } = Promise.withResolvers<ShortRun>();
  const limits = { timeout: forMs, killSignal: 'SIGKILL', maxBuffer: MAX_SHORT_RUN_BYTES } as const;
  const child = execFile(
    program,
    args,
    { env: { ...env }, cwd, encoding: 'utf8', ...limits },
    (error, stdout, stderr) => {
      const printed = { stdout, stderr };
      if (!error) resolve({ code: 0, ...printed });
      else if (child.exitCode !== null && child.exitCode >= 0 && !error.killed)
        resolve({ code: child.exitCode, ...printed });
      else resolve({ code: undefined, ...printed, trouble: troubleWith(error, forMs) });
    },
  );
  child.stdin?.end();
  return promise;
}

function troubleWith(error: Error & { code?: unknown; killed?: boolean; signal?: unknown }, forMs: number): string {
  if (error.code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return 'br printed more than it can have to say.';
  if (error.killed) return `br did not end within ${forMs / 1_000} s.`;
  if (error.signal) return `br was killed by ${String(error.signal)}.`;
  return `br could not be started: ${String(error.code ?? 'unknown')}.`;
}
