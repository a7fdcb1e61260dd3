import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openLog, rotateLog, tailLog } from './log-file.ts';

function newLog(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-log-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'logs', 'service.log');
}

test('a log that grew too large is rotated under its writer, and only three old ones are kept', () => {
  const path = newLog();
  const log = openLog(path);
  for (const line of ['one', 'two', 'three', 'four', 'five']) {
    writeSync(log, `${line}\n`);
    rotateLog(path, 2);
  }
  writeSync(log, 'six\n');
  closeSync(log);
  const kept = ['', '.1', '.2', '.3'].map((suffix) => readFileSync(path + suffix, 'utf8').trim());
  expect(kept).toEqual(['six', 'five', 'four', 'three']);
  expect(statSync(`${path}.4`, { throwIfNoEntry: false })).toBeUndefined();
});

test('a log is readable only by its owner, and tells its last lines', () => {
  const path = newLog();
  const log = openLog(path);
  writeSync(log, 'one\ntwo\nthree\n');
  closeSync(log);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(tailLog(path, 2)).toBe('two\nthree');
});
