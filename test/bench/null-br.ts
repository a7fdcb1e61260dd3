/**
 * A `br` that does nothing: a shell script that leaves a valid, empty backup, and says through a named pipe when it began,
 * was told to stop, and ended. What is measured with it is Tidemark, and never a backup.
 */
import { execFileSync } from 'node:child_process';
import { constants, openSync, writeFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { removeFolder, temporaryDataFolder } from '@tidemark/local-stack/temporary-data';
import { BackupMeta } from '@tidemark/protocol/br/backup';

export type Moment = 'began' | 'told' | 'ended';

export interface NullBr extends Disposable {
  /** An executable that a worker takes for a `br`. */
  readonly program: string;
  /** The same, but it goes on printing progress until it gets TERM. */
  readonly endless: string;
  /** When a run in a path that holds `part` came to the moment, on `performance.now()`'s clock; also if it did before. */
  at(moment: Moment, part: string): Promise<number>;
}

const TSO = '450000000000000001';
const LIMIT_MS = 60_000;
const HEAD = '[2026/01/01 00:00:00.000 +00:00] [INFO] [bench.go:1]';

/** Makes one, in a folder of its own. */
export function makeNullBr(): NullBr {
  const folder = temporaryDataFolder();
  const [pipe, meta] = [join(folder, 'moments'), join(folder, 'backupmeta')];
  execFileSync('mkfifo', ['-m', '600', pipe]);
  writeFileSync(
    meta,
    BackupMeta.encode(
      BackupMeta.fromPartial({
        clusterId: 7_300_000_000_000_000_001n,
        clusterVersion: '8.5.0',
        endVersion: BigInt(TSO),
      }),
    ).finish(),
  );
  const script = (name: string, work: string, before?: string) => {
    const file = join(folder, name);
    writeFileSync(file, scriptText(pipe, work, before), { mode: 0o700 });
    return file;
  };

  const passed = new Map<string, number>();
  const waiting = new Map<string, (at: number) => void>();
  // Also for writing, so that it never ends while nobody else has it open.
  const socket = new Socket({ fd: openSync(pipe, constants.O_RDWR | constants.O_NONBLOCK), writable: false });
  createInterface({ input: socket }).on('line', (line) => {
    const now = performance.now();
    const [moment, path = ''] = line.split(' ');
    // A path is asked for by one of its folders.
    for (const part of path.split('/')) {
      const key = `${moment} ${part}`;
      const found = waiting.get(key);
      waiting.delete(key);
      if (found) found(now);
      else if (part !== '') passed.set(key, now);
    }
  });
  return {
    program: script('br', `mkdir -p "$path"; cat ${meta} >"$path/backupmeta"; ${SUCCESS}`),
    endless: script('endless-br', ENDLESS, ON_TERM),
    at(moment, part) {
      const key = `${moment} ${part}`;
      const already = passed.get(key);
      if (already !== undefined) return Promise.resolve(already);
      const { promise, resolve, reject } = Promise.withResolvers<number>();
      const timer = setTimeout(() => reject(new Error(`No br of ${part} ${moment} in time.`)), LIMIT_MS);
      waiting.set(key, resolve);
      return promise.finally(() => clearTimeout(timer));
    },
    [Symbol.dispose]() {
      socket.destroy();
      removeFolder(folder);
    },
  };
}

const SUCCESS = `echo '${HEAD} ["Full Backup success summary"] [BackupTS=${TSO}]'`;
const PROGRESS = `echo '${HEAD} [progress] [step="Full Backup"] [progress=12.00%] [count="1 / 9"] [speed="? p/s"] [elapsed=1s] [remaining=9s]'`;
const ENDLESS = `while :; do ${PROGRESS}; sleep 0.2 & wait $!; done`;
/** Before it says that it began, or a TERM that comes at once would end it without a word. */
const ON_TERM = `trap 'say told; kill $! 2>/dev/null; say ended; exit 1' TERM`;

function scriptText(pipe: string, work: string, before = ''): string {
  return `#!/bin/sh
case $1 in -V) echo 'Release Version: v8.5.0'; exit;; esac
for word; do case $word in local://*) path=\${word#local://};; esac; done
say() { echo "$1 $path" >${pipe}; }
${before}
say began
${work}
say ended
`;
}
