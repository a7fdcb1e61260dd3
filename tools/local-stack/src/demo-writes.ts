import { join } from 'node:path';
import { ask } from './find-program.ts';
import { REPOSITORY } from './repository.ts';

const PROGRAM = join(REPOSITORY, 'tools', 'demo-br', 'src', 'demo-cluster-main.ts');
const TABLE = 'shop.events';
const EVERY_SECONDS = 5;
const ANSWER_MS = 30_000;

/**
 * Has a made-up cluster write rows by itself, so that there is something between two backups. One that has the table already
 * stays as people have left it.
 *
 * @returns a sentence about it; undefined where it did not work
 */
export async function startDemoWrites(dataDir: string, pd: string, signal: AbortSignal): Promise<string | undefined> {
  const words = ['write', TABLE, String(EVERY_SECONDS)];
  return (await ask(process.execPath, [PROGRAM, '--data', dataDir, '--pd', pd, ...words], ANSWER_MS, signal))?.trim();
}
