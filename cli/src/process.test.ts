/** The command line as a process of its own: signals, pipes and a real terminal. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BACKUP, backup, fleetRow, running } from './testing/records.ts';
import { type CommandLine, events, startCommandLine } from './testing/run.ts';

const MAIN = join(import.meta.dirname, 'main.ts');
/** Of util-linux: runs a command on a pseudo-terminal. */
const hasScript = spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout?.includes('util-linux') === true;

let line: CommandLine;
beforeEach(async () => {
  line = await startCommandLine();
});
afterEach(() => line[Symbol.asyncDispose]());

const environment = () => ({
  PATH: process.env.PATH,
  NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
  XDG_CONFIG_HOME: line.folder,
  INIT_CWD: line.folder,
  TIDEMARK_URL: line.url,
  TIDEMARK_TOKEN_FILE: 'token',
});
const start = (...args: string[]) => spawn(process.execPath, [MAIN, ...args], { env: environment() });
/** The same on a terminal; `rows` of output and what is typed go through it. */
const onTerminal = (columns: number, ...args: string[]) => {
  const command = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(' ');
  const env = { ...environment(), TERM: 'xterm-256color', SHELL: '/bin/sh' };
  return spawn('script', ['-qec', `stty cols ${columns}; exec ${command}`, '/dev/null'], { env });
};
const exitOf = async (child: ReturnType<typeof start>): Promise<number | null> => (await once(child, 'close'))[0];
/** Resolves with what it has printed once that is in it. */
const until = async (stream: Readable, wanted: RegExp): Promise<string> => {
  let soFar = '';
  for await (const piece of stream.iterator({ destroyOnReturn: false })) {
    soFar += piece;
    if (wanted.test(soFar)) return soFar;
  }
  throw new Error(`It ended without ${wanted}: ${soFar}`);
};

const wait = () => {
  line.answers['POST /backups'] = () => ({ backupId: BACKUP, workFlowId: BACKUP });
  line.answers[`GET /backups/${BACKUP}/events`] = (_, response) => {
    events(response)('backup', running(50));
    return undefined;
  };
};

it('ends quietly where nobody reads its output any further', async () => {
  const rows = Array.from({ length: 5_000 }, (_, index) => fleetRow(`c${index}`));
  line.answers['GET /fleet'] = () => ({
    clusters: rows,
    counts: { inTime: rows.length },
    asOf: '2026-01-06T08:01:00.000Z',
  });
  const child = start('status', '-o', 'jsonl');
  const complaints = text(child.stderr);
  const closed = exitOf(child);
  await once(child.stdout, 'data');
  child.stdout.destroy();
  expect([await closed, await complaints]).toEqual([0, '']);
});

it('ends with 130 at a real SIGINT, says how to go on, and cancels nothing', async () => {
  wait();
  const child = start('backup', 'start', 'orders', '--wait');
  const printed = text(child.stdout);
  const closed = exitOf(child);
  await until(child.stderr, /50 %/);
  const rest = text(child.stderr);
  child.kill('SIGINT');
  expect([await closed, await printed]).toEqual([130, `${BACKUP}\n`]);
  expect(await rest).toContain(`tidemark backup watch ${BACKUP}`);
  expect(line.asked.map(({ method }) => method)).toEqual(['POST', 'GET']);
});

it.skipIf(!hasScript)('shows a bar on a terminal, and lets the backup run at Ctrl-C there', async () => {
  wait();
  const child = onTerminal(60, 'backup', 'start', 'orders', '--wait');
  const closed = exitOf(child);
  const shown = await until(child.stdout, /50 %/);
  const rest = text(child.stdout);
  expect(shown).toContain('\r\u001b[KRunning  Full Backup  [##');
  child.stdin.write('\u0003');
  expect(await closed).toBe(130);
  expect(await rest).toContain(`tidemark backup watch ${BACKUP}`);
});

it.skipIf(!hasScript)(
  'has the name of the cluster typed on a terminal before it deletes, in colour unless NO_COLOR is set',
  async () => {
    line.answers[`GET /backups/${BACKUP}`] = () => ({ backup: backup() });
    line.answers[`DELETE /backups/${BACKUP}`] = () => ({ backup: backup({ deletion: { state: 'Deleted' } }) });
    const child = onTerminal(80, 'backup', 'delete', BACKUP);
    const closed = exitOf(child);
    await until(child.stdout, /Type orders to go on: /);
    const rest = text(child.stdout);
    child.stdin.write('stock\r');
    expect([await closed, await rest]).toEqual([
      1,
      expect.stringContaining('\u001b[31mThat is another name. Nothing was done.'),
    ]);
    expect(line.asked.map(({ method }) => method)).toEqual(['GET']);
  },
);
