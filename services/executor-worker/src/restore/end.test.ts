/** What a real `br` printed when it restored (trimmed to the lines that say something), and what that means. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { leftAsItWas } from '@tidemark/br-restore/end';
import { describe, expect, it } from 'vitest';
import type { BrExit } from '../br/process.ts';
import { endOfRestore, type RestoreFacts } from './end.ts';
import { createRestoreOutputReader, type RestoreOutput } from './output.ts';

const DATA = join(import.meta.dirname, 'testdata');
const ended = (fields: Partial<BrExit>): BrExit => ({
  code: undefined,
  signal: undefined,
  silenced: false,
  error: undefined,
  ...fields,
});

function read(sample: string): { output: RestoreOutput; exit: BrExit } {
  const reader = createRestoreOutputReader(() => undefined);
  reader.stdout(readFileSync(join(DATA, `${sample}.stdout`)));
  reader.stderr(readFileSync(join(DATA, `${sample}.stderr`)));
  const { exitCode, signal } = JSON.parse(readFileSync(join(DATA, `${sample}.json`), 'utf8')) as {
    exitCode: number | null;
    signal: string | null;
  };
  return { output: reader.result(), exit: ended({ code: exitCode ?? undefined, signal: signal ?? undefined }) };
}

function printed({ stdout = '', stderr = '' }: { stdout?: string; stderr?: string }): RestoreOutput {
  const reader = createRestoreOutputReader(() => undefined);
  reader.stdout(Buffer.from(stdout));
  reader.stderr(Buffer.from(stderr));
  return reader.result();
}

const known = (fields: Partial<RestoreFacts> = {}): RestoreFacts => ({
  brVersion: 'v8.5.0',
  tso: '470814418453921793',
  wasPartial: false,
  failures: 0,
  waits: 0,
  started: true,
  stoppedFor: undefined,
  ...fields,
});

/** Each run that is about snapshots; the snapshot is that of the run where another backup was restored. */
const RUNS: Readonly<Record<string, readonly [kind: string, code?: string]>> = {
  success: ['succeeded'],
  'success-db': ['succeeded'],
  'success-encrypted': ['succeeded'],
  'success-filter': ['succeeded'],
  'success-ratelimit': ['succeeded'],
  'success-table': ['succeeded'],
  'success-with-progress': ['succeeded'],
  'success-with-users': ['succeeded'],
  'success-without-sys-table': ['succeeded'],
  'resumed-after-cancel': ['succeeded'],
  'resumed-after-kill': ['succeeded'],
  'download-fails-then-heals': ['succeeded'],
  'cancelled-after-summary': ['succeeded'],
  'backup-of-newer-major': ['succeeded'],
  'backup-of-newer-two-majors-forced': ['succeeded'],
  'backup-of-older-major': ['succeeded'],
  // Why a worker looks for the tables of a filter itself, why br must refuse tables that exist, and why checksums are always compared.
  'filter-matches-nothing': ['succeeded'],
  'table-exists': ['succeeded'],
  'db-exists': ['succeeded'],
  'table-exists-changed': ['succeeded'],
  'restore-changed-without-checksum': ['succeeded'],
  'point-success': ['succeeded'],
  'point-beyond': ['refused', 'POINT_NOT_IN_LOG'],
  'point-no-full': ['refused', 'POINT_NOT_IN_LOG'],
  'point-not-fresh': ['notFresh', 'TARGET_NOT_EMPTY'],
  'killed-after-summary': ['afterSummary', 'ENDED_AFTER_SUMMARY'],
  'not-fresh': ['notFresh', 'TARGET_NOT_EMPTY'],
  'not-fresh-no-requirements': ['notFresh', 'TARGET_NOT_EMPTY'],
  'checkpoint-off': ['notFresh', 'TARGET_NOT_EMPTY'],
  'checkpoint-of-other-backup': ['refused', 'CHECKPOINT_OF_ANOTHER'],
  'db-unknown': ['refused', 'NOT_IN_BACKUP'],
  'table-unknown': ['refused', 'NOT_IN_BACKUP'],
  'storage-missing': ['failedBefore', 'SOURCE_AWAY'],
  'backupmeta-missing': ['failedBefore', 'SOURCE_AWAY'],
  'backupmeta-truncated': ['refused', 'CATALOGUE_UNREADABLE'],
  'backupmeta-zero': ['refused', 'CATALOGUE_UNREADABLE'],
  'encrypted-no-key': ['refused', 'CATALOGUE_UNREADABLE'],
  'backup-of-newer-two-majors': ['refused', 'VERSIONS_DIFFER'],
  'log-restore-refused': ['refused', 'LOG_BACKUP_RUNS'],
  'bad-flag': ['refused', 'BR_CALLED_WRONGLY'],
  'checksum-as-word': ['refused', 'BR_CALLED_WRONGLY'],
  'abort-unknown': ['refused', 'BR_CALLED_WRONGLY'],
  'pd-unreachable': ['failedBefore', 'TARGET_AWAY'],
  'cancelled-while-waiting-for-pd': ['failedBefore', 'TARGET_AWAY'],
  'sst-missing': ['failed', 'SOURCE_FILE_NOT_FOUND'],
  'download-permission-denied': ['failed', 'STORAGE_REFUSED'],
  'restore-checksum-mismatch': ['dirty', 'ROWS_DIFFER'],
  'table-exists-changed-checksum': ['dirty', 'ROWS_DIFFER'],
  'table-exists-other-schema': ['dirty', 'TABLES_DIFFER'],
  cancelled: ['failed', 'BR_CANCELED'],
  killed: ['stopped', 'BR_KILLED'],
  'sst-junk': ['stopped', 'BR_KILLED'],
  'early-term': ['stopped', 'BR_KILLED'],
};

