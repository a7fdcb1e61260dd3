/** The steps of the Dockerfile, without Docker: what is copied, installed and warmed makes a process that starts. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BUILD_MS, copies, copyInto, entrypoint, environmentIn, settingsIn, steps } from './dockerfile.ts';

/** One with the broker and the database, one with neither, one with children of its own: the others hold no more. */
const SERVICES = ['services/backup-service', 'gateway', 'services/executor-worker'];

describe('the image', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-image-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it.each(SERVICES)('of %s holds everything that it needs to start', { timeout: BUILD_MS }, async (service) => {
    copyInto(folder, copies);
    const env = environmentIn(service);
    const options = { cwd: folder, env };
    for (const { word, rest } of steps) {
      if (word === 'ENV') Object.assign(env, settingsIn(rest, folder), { SERVICE: service });
      else await promisify(execFile)('sh', ['-c', rest], options);
    }
    const warmed = readdirSync(join(folder, '.cache'), { recursive: true, encoding: 'utf8' });
    expect(warmed.length).toBeGreaterThan(100);

    // Without settings it says which ones it wants: everything that it imports is there.
    const [program = '', ...args] = entrypoint.slice(entrypoint.indexOf('--') + 1);
    await expect(promisify(execFile)(program, args, options)).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining('TIDEMARK_'),
    });
    // Node keeps a cache for each set of V8's options: another folder would mean that the warm one is not used.
    expect(readdirSync(join(folder, '.cache'))).toHaveLength(1);
  });
});
