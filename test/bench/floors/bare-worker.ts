/**
 * The least that running what a message asks for costs: consume, acknowledge, spawn, wait for the end. No claim, no lease,
 * no guard, no look at the storage, no record. A cancel is a signal to the child and no more.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCancelListener } from '@tidemark/messaging/cancel-listener';
import { connectBroker } from '@tidemark/messaging/connection';
import { startConsumer } from '@tidemark/messaging/consumer';
import { floorReady, floorSettings } from './floor.ts';

/** What this floor is told. */
export interface BareWorkerSettings {
  readonly amqpUrl: string;
  readonly namespace: string;
  readonly program: string;
  /** Absolute; each run gets a folder below it that is named as its message. */
  readonly storage: string;
}

const POLL_MS = 50;
const silent = () => undefined;
const log = { debug: silent, info: silent, warn: silent, error: silent };

const { amqpUrl, namespace, program, storage } = await floorSettings<BareWorkerSettings>();
const broker = await connectBroker({ url: amqpUrl, connectionName: 'bare-worker', log });
const running = new Map<string, ChildProcess>();
const consumer = startConsumer(broker, {
  namespace,
  pool: 'default',
  slots: 1,
  log,
  onUnreadable: silent,
  claim:
    async ({ id }) =>
    async () => {
      const child = spawn(program, ['backup', 'full', '--storage', `local://${storage}/${id}`], { stdio: 'ignore' });
      running.set(id, child);
      await once(child, 'exit');
      running.delete(id);
    },
});
startCancelListener(broker, { namespace, log, onCancel: ({ id }) => running.get(id)?.kill('SIGTERM') });
while (!consumer.ready) await sleep(POLL_MS);
floorReady({});