/** Of a run: the snapshot, and for a point in time that one, as its summaries name them. */
function factsOf(sample: string, { success, successes }: RestoreOutput): Partial<RestoreFacts> {
  const tso = (successes.get('Full Restore') ?? success)?.get('BackupTS') ?? '0';
  return sample.startsWith('point-')
    ? { tso, point: successes.get('restore log')?.get('source-end-point') ?? '1' }
    : { tso };
}

describe('how a restore to a point in time ended', () => {
  const { output, exit } = read('point-success');
  const facts = factsOf('point-success', output);
  const withoutLine = (part: string) => {
    const lines = readFileSync(join(DATA, 'point-success.stdout'), 'utf8').split('\n');
    return printed({ stdout: lines.filter((line) => !line.includes(part)).join('\n') });
  };

  it('tells both summaries: what the backup brought, and up to where its log was replayed', () => {
    expect(endOfRestore(exit, output, known(facts))).toMatchObject({
      kind: 'succeeded',
      summary: {
        ...{ sizeBytes: 275_671n, totalKvs: 4_705n, backupTso: '470814552020221956', pointTso: '470814553729662976' },
        text: expect.stringMatching(/^total-ranges=23 .* source-end-point=/),
      },
    });
  });

  it('is no success by the summary of its backup alone', () => {
    expect(endOfRestore(exit, withoutLine('restore log success'), known(facts))).toMatchObject({
      kind: 'afterSummary',
      reason: { code: 'LOG_NOT_TOLD' },
    });
  });

  it('is a success of a later attempt by the summary of its log alone', () => {
    const later = withoutLine('Full Restore success');
    expect(endOfRestore(exit, later, known({ ...facts, wasPartial: true })).kind).toBe('succeeded');
  });

  it('is dirty where the log was replayed to another point, or from another backup', () => {
    for (const [other, code] of [
      [{ point: '470814553729662977' }, 'OTHER_POINT'],
      [{ tso: '1' }, 'OTHER_SNAPSHOT'],
    ] as const)
      expect(endOfRestore(exit, output, known({ ...facts, ...other }))).toMatchObject({
        kind: 'dirty',
        reason: { code },
      });
  });
});

