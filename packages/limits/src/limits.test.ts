import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as limits from './limits.ts';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const page = readFileSync(join(ROOT, 'docs', 'limits.md'), 'utf8');

it('the page of bounds has every constant with its value, once, and says what happens at it', () => {
  const told = [...page.matchAll(/^\| [^|]+ \| `((?:MAX|MIN|DEFAULT)_\w+)` \| ([\d.]+) \| [^|]*\w[^|]* \|$/gm)];
  expect(told.map(([, name, value]) => [name, Number(value)]).sort()).toEqual(Object.entries(limits).sort());
});

it('what a list holds leaves room for its last item, and for the rest of the message', () => {
  expect(limits.MAX_LIST_BYTES).toBeLessThan(limits.MAX_MESSAGE_BYTES - 1024 * 1024 + 1);
});

/** Times, tries, and what a process chooses for itself: nothing that comes from outside is measured by these. */
const NO_BOUNDS = [
  /_MS$/,
  /_CONFLICTS$/,
  /_TRIES$/,
  /_DOUBLINGS$/,
  'gateway/src/edge/limits.ts',
  'packages/mongo/src/mongo-error.ts MAX_TIME_EXPIRED', // a code of MongoDB
  'packages/schedule/src/retention.ts MAX_KEEP_DAYS', // what a calendar can still count
  'tools/local-stack/src/log-file.ts MAX_BYTES', // when a log of its own processes is rotated
  'services/backup-service/src/backup-message.ts MOST_ESTIMATED', // percent
  'services/executor-worker/src/br/estimate.ts MOST', // percent
  'services/backup-service/src/rpc/start-backup.ts MOST_PATHS', // paths that are tried
  'services/backup-service/src/storage-check-store.ts MOST_PARTS', // documents that are read at once
  'services/backup-service/src/storage-check-store.ts MOST_WANTED',
  'services/executor-worker/src/config.ts', // what settings may be
  'services/executor-worker/src/output-recorder.ts MOST_WAITING', // made of the bounds
  'packages/storage/src/file-names.ts LONGEST_CHARACTER', // of UTF-8
  /(PIECE|TOKEN|ID|NUMBER|WORTH)_BYTES$/, // how much is read at once, what is made by chance, from where compressing pays
];

it('no bound stands anywhere else', () => {
  const files = globSync('{packages,tools,services}/*/src/**/*.ts', { cwd: ROOT }).concat(
    globSync('{gateway,cli}/src/**/*.ts', { cwd: ROOT }),
  );
  const sources = files.filter(
    (file) => !/\.test\.ts$|\/(gen|testing|decide\/testing)\/|^packages\/limits\/|^tools\/demo-br\//.test(file),
  );
  expect(sources.length).toBeGreaterThan(300);
  const elsewhere = sources.flatMap((file) => {
    const text = readFileSync(join(ROOT, file), 'utf8');
    const named = text.matchAll(
      /^(?:export )?const ((?:MAX|MOST|LONGEST|LARGEST|DEEPEST|HIGHEST)\w*|\w+_(?:BYTES|MIB))[^=\n]*= [\d(MK]/gm,
    );
    return [...named].map(([, name]) => `${file} ${name}`);
  });
  const bounds = elsewhere.filter(
    (one) => !NO_BOUNDS.some((known) => (typeof known === 'string' ? one.startsWith(known) : known.test(one))),
  );
  expect(bounds).toEqual([]);
});
