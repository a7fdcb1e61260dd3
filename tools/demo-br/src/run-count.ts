import { randomUUID } from 'node:crypto';
import { appendFile, readFile } from 'node:fs/promises';
import { BrError } from './br-error.ts';
import { type Outcome, SUCCESS } from './outcome.ts';

/**
 * The outcome of this very run: the script's, or success once `times` runs had it. Each run appends a line to the
 * file and then looks which line is its own, so two runs that start together do not count as one.
 *
 * @param runsFile beside the script file
 * @throws BrError if `times` is set and there is no such file to count in
 */
export async function outcomeOfThisRun(outcome: Outcome, runsFile: string | undefined): Promise<Outcome> {
  if (outcome.times === undefined) return outcome;
  if (runsFile === undefined) throw new BrError('demo-br: outcome.times needs a script file, beside which to count');
  const run = randomUUID();
  await appendFile(runsFile, `${run}\n`);
  const before = (await readFile(runsFile, 'utf8')).split('\n').indexOf(run);
  return before < outcome.times ? outcome : SUCCESS;
}
