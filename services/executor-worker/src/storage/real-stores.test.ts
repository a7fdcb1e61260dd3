/** The same against real servers that people run; which of them can do what is in docs/storages.md. */
import { rmSync } from 'node:fs';
import { claimDataFolder } from '@tidemark/local-stack/data-folder';
import {
  type KeyedStore,
  startGofakes3,
  startS3rver,
  startVersitygw,
} from '@tidemark/local-stack/object-stores/s3-servers';
import { temporaryDataFolder } from '@tidemark/local-stack/temporary-data';
import { type Bucket, makeBucket } from '@tidemark/storage/testing/s3-bucket';
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest';
import { behaviours } from '../testing/store-behaviours.ts';

/** The first run of a machine compiles two of them, which takes minutes where others work too. */
const INSTALL_MS = 600_000;

describe.each([
  ['versitygw', startVersitygw],
  ['gofakes3, the engine of rclone', startGofakes3],
  ['s3rver', startS3rver],
])('%s', (name, start) => {
  const stack = new AsyncDisposableStack();
  let store: KeyedStore | undefined;
  let missing = '';
  let bucket: Bucket;

  beforeAll(async () => {
    const folder = stack.adopt(temporaryDataFolder(), (path) => rmSync(path, { recursive: true, force: true }));
    const data = stack.use(await claimDataFolder(folder));
    const options = { dataDir: data.path, say: console.error, signal: AbortSignal.timeout(INSTALL_MS) };
    try {
      store = stack.use(await start(options));
    } catch (error) {
      missing = (error as Error).message;
      options.say(`${name} is not tried: ${missing}`);
    }
  }, INSTALL_MS);
  afterAll(() => stack.disposeAsync());
  beforeEach(async ({ skip }) => {
    if (store === undefined) return skip(`it could not be started: ${missing}`);
    bucket = await makeBucket(store.endpoint, store.endpoint, store.key);
  });

  behaviours({
    bucket: () => bucket,
    begin: () => undefined,
    remark: expect.any(String),
    hidesFolders: name === 's3rver',
  });
});