describe('how a restore ended', () => {
  it.each(Object.entries(RUNS))('%s: %s', (sample, [kind, code]) => {
    const { output, exit } = read(sample);
    const end = endOfRestore(exit, output, known(factsOf(sample, output)));
    expect(end).toMatchObject({ kind, checkpointLeft: false });
    expect(end.reason?.code).toBe(code);
    if (end.reason) expect(end.reason.message).toMatch(/^[A-Zb].*\.$/);
  });

  it('is known of every run that was recorded', () => {
    const recorded = readdirSync(DATA).flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -5)] : []));
    expect(recorded.sort()).toEqual(Object.keys(RUNS).sort());
  });

  it.each(['cancelled', 'killed', 'early-term'])('is stopped where Tidemark stopped it: %s', (sample) => {
    const { output, exit } = read(sample);
    for (const stoppedFor of ['lost', 'canceled', 'drained', 'overdue', 'stalled'] as const)
      expect(endOfRestore(exit, output, known({ stoppedFor })).kind).toBe('stopped');
    expect(endOfRestore(exit, output, known({ stoppedFor: 'overdue' }))).toMatchObject({
      reason: { code: 'DEADLINE' },
      retryable: false,
    });
  });

  it('is before everything although it was canceled while it waited for PD', () => {
    const { output, exit } = read('cancelled-while-waiting-for-pd');
    expect(endOfRestore(exit, output, known({ stoppedFor: 'canceled' })).kind).toBe('failedBefore');
  });

  it('is no proof of anything where the log lacks its last word, as on a full disk', () => {
    const { stderr } = { stderr: readFileSync(join(DATA, 'pd-unreachable.stderr'), 'utf8') };
    expect(endOfRestore(ended({ code: 1 }), printed({ stderr }), known()).kind).toBe('stopped');
  });

  it('is never "as it was" after something that only comes when br writes', () => {
    for (const [sample, [kind]] of Object.entries(RUNS)) {
      if (kind === undefined || !['refused', 'notFresh', 'failedBefore'].includes(kind)) continue;
      const { exit } = read(sample);
      const stdout = `[2026/11/30 05:20:19.399 +00:00] [INFO] [client.go:882] ["tables created"] [num=13]\n${readFileSync(join(DATA, `${sample}.stdout`), 'utf8')}`;
      const output = printed({ stdout, stderr: readFileSync(join(DATA, `${sample}.stderr`), 'utf8') });
      expect(leftAsItWas(endOfRestore(exit, output, known()).kind), sample).toBe(false);
    }
  });

  it('is a success only with exit code 0, the summary, and the snapshot that was asked for', () => {
    const { output } = read('success');
    expect(endOfRestore(ended({ code: 0 }), output, known()).kind).toBe('succeeded');
    for (const exit of [
      ended({ code: 1 }),
      ended({ code: 2 }),
      ended({ signal: 'SIGKILL' }),
      ended({ silenced: true }),
    ])
      expect(endOfRestore(exit, output, known()).kind).toBe('afterSummary');
    expect(endOfRestore(ended({ code: 0 }), output, known({ tso: '1' }))).toMatchObject({
      kind: 'dirty',
      reason: { code: 'OTHER_SNAPSHOT' },
    });
    expect(endOfRestore(ended({ code: 0 }), printed({}), known()).kind).toBe('stopped');
  });

  it.each(Object.keys(RUNS))(
    'is never certain to be good or untouched where br was killed after any line: %s',
    (sample) => {
      const lines = readFileSync(join(DATA, `${sample}.stdout`), 'utf8').split('\n');
      for (let printedLines = 0; printedLines <= lines.length; printedLines += 1) {
        const output = printed({ stdout: lines.slice(0, printedLines).join('\n') });
        for (const exit of [ended({ signal: 'SIGKILL' }), ended({ signal: 'SIGTERM' }), ended({}), ended({ code: 2 })])
          expect(['stopped', 'failed', 'afterSummary', 'dirty']).toContain(endOfRestore(exit, output, known()).kind);
      }
    },
  );

  it('has rows that differ, however it ended', () => {
    const { output } = read('restore-checksum-mismatch');
    for (const exit of [ended({ code: 1 }), ended({ signal: 'SIGKILL' }), ended({ silenced: true })])
      expect(endOfRestore(exit, output, known({ stoppedFor: 'canceled' })).kind).toBe('dirty');
    expect(endOfRestore(ended({ code: 1 }), output, known()).reason?.message).toContain('The rows of shop.orders');
  });

  it('says whether br was killed, or may have been', () => {
    const killed = (sample: string) => endOfRestore(read(sample).exit, read(sample).output, known()).killed;
    expect(['killed', 'killed-after-summary', 'sst-junk'].map(killed)).toEqual([true, true, true]);
    expect(['success', 'cancelled', 'not-fresh', 'early-term'].map(killed)).toEqual([false, false, false, false]);
    expect(endOfRestore(ended({ silenced: true }), printed({}), known()).killed).toBe(true);
    expect(endOfRestore(ended({ silenced: true }), printed({}), known({ started: false })).killed).toBe(false);
  });

  it('of a success says what is to be known of it', () => {
    const remarkOn = (stdout: string) => endOfRestore(ended({ code: 0 }), printed({ stdout }), known()).remark;
    const good = readFileSync(join(DATA, 'success.stdout'), 'utf8');
    expect(remarkOn(good)).toBe('');
    expect(remarkOn(good.replaceAll('success in validating checksum', 'x'))).toBe(
      'No checksums were compared, because the backup was made without.',
    );
    const lost = (table: string) =>
      `[2026/11/30 05:00:00.000 +00:00] [WARN] [restore.go:1] ["table does not satisfy tiflash replica requirements, x"] [db=d] [table=${table}]\n`;
    expect(remarkOn(['a', 'b', 'c', 'd', 'e', 'f'].map(lost).join('') + good)).toBe(
      'Tables lost their TiFlash replicas, because the target has too few stores of TiFlash: d.a, d.b, d.c, d.d, d.e and 1 more.',
    );
  });

  it('says what is left and what to do', () => {
    const messageOf = (sample: string, facts: Partial<RestoreFacts> = {}) => {
      const { output, exit } = read(sample);
      return endOfRestore(exit, output, known(facts)).reason?.message;
    };
    expect(messageOf('not-fresh')).toBe(
      'The target holds tables of users (shop.orders, shop.items, crm.people, crm.empty); a restore needs an empty cluster. Nothing was changed in the target.',
    );
    expect(messageOf('not-fresh', { wasPartial: true })).toBe(
      'The target holds data but no checkpoint: the restore had finished unseen, its checkpoint was removed, or the data were there before it began. Look at the target before you decide. This attempt changed nothing; the target may hold what earlier ones left.',
    );
    expect(messageOf('sst-missing')).toContain(
      'The target holds a part of the data and must not be used: resume the restore, or clean the target and release it.',
    );
    expect(messageOf('sst-missing', { brVersion: 'v6.5.3' })).toMatch(
      /must not be used: clean the target and release it\.$/,
    );
    expect(messageOf('killed-after-summary')).toContain('The target may be whole');
    expect(messageOf('backup-of-newer-two-majors')).toContain(
      'backup with cluster version 10.5.0 cannot be restored at cluster of version 8.5.0',
    );
  });

  it('waits for another restore three times, and is refused then', () => {
    const stderr =
      'Error: table already exists: a.b because it is already being restored by task 7: [BR:Restore:ErrTablesAlreadyExisted]x\n';
    const end = (waits: number) => endOfRestore(ended({ code: 1 }), printed({ stderr }), known({ waits }));
    expect(end(2)).toMatchObject({ kind: 'wait', seconds: 300 });
    expect(end(3)).toMatchObject({ kind: 'refused', reason: { code: 'TABLES_BEING_RESTORED' } });
  });

  it('is no success of a filter that matched nothing, which br calls one', () => {
    const nothing =
      '[2026/11/30 04:55:59.150 +00:00] [INFO] [restore.go:1011] ["nothing to restore, all databases and tables are filtered out"]\n';
    const stdout = nothing + readFileSync(join(DATA, 'filter-matches-nothing.stdout'), 'utf8');
    const end = (chosen?: string) =>
      endOfRestore(ended({ code: 0 }), printed({ stdout }), known({ chosen, tso: '470814418453921793' }));
    expect(end('nosuch.*')).toMatchObject({
      kind: 'refused',
      reason: {
        code: 'NOTHING_MATCHED',
        message: 'The backup holds nothing that "filter" chooses: nosuch.*. Nothing was changed in the target.',
      },
    });
    // A backup without data is restored whole all the same.
    expect(end()).toMatchObject({ kind: 'succeeded' });
  });

  it('names the tables that are in the way of a filter, and doubts what is left where an earlier attempt may have finished', () => {
    const stderr =
      'Error: table already exists: shop.orders, shop.items: [BR:Restore:ErrTablesAlreadyExisted]tables already existed in restored cluster\n';
    const messageOf = (wasPartial: boolean) => {
      const facts = known({ brVersion: 'v8.5.5', chosen: 'shop.*', wasPartial });
      const { kind, reason } = endOfRestore(ended({ code: 1 }), printed({ stderr }), facts);
      expect(kind).toBe('notFresh');
      return reason?.message;
    };
    expect(messageOf(false)).toBe(
      'The target has tables already that would be restored (shop.orders, shop.items). Drop or rename them there, or leave them out with "filter". Nothing was changed in the target.',
    );
    expect(messageOf(true)).toContain('or the tables were there before it began');
  });

  it('of a part asks for its own tables to be dropped, and for no others', () => {
    for (const [sample, [kind]] of Object.entries(RUNS)) {
      const { output, exit } = read(sample);
      const facts = known({ chosen: 'shop.*', tso: output.success?.get('BackupTS') ?? '0' });
      const { reason } = endOfRestore(exit, output, facts);
      if (kind === undefined || !['dirty', 'failed', 'stopped', 'afterSummary'].includes(kind)) continue;
      expect(reason?.message, sample).toContain('drop these tables, and no others, and release the target');
      expect(reason?.message, sample).not.toContain('clean the target');
    }
  });

  it('needs a change where the same thing happens a second time', () => {
    const killed = (failures: number) => endOfRestore(ended({ signal: 'SIGKILL' }), printed({}), known({ failures }));
    expect(killed(0)).toMatchObject({ kind: 'stopped', retryable: true });
    expect(killed(1)).toMatchObject({ kind: 'stopped', retryable: false });
    const stderr = 'Error: rule: [BR:KV:ErrKVRewriteRuleNotFound]x\n';
    const lost = (failures: number) => endOfRestore(ended({ code: 1 }), printed({ stderr }), known({ failures })).kind;
    expect([lost(0), lost(1)]).toEqual(['failed', 'dirty']);
  });

  it('was not started where there is no program, or where it was too late', () => {
    expect(endOfRestore(ended({ error: 'ENOENT' }), printed({}), known())).toMatchObject({
      kind: 'wait',
      seconds: 60,
      reason: { code: 'BR_NOT_STARTED' },
    });
    expect(endOfRestore(ended({ silenced: true }), printed({}), known({ started: false })).kind).toBe('none');
  });
});

