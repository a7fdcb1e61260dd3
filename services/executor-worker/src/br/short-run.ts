/**
 * A `br` that is over within seconds: what it prints is kept whole, and it is killed when it takes longer.
 *
 * S1. It ends only when nobody is left in its process group: a program of the settings may be a script that starts the `br`.
 * S2. It lasts no longer than it may, and keeps no more than it may, whatever is started and printed.
 */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { MAX_SHORT_RUN_BYTES } from '@tidemark/limits/limits';
import { signalGroup, untilGroupGone } from '@tidemark/processes/group';

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

const POLL_MS = 20;

/** Runs it to its end; what goes wrong is told as `trouble`. */
export async function runShortly({ program, args, env, cwd, forMs }: ShortRunOptions): Promise<ShortRun> {
  // A group of its own.
  const child = spawn(program, args, { env: { ...env }, cwd, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const { pid: group = 0, stdout, stderr } = child;
  let trouble: string | undefined;
  const kill = (why: string) => {
    trouble ??= why;
    signalGroup(group, 'SIGKILL');
    // Nor does it wait for a process that left the group and holds them open.
    for (const pipe of [stdout, stderr]) pipe.destroy();
  };
  let bytes = 0;
  const textOf = (pipe: Readable) => {
    const chunks: Buffer[] = [];
    pipe.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_SHORT_RUN_BYTES) kill('br printed more than it can have to say.');
      else chunks.push(chunk);
    });
    return () => Buffer.concat(chunks).toString();
  };
  const texts = [textOf(stdout), textOf(stderr)] as const;
  const timer = setTimeout(() => kill(`br did not end within ${forMs / 1_000} s.`), forMs);
  const { promise: ended, resolve } = Promise.withResolvers<number | undefined>();
  child.once('error', ({ code }: NodeJS.ErrnoException) => {
    trouble ??= `br could not be started: ${code ?? 'unknown'}.`;
    resolve(undefined);
  });
  child.once('close', (code, signal) => {
    if (signal) trouble ??= `br was killed by ${signal}.`;
    resolve(code ?? undefined);
  });
  const code = await ended;
  clearTimeout(timer);
  await untilGroupGone(group, { killAfterMs: 0, pollMs: POLL_MS });
  const printed = { stdout: texts[0](), stderr: texts[1]() };
  return trouble === undefined ? { code, ...printed } : { code: undefined, ...printed, trouble };
}
