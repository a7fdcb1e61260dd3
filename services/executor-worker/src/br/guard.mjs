// @ts-check
/**
 * The guard between a worker and its `br`: a process of its own, so that a worker which dies, hangs or loses its
 * network cannot leave a `br` behind that writes into a path which others are allowed to use by then.
 *
 * G1. The guard leads the process group; `br` and whatever it starts are in it.
 * G2. It waits for the first line of its standard input, which says what to start, and until when it may (T9): a guard
 *     that was frozen starts nothing later. One whose worker goes before has nothing to end, and goes too.
 * G3. Each byte after that line says that a renewal was answered. When none came for `guardMs`, or when the input ends
 *     because the worker is gone, the group gets TERM, and KILL `killMs` later: the guard with it.
 * G4. Which pid `br` has and how it ended is written to file descriptor 3, a JSON line each.
 * G5. The guard passes on what `br` prints, so that a `br` whose worker is gone is stopped by G3 and can leave its path in
 *     order, instead of dying of a broken pipe. It never blocks on a worker that does not read: its clock must go on.
 * G6. Where there is `setpriv`, the kernel kills `br` when the guard itself is killed.
 *
 * It is JavaScript, the only one here: Node takes longer to strip the types of even this small file than to do the rest.
 *
 * Usage: node guard.mjs <state folder of the worker, for whoever looks at the list of processes>
 */
import { spawn } from 'node:child_process';
import { writeSync } from 'node:fs';
import { Socket } from 'node:net';

/**
 * @typedef {object} Command what to start
 * @property {string[]} argv the program and its arguments
 * @property {Record<string, string>} env the whole environment of `br`
 * @property {string} cwd
 * @property {string} setpriv where it is; empty where there is none
 * @property {number} startBy by `process.hrtime`, in milliseconds
 * @property {number} guardMs
 * @property {number} killMs
 */

const STATUS_FD = 3;

// TERM and the like are for br; the guard goes when br has gone.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT']) process.on(signal, () => undefined);

/** @param {object} line */
const report = (line) => {
  try {
    writeSync(STATUS_FD, `${JSON.stringify(line)}\n`);
  } catch {
    // The worker is gone, and nobody reads this.
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

/** @param {Command} command */
const guard = ({ argv, env, cwd, setpriv, startBy, guardMs, killMs }) => {
  if (Number(process.hrtime.bigint()) / 1e6 > startBy) {
    report({ ending: 'too late' });
    process.exit(0);
  }
  const [program = '', ...args] = setpriv ? [setpriv, '--pdeathsig', 'KILL', '--', ...argv] : argv;
  const br = spawn(program, args, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  passOn(br.stdout, 1);
  passOn(br.stderr, 2);

  let ending = false;
  /** @param {'silence' | 'worker gone'} why */
  const end = (why) => {
    if (ending) return;
    ending = true;
    report({ ending: why });
    signalGroup('SIGTERM');
    setTimeout(() => signalGroup('SIGKILL'), killMs).unref();
  };
  let timer = setTimeout(end, guardMs, 'silence');
  process.stdin.on('data', () => {
    clearTimeout(timer);
    timer = setTimeout(end, guardMs, 'silence');
  });
  process.stdin.on('end', () => end('worker gone'));
  process.stdin.on('error', () => end('worker gone'));

  br.on('spawn', () => report({ pid: br.pid }));
  br.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
    report({ error: error.code ?? error.message });
    process.exit(127);
  });
  br.on('exit', (code, signal) => {
    report({ code, signal });
    // What br started may hold the pipes; it gets as long as anything else here that is to end.
    setTimeout(() => process.exit(0), killMs).unref();
  });
  br.on('close', () => {
    timer.unref();
    process.stdin.destroy();
  });
};

let text = '';
/** @param {string} chunk */
const wait = (chunk) => {
  text += chunk;
  const end = text.indexOf('\n');
  if (end < 0) return;
  process.stdin.off('data', wait);
  guard(JSON.parse(text.slice(0, end)));
};
process.stdin.setEncoding('utf8').on('data', wait);
