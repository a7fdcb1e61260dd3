/**
 * `npm run bench`.
 *
 * 1. A signal, a closed terminal, or the end of the process that started this one stops what is measured at its next
 *    step and takes everything down; only a second Ctrl-C, at least a second later, ends at once.
 * 2. A benchmark that fails ends none of the others, is named at the end, and makes the exit code 1.
 * 3. Nothing is left: databases are dropped, processes ended, and data folders removed.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { claimDataFolder } from '@tidemark/local-stack/data-folder';
import { findServers, urlFrom } from '@tidemark/local-stack/servers';
import {
  removeFolder,
  sweepTemporaryData,
  TEMPORARY_DATA,
  temporaryDataFolder,
} from '@tidemark/local-stack/temporary-data';
import { MongoClient } from 'mongodb';
import { INTERRUPTED, say, stopSignal } from '../interruptible.ts';
import type { Benchmark } from './benchmark.ts';
import { openContext, type Run } from './context.ts';
import { describeMachine } from './machine.ts';
import { type BenchOptions, HELP, parseBenchOptions } from './options.ts';
import { heading, isMet, type Result, table } from './report.ts';

const SUFFIX = '.bench.ts';

const stop = stopSignal();
process.exitCode = await main();
process.exit();

async function main(): Promise<number> {
  try {
    const known = readdirSync(import.meta.dirname)
      .filter((file) => file.endsWith(SUFFIX))
      .map((file) => file.slice(0, -SUFFIX.length))
      .sort();
    const options = parseBenchOptions(process.argv.slice(2), known, process.env.INIT_CWD ?? process.cwd());
    if (options === 'help') {
      process.stdout.write(`${HELP}\nBenchmarks: ${known.join(', ')}\n`);
      return 0;
    }
    const names = options.only.length > 0 ? options.only : known;
    return await runAll(await Promise.all(names.map(load)), options);
  } catch (error) {
    if (stop.aborted) {
      say('Stopped');
      return INTERRUPTED;
    }
    process.stderr.write(`\n${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  }
}

async function load(name: string): Promise<Benchmark> {
  // What the product's loggers say belongs into the logs of its processes, not between the tables.
  process.env.TIDEMARK_LOG_LEVEL ??= 'warn';
  const { benchmark } = (await import(`./${name}${SUFFIX}`)) as { benchmark: Benchmark };
  return benchmark;
}

async function runAll(benchmarks: readonly Benchmark[], { quick, json }: BenchOptions): Promise<number> {
  await using resources = new AsyncDisposableStack();
  const signal = stop;
  await sweepTemporaryData();
  const dataDir = temporaryDataFolder();
  resources.defer(() => removeFolder(dataDir));
  resources.use(await claimDataFolder(dataDir));
  process.env[TEMPORARY_DATA] = dataDir;

  const [amqpUrl, mongodbUrl] = [
    urlFrom(process.env, 'TIDEMARK_AMQP_URL'),
    urlFrom(process.env, 'TIDEMARK_MONGODB_URL'),
  ];
  const { broker, database } = await findServers({ amqpUrl, mongodbUrl }, { dataDir, say, signal });
  for (const server of [database, broker]) {
    resources.use(server);
    say(server.choice);
  }
  await Promise.all([database.start(), broker.start()]);
  const client = resources.use(
    new MongoClient(database.url, { writeConcern: { w: 'majority', journal: true }, serverSelectionTimeoutMS: 5_000 }),
  );
  const machine = await describeMachine(client);
  const head = { date: new Date().toISOString(), quick, machine };
  process.stdout.write(`\n${heading(head)}\n`);

  const run = {
    quick,
    signal,
    mongodbUrl: database.url,
    amqpUrl: broker.url,
    say,
    client,
    mongodbIsPrivate: mongodbUrl === undefined,
  };
  const results: Result[] = [];
  for (const benchmark of benchmarks) {
    const result = await resultOf(benchmark, run);
    if (!result) continue;
    results.push(result);
    process.stdout.write(`\n${result.name}: ${result.what}\n\n${table(result.figures)}\n`);
    // After each, so that what was measured is not lost with what failed later.
    if (json !== undefined) writeFileSync(json, `${JSON.stringify({ ...head, results }, null, 2)}\n`);
  }
  const missed = results.flatMap(({ figures }) => figures).filter((figure) => isMet(figure) === false);
  const failed = benchmarks.filter(({ name }) => results.every((result) => result.name !== name));
  if (failed.length > 0) say(`Without figures: ${failed.map(({ name }) => name).join(', ')}`);
  return missed.length + failed.length > 0 ? 1 : 0;
}

/** Undefined where it failed, which ends none of the others. */
async function resultOf(benchmark: Benchmark, run: Run): Promise<Result | undefined> {
  try {
    return await runOne(benchmark, run);
  } catch (error) {
    if (run.signal.aborted) throw error;
    process.stderr.write(`\n${benchmark.name} failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return undefined;
  }
}

async function runOne(benchmark: Benchmark, run: Run): Promise<Result> {
  const startedAt = performance.now();
  process.stdout.write('\n');
  await using context = openContext({ ...run, say: (line) => say(`${benchmark.name}: ${line}`) });
  const figures = await benchmark.run(context);
  const seconds = Math.round((performance.now() - startedAt) / 100) / 10;
  return { name: benchmark.name, what: benchmark.what, figures, seconds };
}
