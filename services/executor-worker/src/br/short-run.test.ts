import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_SHORT_RUN_BYTES } from '@tidemark/limits/limits';
import { livingProcesses } from '@tidemark/processes/stat';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runShortly } from './short-run.ts';

describe('a br that is over within seconds', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-short-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const run = (script: string, forMs = 20_000, env: Readonly<Record<string, string>> = {}) => {
    const program = join(folder, 'br');
    writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    return runShortly({
      program,
      args: ['log', 'status'],
      env: { PATH: process.env.PATH ?? '', ...env },
      cwd: folder,
      forMs,
    });
  };
  /** Whether the process that wrote down its number still runs. */
  const runs = (name: string) => {
    const pid = Number(readFileSync(join(folder, name), 'utf8'));
    return livingProcesses().some((one) => one.pid === pid);
  };

  it('tells how it ended, and all that it printed', async () => {
    expect(await run('echo "$2"; echo "Error: no" >&2; exit 3')).toEqual({
      ...{ code: 3, stdout: 'status\n', stderr: 'Error: no\n' },
    });
  });

  it('has the given environment, and nothing else', async () => {
    const { stdout } = await run('env', 20_000, { AWS_ACCESS_KEY_ID: 'an-id' });
    expect(stdout).toContain('AWS_ACCESS_KEY_ID=an-id\n');
    expect(stdout).not.toContain('HOME=');
  });

  it('is killed when it takes too long, also where a script waits for it', async () => {
    const ended = await run('echo begun; sleep 600 & echo $! > child; wait', 1_000);
    expect(ended).toMatchObject({ code: undefined, stdout: 'begun\n', trouble: 'br did not end within 1 s.' });
    expect(runs('child')).toBe(false);
  });

  it('leaves nobody behind that it started', async () => {
    expect(await run('sleep 600 > /dev/null 2>&1 & echo $! > child')).toMatchObject({ code: 0 });
    expect(runs('child')).toBe(false);
  });

  it('is killed when it prints without end', async () => {
    const { code, stdout, trouble } = await run('exec cat /dev/zero');
    expect([code, trouble]).toEqual([undefined, 'br printed more than it can have to say.']);
    expect(stdout.length).toBeLessThanOrEqual(MAX_SHORT_RUN_BYTES);
  });

  it('that was killed by somebody has no code', async () => {
    expect(await run('kill -9 $$')).toMatchObject({ code: undefined, trouble: 'br was killed by SIGKILL.' });
  });

  it('that is not there is told', async () => {
    const ended = await runShortly({ program: join(folder, 'none'), args: [], env: {}, cwd: folder, forMs: 20_000 });
    expect(ended).toMatchObject({ code: undefined, trouble: 'br could not be started: ENOENT.' });
  });
});
