/** A process that does nothing, with or without what every process loads of traces while they are off. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
// What every process has in any case; with the first package in CommonJS comes what loads such ones.
import '@grpc/grpc-js';
import '@tidemark/limits/limits';
import { floorReady, floorSettings } from './floor.ts';

/** What this floor is told. */
export interface TracesProcessSettings {
  readonly traces: boolean;
}

const { traces } = await floorSettings<TracesProcessSettings>();
if (traces) {
  const { startTracing } = await import('@tidemark/tracing/start-tracing');
  const { traced } = await import('@tidemark/tracing/trace');
  await startTracing('bench', {});
  await traced('nothing', {}, async () => undefined);
}
// What loading has left lies about in the one and not in the other.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
collect();
collect();
floorReady({});
