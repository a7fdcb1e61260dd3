/** What a real `br log` printed (trimmed to the lines that say something), against the readers. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { ShortRun } from '../br/short-run.ts';
import { type ActKind, readActEnd } from './act-end.ts';
import { readRange, readStates, readStatus } from './status.ts';

const DATA = join(import.meta.dirname, 'testdata');

function read(sample: string): ShortRun {
  const of = (ending: string) => readFileSync(join(DATA, `${sample}.${ending}`), 'utf8');
  const { exitCode } = JSON.parse(of('json')) as { exitCode: number | null };
  return { code: exitCode ?? undefined, stdout: of('stdout'), stderr: of('stderr') };
}

const TASK = {
  name: 'pitr',
  storage: 'local:///backup/log1',
  startTs: 470814526146609153n,
  checkpoint: 470814526146609153n,
  errors: [],
  pausedByHand: false,
};

it.each(['log-status-json', 'log-status-json-term', 'log-status-paused'])(
  '%s names the task, its times to the last digit',
  (sample) => {
    expect(readStatus(read(sample).stdout)).toEqual([TASK]);
  },
);

it('a cluster without a task has none', () => {
  expect(readStatus(read('log-status-none-json').stdout)).toEqual([]);
  expect(readStates(read('log-status-none').stdout).size).toBe(0);
});

it('the text says what the JSON of 8.5.0 does not: how the task is', () => {
  expect([...readStates(read('log-status').stdout)]).toEqual([['pitr', 'normal']]);
  const paused = read('log-status').stdout.replace('● NORMAL', '● PAUSE');
  expect([...readStates(paused)]).toEqual([['pitr', 'paused']]);
});

it('later versions say it in the JSON, with who paused and what TiKV told', () => {
  const task = {
    ...{ name: 'n', start_ts: 7, checkpoint: 8, storage: 's3://b/p', status: 'ERROR' },
    last_errors: [{ store_id: 4, last_error: { error_code: 'KV:LogBackup:Other', error_message: 'I/O', store_id: 4 } }],
    extra_pause_information: { severity: 'MANUAL' },
  };
  expect(readStatus(JSON.stringify([task]))).toEqual([
    {
      ...{ name: 'n', storage: 's3://b/p', startTs: 7n, checkpoint: 8n, state: 'error', pausedByHand: true },
      errors: [{ store: '4', code: 'KV:LogBackup:Other', message: 'I/O' }],
    },
  ]);
});

it('what is no list of tasks is told, and nothing is concluded', () => {
  expect(() => readStatus('panic: out of memory')).toThrow('no list of tasks');
  expect(() => readStatus('[{"name":"n"}]')).toThrow('without its times');
});

it('the metadata say from and to when the log reaches', () => {
  expect(readRange(read('log-metadata').stdout)).toEqual({ min: 470814526146609153n, max: 470814526146609153n });
  expect(() => readRange('')).toThrow('no times');
});

it.each<[string, ActKind, string, string?]>([
  ['log-start', 'start', 'ok'],
  ['log-pause', 'pause', 'ok'],
  ['log-resume', 'resume', 'ok'],
  ['log-stop', 'stop', 'ok'],
  ['log-pause-again', 'pause', 'ok'],
  ['log-stop-none', 'stop', 'ok'],
  ['log-pause-unknown', 'pause', 'refused', 'TASK_GONE'],
  ['log-start-again', 'start', 'refused', 'TASK_EXISTS'],
  ['log-start-during-restore', 'start', 'refused', 'RESTORE_RUNS'],
  ['log-start-no-name', 'start', 'refused', 'CALLED_WRONGLY'],
  ['log-start-bad-storage', 'start', 'refused', 'STORAGE_UNUSABLE'],
])('%s, as an act to %s, is %s', (sample, kind, result, code) => {
  const end = readActEnd(kind, read(sample));
  expect([end.result, end.reason?.code]).toEqual([result, code]);
});

it.each<[ActKind, string, string]>([
  ['resume', 'Error: the global checkpoint ts: 4(2026-11-30) has been gc. : [BR:KV:ErrKVUnknown]unknown', 'newLog'],
  ['start', 'Error: check failed: GC safepoint 5 exceed TS 4: [BR:Backup:ErrBackupGCSafepointExceeded]x', 'newLog'],
  ['resume', 'Error: The task pitr is active already.: [BR:KV:ErrKVUnknown]unknown error occur on tikv', 'ok'],
  ['resume', 'Error: something that nobody knows', 'unknown'],
  ['start', 'Error: [pd] failed to get cluster id', 'refused'],
  ['pause', 'Error: context deadline exceeded: connection error: desc = "transport: Error while dialing"', 'refused'],
  ['pause', 'Error: rpc error: code = Unavailable desc = connection error: desc = "transport"', 'unknown'],
  ['start', 'Error: read tcp 10.0.0.1:2379: connection refused', 'unknown'],
])('to %s, where br says "%s", is %s', (kind, stderr, result) => {
  expect(readActEnd(kind, { code: 1, stdout: '', stderr }).result).toBe(result);
});

it('a br that was killed, or knows no log, says nothing of the cluster', () => {
  expect(
    readActEnd('start', { code: undefined, stdout: '', stderr: '', trouble: 'br did not end within 10 s.' }).result,
  ).toBe('unknown');
  expect(readActEnd('start', { code: 0, stdout: 'br is a tool\n\nUsage:\n  br [command]\n', stderr: '' }).result).toBe(
    'refused',
  );
});
