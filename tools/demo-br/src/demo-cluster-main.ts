/** `npm run demo-cluster -- …`: a demo cluster from a terminal. */
import { join, resolve } from 'node:path';
import { demoCluster } from './demo-cluster.ts';
import { CLUSTER_HELP, CLUSTERS_FOLDER, ClusterUsageError, parseClusterOptions } from './demo-cluster-options.ts';
import { performTask } from './demo-cluster-task.ts';
import { readScript } from './script.ts';

const REPOSITORY = resolve(import.meta.dirname, '..', '..', '..');

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
process.exitCode = await main();

async function main(): Promise<number> {
  try {
    const { env } = process;
    const script = await readScript(env, undefined, []);
    const root = script.clusters ?? join(REPOSITORY, '.tidemark', CLUSTERS_FOLDER);
    const options = parseClusterOptions(process.argv.slice(2), { folder: env.INIT_CWD ?? process.cwd(), root });
    const { task, pd } = options;
    if (task.verb === 'help') process.stdout.write(CLUSTER_HELP);
    else process.stdout.write(`${await performTask(demoCluster(options.root, pd, script), task, stop.signal)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ClusterUsageError)) throw error;
    process.stderr.write(`${error.message}\n${CLUSTER_HELP}`);
    return 2;
  }
}
