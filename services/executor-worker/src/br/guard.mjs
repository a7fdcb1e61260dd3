// @ts-check
/**
 * The guard between a worker and its `br`: a process of its own, so that a worker which dies, hangs or loses its
 * network cannot leave a `br` behind that writes into a path which others are allowed to use by then.
 *
 * G1. The guard leads the process group; `br` and whatever it starts are in it.
 * G2. A byte on standard input says that a renewal was answered. When none came for `silenceMs`, or when the input
 *     ends because the worker is gone, the group gets TERM, and KILL `killMs` later: the guard with it.
 * G3. Which pid `br` has and how it ended is told on file descriptor 3, a JSON line each.
 * G4. The guard passes on what `br` prints, so that a `br` whose worker is gone is stopped by G2 and can leave its path in
 *     order, instead of dying of a broken pipe. It never blocks on a worker that does not read: its clock must go on.
 * G5. Where there is `setpriv`, the kernel kills `br` when the guard itself is killed.
 *
 * It is JavaScript, the only one here: Node takes longer to strip the types of even this small file than to do the rest,
 * and every `br` waits for it.
 *
 * Usage: node guard.mjs <silenceMs> <killMs> <setpriv or empty> <program> [argument …]
 */
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { Socket } from 'node:net';

const STATUS_FD = 3;
const [silence, kill, setpriv, program, ...args] = process.argv.slice(2);
const silenceMs = Number(silence);
const killMs = Number(kill);

// TERM and the like are for br; the guard goes when br has gone.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => undefined);

/** @param {object} line */
const tell = (line) => {
  try {
    writeSync(STATUS_FD, `${JSON.stringify(line)}\n`);
  } catch {
    // The worker is gone, and with it whom to tell.
  }
};
/** @param {NodeJS.Signals} signal */
const signalGroup = (signal) => {
  try {
    process.kill(-process.pid, signal);
  } catch {
    // Nobody is left in the group.
  }
};

const command = setpriv ? [setpriv, '--pdeathsig', 'KILL', '--', program ?? '', ...args] : [program ?? '', ...args];
const child = spawn(command[0] ?? '', command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });

/**
 * Not to process.stdout: writing to that blocks on Linux while nobody reads.
 *
 * @param {import('node:stream').Readable} from
 * @param {number} fd
 */
const passOn = (from, fd) => {
  const to = new Socket({ fd, readable: false, writable: true });
  to.on('error', () => from.unpipe(to).resume());
  from.pipe(to);
};
passOn(child.stdout, 1);
passOn(child.stderr, 2);

let ending = false;
/** @param {'silence' | 'worker gone'} why */
const end = (why) => {
  if (ending) return;
  ending = true;
  tell({ ending: why });
  signalGroup('SIGTERM');
  setTimeout(() => signalGroup('SIGKILL'), killMs).unref();
};
let timer = setTimeout(end, silenceMs, 'silence');
process.stdin.on('data', () => {
  clearTimeout(timer);
  timer = setTimeout(end, silenceMs, 'silence');
});
process.stdin.on('end', () => end('worker gone'));
process.stdin.on('error', () => end('worker gone'));

child.on('spawn', () => tell({ pid: child.pid }));
child.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
  tell({ error: error.code ?? error.message });
  process.exit(127);
});
child.on('exit', (code, signal) => {
  tell({ code, signal });
  // What br started may hold the pipes; it gets as long as anything here that is told to end.
  setTimeout(() => process.exit(0), killMs).unref();
});
child.on('close', () => {
  timer.unref();
  process.stdin.destroy();
});
