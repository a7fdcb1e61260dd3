import { EXIT } from '../exit.ts';
import { examples, type Program } from '../options.ts';
import type { Run } from '../session.ts';
import { FILE, FORMAT, planFiles, showPlanned } from './files.ts';

export function add(program: Program, run: Run): void {
  program
    .command('diff')
    .summary('what apply would change; exit code 1 where there is anything')
    .description(`Says what apply would change, and changes nothing. Exit code 1 where there is anything.\n\n${FORMAT}`)
    .requiredOption(...FILE)
    .addHelpText('after', examples('diff -f fleet.yaml', 'diff -f fleet.yaml -o json'))
    .action(({ file }) =>
      run(async (session) => {
        const planned = await planFiles(file, session);
        await showPlanned(planned, session);
        return planned.some(({ action }) => action !== 'none') ? EXIT.failed : EXIT.done;
      }),
    );
}
