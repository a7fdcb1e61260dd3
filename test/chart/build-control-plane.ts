/** Builds the control plane into which the test of the Helm chart installs it, once per checkout. */
import { buildControlPlane } from './control-plane-programs.ts';

const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());
try {
  await buildControlPlane({ say: console.error, signal: ended.signal });
} catch (error) {
  console.error(`The control plane could not be built: ${(error as Error).message}`);
  process.exitCode = 1;
}
