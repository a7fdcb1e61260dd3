import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LogLine, ProgressLine } from '../br/output.ts';
import { createRestoreOutputReader, readRestoreSummary } from './output.ts';

const DATA = join(import.meta.dirname, 'testdata');

function read(stdout: Buffer, chunkBytes = 65_536) {
  const progress: ProgressLine[] = [];
  const waiting: LogLine[] = [];
  const reader = createRestoreOutputReader(
    (line) => progress.push(line),
    (line) => waiting.push(line),
  );
  for (let from = 0; from < stdout.length; from += chunkBytes) reader.stdout(stdout.subarray(from, from + chunkBytes));
  return { output: reader.result(), progress, waiting };
}
const sample = (name: string) => readFileSync(join(DATA, `${name}.stdout`));
const warn = (message: string, fields: string) =>
  `[2026/11/30 05:00:00.000 +00:00] [WARN] [restore.go:1] ["${message}"] ${fields}\n`;

describe('what a restore printed', () => {
  it('has a summary with sizes, times and the snapshot', () => {
    const { output } = read(sample('success'));
    expect(output.success && readRestoreSummary(output.success)).toEqual({
      sizeBytes: 275_671n,
      totalKvs: 4_705n,
      seconds: expect.closeTo(6.53, 2),
      backupTso: '470814418453921793',
      restoreTso: '470814420144488504',
      text: expect.stringContaining('total-ranges=23 ranges-succeed=23 ranges-failed=0'),
    });
  });

  it('has a summary without what a version does not say', () => {
    const unsaid = { sizeBytes: undefined, totalKvs: undefined, seconds: undefined, backupTso: undefined };
    expect(readRestoreSummary(new Map([['Size', '1.5kB']]))).toEqual({
      ...unsaid,
      restoreTso: undefined,
      text: 'Size=1.5kB',
    });
  });

  it('is the same however it is cut into pieces', () => {
    const { success, ...whole } = read(sample('success-with-progress')).output;
    const { success: cutSuccess, ...cut } = read(sample('success-with-progress'), 7).output;
    expect(cut).toEqual(whole);
    expect(cutSuccess).toEqual(success);
  });

  it('has progress by step', () => {
    const { progress, output } = read(sample('success-with-progress'));
    expect(progress.map(({ step, percent, count }) => [step, percent, count])).toEqual([
      ['Full Restore', 3.03, '1 / 33'],
      ['Full Restore', 100, '33 / 33'],
    ]);
    expect(output.pastChecks).toBe(true);
  });

  it.each(['not-fresh', 'backupmeta-missing', 'pd-unreachable', 'checkpoint-of-other-backup', 'log-restore-refused'])(
    'shows nothing of writing where br looked and refused: %s',
    (name) => expect(read(sample(name)).output.pastChecks).toBe(false),
  );

  it.each(['cancelled', 'killed', 'sst-missing', 'restore-checksum-mismatch'])(
    'shows that br began to write: %s',
    (name) => expect(read(sample(name)).output.pastChecks).toBe(true),
  );

  it('names the files that TiKV cannot load', () => {
    const { waiting } = read(sample('sst-missing'));
    expect(waiting.length).toBeGreaterThan(0);
    expect(waiting[0]?.fields.get('error')).toContain('Cannot read local:///backup/nosst/1/8_1_');
  });

  it('names the tables whose rows differ, and counts those that were compared', () => {
    const { output } = read(sample('restore-checksum-mismatch'));
    expect(output.mismatched).toEqual(['shop.orders']);
    expect(output.tablesCompared).toBe(4);
    expect(output.tablesNotCompared).toBe(1);
  });

  it('says that the checkpoint could not be removed', () => {
    expect(read(sample('success')).output.checkpointLeft).toBe(false);
    const line = warn('failed to remove checkpoint data for snapshot restore', '[error="x"]');
    expect(read(Buffer.concat([sample('success'), Buffer.from(line)])).output.checkpointLeft).toBe(true);
  });

  it('names the first tables that lost their TiFlash replicas, and how many there are', () => {
    const message = 'table does not satisfy tiflash replica requirements, set tiflash replcia to unavailable';
    const lines = Array.from({ length: 1_000 }, (_, at) => warn(message, `[db=d] [table=t${at}]`)).join('');
    const { output } = read(Buffer.from(lines));
    expect(output.withoutTiFlashCount).toBe(1_000);
    expect(output.withoutTiFlash).toEqual(['d.t0', 'd.t1', 'd.t2', 'd.t3', 'd.t4']);
  });
});