describe.each<readonly [error: string, kind: string, code: string]>([
  ['table already exists: a.b: [BR:Restore:ErrTablesAlreadyExisted]x', 'notFresh', 'TABLES_EXIST'],
  ["at <cmdline>:1: unexpected special character '-'", 'refused', 'BR_CALLED_WRONGLY'],
  ['failed to check task exists: please remove changefeed(s) before restore', 'refused', 'CHANGEFEEDS_RUN'],
  ['running BR in incompatible version: [BR:Common:ErrVersionMismatch]x', 'refused', 'VERSIONS_DIFFER'],
  [
    "the config 'new_collation_enabled' not match, upstream:False, downstream: True: [BR:Common:ErrUnknown]internal error",
    'refused',
    'COLLATIONS_DIFFER',
  ],
  [
    "the config 'new_collations_enabled_on_first_bootstrap' not match, upstream:False, downstream: True",
    'refused',
    'COLLATIONS_DIFFER',
  ],
  ['missed system table: mysql.x: [BR:Restore:ErrRestoreIncompatibleSys]x', 'refused', 'SYSTEM_TABLES_DIFFER'],
  [
    'store 1 has no space left on device, available 97.66KiB, necessary 296.1KiB: [BR:KV:ErrKVDiskFull]disk is full',
    'refused',
    'TARGET_TOO_SMALL',
  ],
  ['ingest: [BR:KV:ErrKVDiskFull]disk is full', 'stopped', 'TARGET_FULL'],
  ['cannot do transactional restore from raw kv data', 'refused', 'NOT_OF_TIDB'],
  [
    'restore log from 1(2026-12-03 04:00:00 +0000 UTC) to 9(2026-12-03 05:00:00 +0000 UTC),  but the current existed log from 1(2026-12-03 04:00:00 +0000 UTC) to 5(2026-12-03 04:30:00 +0000 UTC): [BR:Common:ErrInvalidArgument]invalid argument',
    'refused',
    'POINT_NOT_IN_LOG',
  ],
  [
    'it has gap between full backup ts:1(2026-12-03 04:00:00 +0000 UTC) and log backup ts:5(2026-12-03 04:30:00 +0000 UTC). : [BR:Common:ErrInvalidArgument]invalid argument',
    'refused',
    'LOG_BEGINS_LATER',
  ],
  [
    'the full snapshot(from cluster ID:1) and log(from cluster ID:2) come from different cluster.: [BR:Common:ErrInvalidArgument]invalid argument',
    'refused',
    'LOG_OF_ANOTHER_CLUSTER',
  ],
  ['the storage has been used for full backup: [BR:ExternalStorage:ErrStorageUnknown]x', 'refused', 'NOT_A_LOG'],
  ['no base id map found from saved id or last restored PiTR', 'dirty', 'TABLES_NOT_MAPPED'],
  ['checkpoint hash mismatch: [BR:Restore:ErrRestoreCheckpointMismatch]x', 'refused', 'CHECKPOINT_OF_ANOTHER'],
  ['task with ID 3 already exists and is running: [BR:Common:ErrInvalidArgument]x', 'wait', 'TARGET_STILL_REGISTERED'],
  ['load backupmeta failed: operation error S3: GetObject, 403 AccessDenied', 'refused', 'STORAGE_REFUSED'],
  ['load backupmeta failed: operation error S3: GetObject, NoSuchKey', 'failedBefore', 'SOURCE_AWAY'],
  ['load backupmeta failed: operation error S3: GetObject, 503 SlowDown', 'failedBefore', 'SOURCE_AWAY'],
  [
    'invalid metafile: checksum mismatch expect a, got b: [BR:Common:ErrInvalidMetaFile]x',
    'refused',
    'CATALOGUE_DAMAGED',
  ],
  ['Clustered index option mismatch. x: [BR:Restore:ErrRestoreModeMismatch]x', 'dirty', 'CLUSTERED_INDEX_DIFFERS'],
  [
    'Cannot read s3://b/p/1.sst into /data/x: NoSuchKey: [BR:KV:ErrKVDownloadFailed]download sst failed',
    'dirty',
    'SOURCE_FILE_MISSING',
  ],
  [
    'Engine Engine(Status { code: Corruption, state: "Corruption: block checksum mismatch: stored = 1, computed = 2" }): [BR:KV:ErrKVDownloadFailed]download sst failed',
    'failed',
    'SOURCE_FILE_DAMAGED',
  ],
  ['x: [BR:KV:ErrKVIngestFailed]ingest sst failed', 'failed', 'TIKV_NOT_READY'],
  ['x: [BR:Restore:ErrRestoreSplitFailed]fail to split region', 'failed', 'TIKV_NOT_READY'],
  ['x: [BR:KV:ErrKVEpochNotMatch]epoch not match', 'stopped', 'TIKV_NOT_READY'],
  ["region 8's leader's store id is 0: [BR:PD:ErrPDBatchScanRegion]x", 'stopped', 'TARGET_AWAY'],
  ["[schema:1146]Table 'mysql.tidb' doesn't exist", 'stopped', 'NO_TIDB'],
  ['[ddl:8239]there is no place', 'dirty', 'TABLE_NOT_CREATED'],
  ['rpc error: code = Unavailable desc = x', 'stopped', 'TARGET_AWAY'],
  ['something new', 'stopped', 'BR_FAILED'],
])('an end with %s', (error, kind, code) => {
  const failed =
    '[2026/11/30 05:01:21.787 +00:00] [INFO] [collector.go:225] ["Full Restore failed summary"] [total-ranges=0]\n';

  it('tells once what br says of each try', () => {
    const output = printed({ stdout: failed, stderr: `Error: ${error}; ${error}; ${error}\n` });
    expect(endOfRestore(ended({ code: 1 }), output, known()).reason?.detail).toBe(error);
  });

  it(`is ${kind}, under ${code}`, () => {
    const output = printed({ stdout: failed, stderr: `Error: ${error}\n` });
    const end = endOfRestore(ended({ code: 1 }), output, known());
    expect(end).toMatchObject({ kind, reason: { code, detail: error } });
    expect(end.reason?.message).toMatch(/^[A-Zb].*\.$/);
    expect(end.sourceDamaged).toBe(['CATALOGUE_DAMAGED', 'SOURCE_FILE_MISSING'].includes(code));
  });
});
