/**
 * What can be asked of a real `br` without a cluster, so that drift is noticed: name one with TIDEMARK_TEST_BR. Without it
 * nothing here runs.
 */
import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FINISHED_PATH } from '@tidemark/backupmeta/testing/finished-path';
import { BackupMeta } from '@tidemark/protocol/br/backup';
import { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { BrOptions, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { backupArguments, brEnvironment } from './command.ts';
import { classifyFailure } from './outcome.ts';
import { createOutputReader } from './output.ts';
import { readBrVersion } from './version.ts';

const BR = process.env.TIDEMARK_TEST_BR ?? '';
const PD_GIVES_UP_MS = 100_000;

describe.skipIf(BR === '')('the br that TIDEMARK_TEST_BR names', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-real-br-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const run = async (args: readonly string[]) => {
    const child = spawn(BR, args, { cwd: folder, env: brEnvironment(process.env, folder) });
    const reader = createOutputReader(() => undefined);
    let stdout = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk;
      reader.stdout(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => reader.stderr(chunk));
    const code = await new Promise<number | undefined>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exit) => resolve(exit ?? undefined));
    });
    const output = reader.result();
    const failure = () => classifyFailure({ code, signal: undefined, silenced: false, error: undefined }, output);
    return { code, stdout, output, failure };
  };
  const argumentsFor = (storage: Storage, options: Partial<BrOptions> = {}) =>
    backupArguments(Target.create({ pd: ['127.0.0.1:1'], brOptions: BrOptions.create(options) }), storage, 'c1/p');
  const local = () => Storage.create({ location: { $case: 'local', value: { path: folder } } });

  it('says its version', async () => {
    expect(await readBrVersion(BR, brEnvironment(process.env, folder))).toMatch(/^v\d+\.\d+\.\d+/);
  });

  it('knows every flag that a worker gives it', async () => {
    const args = argumentsFor(local(), {
      rateLimit: 10,
      concurrency: 4,
      compression: 'zstd',
      filters: ['shop.*'],
      checksum: true,
      crypterMethod: 'aes128-ctr',
      crypterKeyFile: '/key',
      extra: { gcttl: '3600' },
    });
    const { code, output } = await run([...args, '--help']);
    expect(output.error).toBe('');
    expect(code).toBe(0);
  });

  it('refuses a flag that it does not know, for good', async () => {
    const { code, failure } = await run([...argumentsFor(local()), '--no-such-flag']);
    expect(code).toBe(1);
    expect(failure().kind).toBe('permanent');
  });

  it(
    'gives up a PD that cannot be reached, which is tried again',
    async () => {
      const { code, output, failure } = await run(argumentsFor(local()));
      expect(code).toBe(1);
      expect(output.success).toBeUndefined();
      expect(failure().kind).toBe('retry');
    },
    2 * PD_GIVES_UP_MS,
  );

  it(
    'refuses a storage that it does not know, for good',
    async () => {
      const args = argumentsFor(local()).map((argument) => argument.replace(/^local:\/\//, 'ftp://'));
      const { code, failure } = await run(args);
      expect(code).toBe(1);
      expect(failure().kind).toBe('permanent');
    },
    2 * PD_GIVES_UP_MS,
  );

  it('reads the same TSO from a backupmeta as a worker does', async () => {
    cpSync(FINISHED_PATH, folder, { recursive: true });
    const { endVersion } = BackupMeta.decode(readFileSync(join(folder, 'backupmeta')));
    const { code, stdout } = await run(['debug', 'decode', '--field', 'end-version', '--storage', `local://${folder}`]);
    expect(code).toBe(0);
    expect(stdout.trim().split('\n').at(-1)).toBe(String(endVersion));
  });
});
