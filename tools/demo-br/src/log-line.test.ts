import { expect, test } from 'vitest';
import { errorFields } from './log.ts';
import { jsonLine, type LogRecord, logTime, textLine } from './log-line.ts';
import { progressFields } from './progress.ts';
import { fieldsOf, readLines } from './test-run.ts';

const at = (record: Partial<LogRecord>): LogRecord => ({
  time: new Date(2024, 4, 1, 1, 2, 0, 1),
  level: 'INFO',
  caller: 'progress.go:176',
  message: 'progress',
  fields: [],
  ...record,
});

/** What comes after the time, which depends on the zone of the host. */
const afterTime = (line: string): string => line.slice(line.indexOf(']') + 2);

test('a progress line is, byte for byte, the one of the recorded run', () => {
  const fields = progressFields({ step: 'Full Backup', done: 134, total: 134, elapsedMs: 161_000, last: true });
  expect(afterTime(textLine(at({ fields })))).toBe(
    '[INFO] [progress.go:176] [progress] [step="Full Backup"] [progress=100.00%] [count="134 / 134"] [speed="1 p/s"] [elapsed=2m41s] [remaining=2m41s]',
  );
});

test('in the middle of a step the remaining time is an estimate, and unknown without speed', () => {
  const middle = { step: 'Full Backup', total: 10_000, elapsedMs: 120_000, last: false };
  expect(Object.fromEntries(progressFields({ ...middle, done: 1_712 }))).toEqual({
    step: 'Full Backup',
    progress: '17.12%',
    count: '1712 / 10000',
    speed: '14 p/s',
    elapsed: '2m0s',
    remaining: '9m41s',
  });
  expect(Object.fromEntries(progressFields({ ...middle, done: 0 }))).toMatchObject({ speed: '? p/s', remaining: '?' });
  expect(Object.fromEntries(progressFields({ ...middle, done: 3, total: 0 }))).toMatchObject({
    progress: '?%',
    count: '3',
  });
});

test('text is quoted exactly where it holds a space or one of the special characters', () => {
  const fields = [
    ['step', 'Checksum'],
    ['cost', '586.905µs'],
    ['backup-data-size(after-compressed)', '1.432kB'],
    ['ddl lease', '1s'],
    ['pd', '[127.0.0.1:32379]'],
    ['error', 'a "b"\nc\\d'],
  ] as const;
  expect(afterTime(textLine(at({ message: 'one shot', fields })))).toBe(
    String.raw`[INFO] [progress.go:176] ["one shot"] [step=Checksum] [cost=586.905µs] [backup-data-size(after-compressed)=1.432kB] ["ddl lease"=1s] [pd="[127.0.0.1:32379]"] [error="a \"b\"\nc\\d"]`,
  );
});

test('the time has milliseconds and the zone of the host', () => {
  expect(logTime(new Date(2026, 10, 23, 14, 2, 4, 7))).toMatch(/^2026\/11\/23 14:02:04\.007 [+-]\d\d:\d\d$/);
});

test('an error line has its text in three places and survives the way through the parser', () => {
  const message = 'backup meta file exists in file:///a "b"/backupmeta: [BR:Common:ErrInvalidArgument]invalid argument';
  const line = textLine(at({ level: 'ERROR', message: 'br failed', fields: errorFields(new Error(message)) }));
  expect(line).not.toContain('\n');
  expect(fieldsOf(line, 'br failed').error).toBe(message);
  expect(fieldsOf(line, 'br failed').errorVerbose).toContain(message);
  expect(readLines(line)[0]?.level).toBe('ERROR');
});

test('JSON lines have the members in order and 64-bit numbers as bare digits', () => {
  const fields = [
    ['total-ranges', 134],
    ['BackupTS', 435844546560000001n],
  ] as const;
  const line = jsonLine(at({ fields }));
  expect(line).toContain('"BackupTS":435844546560000001}');
  expect(Object.keys(JSON.parse(line))).toEqual(['level', 'time', 'caller', 'message', 'total-ranges', 'BackupTS']);
});
