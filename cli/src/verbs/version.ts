import manifest from '../../package.json' with { type: 'json' };
import { examples, type Program } from '../options.ts';
import type { Run } from '../session.ts';

export function add(program: Program, run: Run): void {
  program
    .command('version')
    .summary('the version of this command line')
    .description('Prints the version of this command line; "tidemark --version" does, too.')
    .addHelpText('after', examples('version'))
    .action(() => run(async ({ output }) => output.text(`${manifest.version}\n`)));
}
