import { examples, type Program, toTexts } from '../options.ts';
import type { Run } from '../session.ts';
import { createStatusLine } from '../status-line.ts';

const ABOUT = `Verifies a backup in its storage, without a cluster and without a running Tidemark: reads its catalogue, looks whether every
file is there, and compares the SHA-256 of each with what TiKV wrote. Nothing is changed.

The address of a storage is that of br: an absolute folder, s3://, gcs:// or azure://. Credentials come from the environment
(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, AZURE_STORAGE_KEY and the others that br takes).`;

const CODES = `
With --public-key it also says whether somebody tampered with the backup, which needs no server either: a catalogue that is not the
one that was signed, a manifest that was changed, or one of another backup.

Exit codes: 0 nothing is wrong, 1 the backup is damaged or was tampered with, 2 it could not be verified (also where it is not signed
by a known key, or Ctrl-C stopped it) or wrong usage.`;

export function add(program: Program, run: Run): void {
  program
    .command('verify')
    .summary('read a backup in its storage, where nothing of Tidemark runs')
    .description(ABOUT)
    .option('--storage <address>', 'where backups are')
    .option('--path <path>', 'of the backup below the storage, as its record says (filePath)')
    .option('--level <level>', 'bytes (reads every file; the default) or meta (the catalogue, and a list of the files)')
    .option('--sample <part>', 'reads only a random part of the data files: 0.1 is a tenth')
    .option('--rate-limit <MiB/s>', 'reads no faster than this')
    .option('--files-at-once <number>', 'how many files are read side by side (4)')
    .option('--crypter-method <method>', 'of an encrypted backup: aes128-ctr, aes192-ctr or aes256-ctr')
    .option('--crypter-key-file <file>', 'that holds its key in hexadecimal digits')
    .option(
      '--public-key <file>',
      'that holds public keys (PEM): tidemark.json must be signed by one of them; may be given again',
      toTexts,
    )
    .option('--json', 'prints the report as one JSON object')
    .addHelpText(
      'after',
      `${examples(
        'verify --storage /mnt/backup --path orders/2026-11-30-02-00-00-auto',
        "verify --storage 's3://backups/tidb?endpoint=https://minio:9000' --path orders/2026-11-30-02-00-00-auto",
        'verify --storage gcs://backups --path orders/2026-11-30-02-00-00-auto --sample 0.1 --rate-limit 100',
        'verify --storage /mnt/backup --path orders/2026-11-30-02-00-00-auto --level meta --public-key manifest.pub',
      )}\n${CODES}`,
    )
    .action((options) =>
      run(async ({ env, folder, output, screen, tell, stop }) => {
        const { toWanted } = await import('../verify-options.ts');
        const wanted = toWanted({ ...options, json: options.json || !output.isTable }, folder);
        // Only who verifies waits for the clients of object stores to load.
        const { verify } = await import('../verify.ts');
        const say = (text: string) => output.line(text);
        return await verify(wanted, { env, say, tell, show: createStatusLine(screen), stop });
      }),
    );
}
