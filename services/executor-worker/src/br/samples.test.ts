/** What a real `br` printed (trimmed to the lines that say something), against the reader and the classifier. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { classifyFailure } from './outcome.ts';
import { createOutputReader, type ProgressLine, readDuration, readLogLine } from './output.ts';
import type { BrExit } from './process.ts';

const DATA = join(import.meta.dirname, 'testdata');

function read(sample: string, chunkBytes = 65_536) {
  const progress: ProgressLine[] = [];
  const reader = createOutputReader((line) => progress.push(line));
  const feed = (file: string, take: (chunk: Buffer) => void) => {
    const bytes = readFileSync(join(DATA, `${sample}.${file}`));
    for (let from = 0; from < bytes.length; from += chunkBytes) take(bytes.subarray(from, from + chunkBytes));
  };
  feed('stdout', reader.stdout);
  feed('stderr', reader.stderr);
  const { exitCode, signal } = JSON.parse(readFileSync(join(DATA, `${sample}.json`), 'utf8')) as {
    exitCode: number | null;
    signal: string | null;
  };
  const exit: BrExit = { code: exitCode ?? undefined, signal: signal ?? undefined, silenced: false, error: undefined };
  return { output: reader.result(), exit, progress };
}

describe('a run that succeeded', () => {
  it.each([
    'success',
    'success-with-progress',
    'success-json',
    'success-log-file',
    'resumed',
    'filter-matches-nothing',
  ])('%s is known by its summary', (sample) => {
    const { output, exit } = read(sample);
    expect(exit.code).toBe(0);
    expect(output.success?.get('BackupTS')).toMatch(/^\d{18}$/);
    expect(output.error).toBe('');
  });
  it('tells its progress by step, with the time that remains', () => {
    const { progress } = read('success-with-progress');
    expect(progress).toEqual([
      { step: 'Full Backup', percent: 74.63, remainingSeconds: undefined, speed: '? p/s', count: '100 / 134' },
      { step: 'Full Backup', percent: 100, remainingSeconds: 0, speed: '3 p/s', count: '134 / 134' },
      { step: 'Checksum', percent: 100, remainingSeconds: 0, speed: '? p/s', count: '1 / 1' },
    ]);
  });
  it('is read the same however its output is cut into pieces', () => {
    expect(read('success', 7).output.success).toEqual(read('success').output.success);
  });
});

describe('a run that failed', () => {
  it.each([
    ['lock-held', 'wait', 'PATH_LOCKED'],
    ['checksum-mismatch', 'newPath', 'BR:Backup:ErrBackupChecksumMismatch'],
    ['config-hash-differs', 'newPath', 'BR:Common:ErrInvalidArgument'],
    ['path-already-finished', 'newPath', 'BR:Common:ErrInvalidArgument'],
    ['lock-and-sst-without-checkpoint', 'newPath', 'BR:Common:ErrInvalidArgument'],
    ['pd-unreachable', 'retry', 'BR_FAILED'],
    ['tikv-path-not-found', 'permanent', 'BR:KV:ErrKVStorage'],
    ['tikv-permission-denied', 'permanent', 'BR:KV:ErrKVStorage'],
    ['tikv-unknown-error', 'retry', 'BR:KV:ErrKVStorage'],
    ['s3-refused', 'retry', 'BR_FAILED'],
    ['bad-flag', 'permanent', 'BR_FAILED'],
    ['bad-subcommand', 'permanent', 'BR_DID_NOTHING'],
    ['bad-storage-scheme', 'permanent', 'BR:ExternalStorage:ErrStorageInvalidConfig'],
    ['decode-truncated', 'permanent', 'BR_FAILED'],
    ['killed', 'retry', 'BR_KILLED'],
    ['cancelled-while-waiting-for-pd', 'retry', 'BR_FAILED'],
    ['cancelled', 'retry', 'BR_FAILED'],
    ['cancelled-twice', 'retry', 'BR_FAILED'],
  ])('%s means %s, under %s', (sample, kind, code) => {
    const { output, exit } = read(sample);
    expect(output.success).toBeUndefined();
    const failure = classifyFailure(exit, output);
    expect(failure).toMatchObject({ kind, code });
    expect(failure.message).toMatch(/^[A-Zb].*\.$|\?$/);
  });
  it.each(['version', 'bad-subcommand', 'decode-empty-file', 'decode-end-version'])(
    'exit 0 of what is no backup (%s) is no success',
    (sample) => {
      const { output, exit } = read(sample);
      expect(exit.code).toBe(0);
      expect(output.success).toBeUndefined();
      expect(classifyFailure(exit, output)).toMatchObject({ kind: 'permanent', code: 'BR_DID_NOTHING' });
    },
  );
  it('keeps the original words below the sentence', () => {
    const { output, exit } = read('tikv-permission-denied');
    expect(classifyFailure(exit, output).detail).toContain('I/O permission denied error occurs on TiKV Node');
  });
  it('names the storage class that the store does not know', () => {
    const { output, exit } = read('s3-refused');
    const told = { ...output, error: 'api error InvalidStorageClass: The storage class you specified is not valid' };
    expect(classifyFailure(exit, told, { storageClass: 'NO_SUCH' })).toMatchObject({
      kind: 'permanent',
      code: 'STORAGE_CLASS',
      message: expect.stringContaining('does not know the storage class "NO_SUCH"'),
    });
  });
  it('is not told as a stop where br merely stopped its own parts because of it', () => {
    const { output, exit } = read('tikv-unknown-error');
    expect(output.errorLines.join()).toContain('context canceled');
    expect(classifyFailure(exit, output).message).not.toContain('told to stop');
    const stopped = read('cancelled');
    expect(classifyFailure(stopped.exit, stopped.output).message).toMatch(/^br was told to stop by somebody other/);
  });
  it('is told by its first error where a canceled part hides it', () => {
    const reader = createOutputReader(() => undefined);
    reader.stdout(
      Buffer.from('[2026/01/01 00:00:00.000 +00:00] [ERROR] [a.go:1] ["upload failed"] [error="AccessDenied: no"]\n'),
    );
    reader.stderr(Buffer.from('Error: failed to append checkpoint message: context canceled\n'));
    const exit: BrExit = { code: 1, signal: undefined, silenced: false, error: undefined };
    expect(classifyFailure(exit, reader.result())).toMatchObject({
      kind: 'permanent',
      message: expect.stringContaining('refused access'),
    });
  });
  it('names the TiKV that could not write, that br does not tell why, and where to look', () => {
    const { output, exit } = read('tikv-unknown-error');
    const { kind, message } = classifyFailure(exit, output);
    expect(kind).toBe('retry');
    expect(message).toMatch(/^TiKV store \d+ could not write .* br does not tell why\. Look into the log of that TiKV/);
    expect(message).toMatch(/no space left.*no right to write/);
  });
  it('says want of memory of KILL alone, and tries again in seconds the first time', () => {
    const { output } = read('killed');
    const ended = (signal: string | undefined): BrExit => ({
      code: undefined,
      signal,
      silenced: false,
      error: undefined,
    });
    expect(classifyFailure(ended('SIGKILL'), output, { failures: 0 })).toMatchObject({ seconds: 5 });
    expect(classifyFailure(ended('SIGKILL'), output, { failures: 0 }).message).toContain('want of memory');
    expect(classifyFailure(ended('SIGKILL'), output, { failures: 1 }).seconds).toBeUndefined();
    for (const signal of ['SIGTERM', 'SIGSEGV', undefined]) {
      const failure = classifyFailure(ended(signal), output, { failures: 0 });
      expect(failure).toMatchObject({
        kind: 'retry',
        code: 'BR_KILLED',
        message: expect.stringContaining(signal ?? 'nobody saw'),
      });
      expect(failure.message).not.toContain('memory');
      expect(failure.seconds).toBeUndefined();
    }
  });
  it('knows a program that could not be started also behind setpriv', () => {
    const reader = createOutputReader(() => undefined);
    reader.stderr(Buffer.from('setpriv: failed to execute /none: No such file or directory\n'));
    const exit: BrExit = { code: 127, signal: undefined, silenced: false, error: undefined };
    expect(classifyFailure(exit, reader.result())).toMatchObject({ kind: 'permanent', code: 'BR_NOT_STARTED' });
  });
  it('waits as long as the lock that it names, and a little longer', () => {
    const { output, exit } = read('lock-held');
    expect(classifyFailure(exit, output).seconds).toBe(296);
  });
  it('takes an error of several lines whole', () => {
    expect(read('s3-refused').output.error.split('\n').length).toBeGreaterThan(1);
  });
});

it('reads lines of any length, and ignores what is no log line', () => {
  const reader = createOutputReader(() => undefined);
  const long = 'x'.repeat(300_000);
  reader.stdout(
    Buffer.from(
      `\n========[ Got signal terminated to exit. ]========\n[2026/01/01 00:00:00.000 +00:00] [ERROR] [a.go:1] ["${long}"] [k="a \\"b\\" = c"]\n`,
    ),
  );
  const { errorLines, lastLines } = reader.result();
  expect(errorLines).toHaveLength(1);
  expect(errorLines[0]?.length).toBeLessThan(5_000);
  expect(lastLines).toHaveLength(3);
});

it('reads quoted keys and values', () => {
  const line = readLogLine(
    '[2024/05/01 01:00:00.123 +00:00] [INFO] [c.go:1] ["Full Backup success summary"] [Size=71330] ["a b"="c \\"d\\" ]"]',
  );
  expect(line?.message).toBe('Full Backup success summary');
  expect([...(line?.fields ?? [])]).toEqual([
    ['Size', '71330'],
    ['a b', 'c "d" ]'],
  ]);
});

it('reads durations as Go writes them', () => {
  expect(['9m41s', '1h2m3s', '3.597416ms', '4.7s', '?'].map(readDuration)).toEqual([
    581,
    3_723,
    expect.closeTo(0.0036, 4),
    4.7,
    undefined,
  ]);
});

it('replays every recorded run: none lies there unread', () => {
  const recorded = readdirSync(DATA).flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : []));
  expect(recorded).toHaveLength(27);
  for (const sample of recorded) {
    const { output, exit } = read(sample);
    const implied = exit.code === 0 && /^(success|resumed|filter-matches-nothing)/.test(sample);
    expect(output.success !== undefined, sample).toBe(implied);
    if (!implied) expect(classifyFailure(exit, output).message, sample).toMatch(/\S/);
  }
});
