/**
 * `npm run chaos`.
 *
 * 1. A signal, a closed terminal, or the end of the process that started this one heals and takes everything down; only a
 *    second Ctrl-C, at least a second later, ends at once.
 * 2. Nothing is left, but for the logs of a run with violations, or of one that was given up.
 */
import { cpSync, existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimDataFolder } from '@tidemark/local-stack/data-folder';
import {
  removeFolder,
  sweepTemporaryData,
  TEMPORARY_DATA,
  temporaryDataFolder,
} from '@tidemark/local-stack/temporary-data';
import { INTERRUPTED, say, stopSignal } from '../interruptible.ts';
import { type ChaosOptions, HELP, parseChaosOptions } from './options.ts';
import { FAULT_KINDS, planOf } from './plan.ts';
import { PLANTED } from './planted/bugs.ts';
import { plantAll } from './planted/plant.ts';
import { report } from './report.ts';
import { runChaos } from './run.ts';

/** Waits that storage faults and clocks cause are counted in minutes. */
const SETTLE_MS = 15 * 60_000;
/** What is kept of a run, and where. */
const KEPT = [
  ['logs', 'logs'],
  ['ledger.jsonl', 'ledger.jsonl'],
  ['requests.jsonl', 'requests.jsonl'],
  [join('stack', 'logs'), 'logs'],
] as const;

const stop = stopSignal();
process.exitCode = await main();
process.exit();

async function main(): Promise<number> {
  try {
    const chance = Math.floor(Math.random() * 2 ** 32);
    const options = parseChaosOptions(process.argv.slice(2), process.env.INIT_CWD ?? process.cwd(), chance);
    if (options === 'help') {
      process.stdout.write(`${HELP}\nFaults: ${FAULT_KINDS.join(', ')}\n`);
      return 0;
    }
    return await (options.planted ? plantBugs(options) : run(options));
  } catch (error) {
    if (stop.aborted) {
      say('Stopped');
      return INTERRUPTED;
    }
    process.stderr.write(`\n${error instanceof Error ? error.stack : String(error)}\n`);
    return 1;
  }
}

async function plantBugs({ json }: ChaosOptions): Promise<number> {
  const found = await plantAll(PLANTED, say, stop);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(found, null, 2)}\n`);
  return found.every(({ caught }) => caught) ? 0 : 1;
}

async function run({ seed, minutes, kinds, json }: ChaosOptions): Promise<number> {
  process.stdout.write(`seed ${seed}\n`);
  await using resources = new AsyncDisposableStack();
  await sweepTemporaryData();
  const dataDir = temporaryDataFolder();
  resources.defer(() => removeFolder(dataDir));
  resources.use(await claimDataFolder(dataDir));
  process.env[TEMPORARY_DATA] = dataDir;

  const told: string[] = [];
  const detail = (line: string) => void told.push(`${new Date().toISOString()} ${line}`);
  const keepLogs = () => keep(dataDir, seed, told);
  const { result, evidence } = await runChaos({
    plan: planOf(seed, minutes * 60_000, kinds),
    minutes,
    dataDir,
    settleMs: SETTLE_MS,
    say(line) {
      detail(line);
      say(line);
    },
    detail,
    signal: stop,
  }).catch((error) => {
    if (!stop.aborted) say(`The run was given up; its logs are in ${keepLogs()}`);
    throw error;
  });
  process.stdout.write(`\n${report(result)}`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
  if (result.violations.length === 0) return 0;
  const folder = keepLogs();
  writeFileSync(join(folder, 'evidence.json'), `${JSON.stringify({ result, ...evidence }, null, 1)}\n`);
  process.stdout.write(`The logs are in ${folder}\n`);
  return 1;
}

/** Copies what tells how it came to be; a run that was given up early has not all of it. */
function keep(dataDir: string, seed: number, told: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), `tidemark-violations-${seed}-`));
  for (const [from, to] of KEPT)
    if (existsSync(join(dataDir, from))) cpSync(join(dataDir, from), join(folder, to), { recursive: true });
  writeFileSync(join(folder, 'faults.log'), `${told.join('\n')}\n`);
  return folder;
}
