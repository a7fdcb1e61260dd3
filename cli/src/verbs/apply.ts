import { carryOut } from '../apply.ts';
import { CommandError, EXIT } from '../exit.ts';
import { examples, type Program } from '../options.ts';
import type { Run } from '../session.ts';
import { counted } from '../text.ts';
import { FILE, FORMAT, planFiles, showPlanned } from './files.ts';

export function add(program: Program, run: Run): void {
  program
    .command('apply')
    .summary('make clusters, storages and strategies as files say')
    .description(
      `Makes clusters, storages and strategies as files say. Nothing is changed where a file is wrong anywhere. Of storages and clusters a file says all; of strategies what it leaves out stays. What says a revision is changed only if nobody has saved it since.\n\n${FORMAT}`,
    )
    .requiredOption(...FILE)
    .option('--dry-run', 'only say what would change')
    .addHelpText('after', examples('apply -f fleet.yaml --dry-run', 'apply -f storages.yaml -f clusters.yaml'))
    .action(({ file, dryRun }) =>
      run(async (session) => {
        const planned = await planFiles(file, session);
        await showPlanned(planned, session);
        if (dryRun) {
          session.tell('This was a dry run: nothing was changed.');
          return EXIT.done;
        }
        const due = planned.filter(({ action }) => action !== 'none');
        let exitCode: number = EXIT.done;
        let done = 0;
        for (const one of due)
          try {
            await carryOut(one, session.api);
            done += 1;
          } catch (error) {
            if (!(error instanceof CommandError)) throw error;
            session.tell(error.message, 'red');
            exitCode = EXIT.failed;
          }
        session.tell(`${counted(done, 'change')} made${done < due.length ? `, ${due.length - done} not` : ''}.`);
        return exitCode;
      }),
    );
}
