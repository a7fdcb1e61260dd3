// @ts-check
/**
 * The guard between a worker and its `br`: a process of its own, so that a worker which dies, hangs or loses its
 * network cannot leave a `br` behind that writes into a path which others are allowed to use by then.
 *
 * G1. The guard leads the process group; `br` and whatever it starts are in it.
 * G2. It waits for the first line of its standard input, which says what to start, and until when it may (T9): a guard
 *     that was frozen starts nothing later. One whose worker goes before has nothing to end, and goes too.
 * G3. Each byte after that line says that a renewal was answered. When none came for `guardMs`, or when the input ends
 *     because the worker is gone, the group gets TERM, and KILL `killMs` later: the guard with it. Time in which the
 *     machine slept or was paused counts.
 * G4. Which pid `br` has and how it ended is written to file descriptor 3, a JSON line each.
 * G5. The guard passes on what `br` prints, so that a `br` whose worker is gone is stopped by G3 and can leave its path in
 *     order, instead of dying of a broken pipe. It never blocks on a worker that does not read: its clock must go on.
 * G6. Where there is `setpriv`, the kernel kills `br` when the guard itself is killed.
 * G7. A `br` whose end must be known also when its worker is gone prints into files of a folder instead, and so ends as it
 *     would have ended. The guard is not killed with it then: it waits for it, and writes into `exit.json` of that folder how
 *     it ended, whole or not at all, before it goes itself.
 *
 * It is JavaScript, with the clock beside it the only one here: Node takes longer to strip the types of even this small file than to do the rest.
 *
 * Usage: node guard.mjs <state folder of the worker, for whoever looks at the list of processes>
 */
import { spawn } from 'node:child_process';
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { bootNow } from './boot-clock.mjs';

/**
 * @typedef {object} Command what to start
 * @property {string[]} argv the program and its arguments
 * @property {Record<string, string>} env the whole environment of `br`
 * @property {string} cwd
 * @property {string} setpriv where it is; empty where there is none
 * @property {number} startBy by the clock of `bootNow`
 * @property {string} keepIn the folder of G7; empty where the output is passed on
 * @property {number} guardMs
 * @property {number} killMs
 */

const STATUS_FD = 3;
/** So often the clock is looked at that goes on while timers stand still. */
const LOOK_MS = 1_000;

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

/**
 * Writes down how it ended (G7).
 *
 * @param {string} folder
 * @param {object} end
 */
const writeEnd = (folder, end) => {
  const file = join(folder, 'exit.json');
  try {
    const temporary = openSync(`${file}.tmp`, 'w', 0o600);
    writeSync(temporary, JSON.stringify({ ...end, endedAt: new Date().toISOString() }));
    fsyncSync(temporary);
    closeSync(temporary);
    renameSync(`${file}.tmp`, file);
    const there = openSync(folder, 'r');
    fsyncSync(there);
    closeSync(there);
  } catch {
    // A full disk: its worker, if there still is one, hears of it all the same.
  }
};

/** @param {Command} command */
const guard = ({ argv, env, cwd, setpriv, startBy, keepIn, guardMs, killMs }) => {
  if (bootNow() > startBy) {
    if (keepIn) writeEnd(keepIn, { notStarted: 'too late' });
    report({ ending: 'too late' });
    process.exit(0);
  }
  const [program = '', ...args] = setpriv ? [setpriv, '--pdeathsig', 'KILL', '--', ...argv] : argv;
  // Appended to, so that what was read of a long one can be cut away.
  const files = keepIn
    ? [openSync(join(keepIn, 'stdout'), 'a', 0o600), openSync(join(keepIn, 'stderr'), 'a', 0o600)]
    : [];
  const [out = 'pipe', err = 'pipe'] = files;
  const br = spawn(program, args, { env, cwd, stdio: ['ignore', out, err] });
  for (const file of files) closeSync(file);
  if (br.stdout) passOn(br.stdout, 1);
  if (br.stderr) passOn(br.stderr, 2);

  /** @type {string | undefined} */
  let ending;
  /** @param {'silence' | 'worker gone'} why */
  const end = (why) => {
    if (ending) return;
    ending = why;
    report({ ending });
    signalGroup('SIGTERM');
    setTimeout(() => (keepIn ? br.kill('SIGKILL') : signalGroup('SIGKILL')), killMs).unref();
  };
  let heardAt = bootNow();
  const isLate = () => bootNow() - heardAt > guardMs;
  let timer = setTimeout(end, guardMs, 'silence');
  const look = setInterval(() => isLate() && end('silence'), LOOK_MS).unref();
  process.stdin.on('data', () => {
    // What was sent before the machine slept says nothing of now.
    if (isLate()) return end('silence');
    heardAt = bootNow();
    clearTimeout(timer);
    timer = setTimeout(end, guardMs, 'silence');
  });
  process.stdin.on('end', () => end('worker gone'));
  process.stdin.on('error', () => end('worker gone'));

  br.on('spawn', () => report({ pid: br.pid }));
  br.on('error', (/** @type {NodeJS.ErrnoException} */ error) => {
    if (br.pid !== undefined) return; // a signal that came too late
    const why = error.code ?? error.message;
    if (keepIn) writeEnd(keepIn, { notStarted: why });
    report({ error: why });
    process.exit(127);
  });
  br.on('exit', (code, signal) => {
    if (keepIn) writeEnd(keepIn, { exit: code, signal, ending });
    report({ code, signal });
    // What br started may hold the pipes; it gets as long as anything else here that is to end.
    setTimeout(() => process.exit(0), killMs).unref();
  });
  br.on('close', () => {
    clearInterval(look);
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
