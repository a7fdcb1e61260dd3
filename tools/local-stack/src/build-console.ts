import { join } from 'node:path';
import { runStep } from './find-program.ts';
import { REPOSITORY } from './repository.ts';

const BUILD_LIMIT_MS = 180_000;

/**
 * Builds the console that the gateway serves; returns at once where that was done of the same sources.
 *
 * @throws a sentence with the end of what the build said
 */
export async function buildConsole(signal: AbortSignal): Promise<void> {
  const script = join(REPOSITORY, 'gateway', 'console', 'build.mjs');
  await runStep(process.execPath, [script], 'The console could not be built', { signal, limitMs: BUILD_LIMIT_MS });
}
