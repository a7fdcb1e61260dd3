import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as pause, setImmediate } from 'node:timers/promises';
import { BrError } from './br-error.ts';
import type { Log } from './log.ts';

/** Behaviours of a run that does its work but is hard on whoever reads its output. See outcome.ts. */

const KEY = '7480000000000000A5F720000000000000000'.repeat(24);
const LINES_AT_ONCE = 256;
const MEGABYTE = 2 ** 20;

/** Prints log lines of nearly a kilobyte, as fast as the reader takes them. */
export async function flood(log: Log, megabytes: number, signal: AbortSignal): Promise<void> {
  const lines = (megabytes * MEGABYTE) / KEY.length;
  for (let line = 0; line < lines; line += 1) {
    log.info('client.go:1140', 'key range is scanned', [['key', KEY]]);
    if (line % LINES_AT_ONCE > 0) continue;
    // Signals are noticed here only.
    await setImmediate();
    signal.throwIfAborted();
  }
}

/** Prints one line, as BR does with the keys of very many regions (br-contract 3.1). */
export function printLongLine(log: Log, megabytes: number): void {
  log.info('client.go:1087', 'Backup Ranges Started', [['ranges', '7'.repeat(megabytes * MEGABYTE)]]);
}

/** Closes stdout and stderr for the reader; what is written afterwards goes nowhere. */
export function closePipes(): void {
  for (const descriptor of [1, 2]) {
    closeSync(descriptor);
    // The lowest free number is the one just closed, so no file of the backup gets it.
    openSync('/dev/null', 'w');
  }
}

/** Leaves a process behind that ignores TERM, INT and HUP and holds stdout and stderr open. */
export function leaveChild(seconds: number): void {
  const script = `trap '' TERM INT HUP; exec sleep ${seconds}`;
  spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'inherit', 'inherit'] }).unref();
}

/** Errors that BR survives: PD away in the middle of a run. */
export function makeNoise(log: Log): void {
  const refused =
    'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing: refused"';
  for (let round = 0; round < 20; round += 1) {
    log.error('tso_dispatcher.go:498', '[tso] getTS error after processing requests', new BrError(refused));
    process.stderr.write(
      `${JSON.stringify({ level: 'warn', caller: 'clientv3@v3.5.12/retry_interceptor.go:63', msg: 'retrying of unary invoker failed', error: refused })}\n`,
    );
  }
}

/** Log lines without progress, until the signal. */
export async function chatter(log: Log, signal: AbortSignal): Promise<never> {
  for (let round = 2; ; round += 1) {
    log.info('client.go:184', 'This round of backup starts...', [['round', round]]);
    await pause(100, undefined, { signal });
  }
}

/** Rounds without a TiKV that PD has not heard of for too long. The lines do not say which it is, but for those of TiKV's client. */
export async function missStore(log: Log, seconds: number, signal: AbortSignal): Promise<void> {
  const endsAt = performance.now() + seconds * 1_000;
  for (let round = 2; performance.now() < endsAt; round += 1) {
    log.info('client.go:184', 'This round of backup starts...', [['round', round]]);
    log.warn('client.go:212', 'store not alive, skip backup it in this round', [
      ['round', round],
      ['error', 'the store last heartbeat is too far, at 1m12.4s: [BR:KV:ErrKVStorage]tikv storage occur I/O error'],
    ]);
    log.info('region_request.go:970', 'throwing pseudo region error due to no replica available', [
      ['region', '{ region id: 84, ver: 12, confVer: 5 }'],
      [
        'replica-status',
        'peer: 85, store: 1, isEpochStale: false, attempts: 0, store-state: resolved, store-liveness-state: reachable; peer: 86, store: 4, isEpochStale: false, attempts: 1, store-state: resolved, store-liveness-state: unreachable',
      ],
    ]);
    await pause(100, undefined, { signal });
  }
  for (const round of [1_000, 1_001]) log.info('client.go:184', 'This round of backup starts...', [['round', round]]);
}
