import { answered } from '../api.ts';
import { EXIT } from '../exit.ts';
import { examples, type Program, toId } from '../options.ts';
import { rebuild } from '../rebuild.ts';
import type { Run } from '../session.ts';

const ABOUT = `Looks for backups whose record is lost, and with --apply makes the records that are missing.

A worker walks the storage and reads the manifest (tidemark.json) beside each good backup. For each it says
  known     the record is there, or the backup was deleted on purpose: nothing is done
  missing   there is no record; --apply makes it
  rebuilt   the record was made
  refused   the manifest cannot be used, or is at odds with a record that is there`;

export function add(program: Program, run: Run): void {
  program
    .command('rebuild')
    .summary('make records again that were lost')
    .description(ABOUT)
    .requiredOption('--storage <id>', 'the registered storage to look into', toId)
    .option('--pool <name>', 'whose workers look (default)', '')
    .option('--apply', 'makes the missing records; without it nothing is changed')
    .addHelpText('after', examples('rebuild --storage nfs', 'rebuild --storage nfs --apply'))
    .action(({ storage, pool, apply = false }) =>
      run(async ({ api, output, stop, command }) => {
        const path = { storageId: storage };
        const fine = await rebuild(
          { storage, pool, apply },
          {
            async begin() {
              const call = api.POST('/storages/{storageId}/rebuild', { params: { path }, body: { pool, apply } });
              return (await answered(call)).data.check;
            },
            async look(checkId) {
              const params = { path: { ...path, checkId } };
              return (await answered(api.GET('/storages/{storageId}/checks/{checkId}', { params }))).data.check;
            },
            say: (line) => output.line(line),
            stop,
            command,
          },
        );
        return fine ? EXIT.done : EXIT.failed;
      }),
    );
}
