import { type Diagnosis, diagnose, type Finding } from '../doctor.ts';
import { EXIT } from '../exit.ts';
import { examples, type Program } from '../options.ts';
import type { Run } from '../session.ts';
import type { Style } from '../terminal.ts';

const STYLES: Readonly<Record<Finding, Style | undefined>> = {
  ok: 'green',
  warn: 'yellow',
  wrong: 'red',
  unknown: undefined,
};

export function add(program: Program, run: Run): void {
  program
    .command('doctor')
    .summary('what is wrong around Tidemark')
    .description(
      'Looks at the address, the token, clocks, the certificate, the fleet, the queue, damaged backups, deletions, restores, storages and workers, and says what is wrong. Exit code 1 where anything is. Changes nothing.',
    )
    .option('--check-storages', 'has workers try each storage with a small file')
    .addHelpText('after', examples('doctor', 'doctor --check-storages'))
    .action(({ checkStorages: tryStorages = false }) =>
      run(async ({ api, connection, output, stop }) => {
        const found: Diagnosis[] = [];
        for await (const one of diagnose({ api, connection, stop, now: Date.now, tryStorages })) found.push(one);
        await output.list({ findings: found }, found, [
          { title: 'LOOKED AT', of: ({ name }) => name },
          { title: 'IS', of: ({ is }) => is, style: ({ is }) => STYLES[is] },
          { title: 'WHAT', of: ({ what }) => what, wraps: true },
        ]);
        return found.some(({ is }) => is === 'wrong') ? EXIT.failed : EXIT.done;
      }),
    );
}
