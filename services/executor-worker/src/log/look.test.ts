import { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { expect, it } from 'vitest';
import type { ShortRun } from '../br/short-run.ts';
import { look, type ReadClusterId } from './look.ts';

const target = Target.create({ pd: ['pd:2379'] });
const place = {
  storage: Storage.create({ id: 's', location: { $case: 'local', value: { path: '/backup' } } }),
  path: 'nfs/c1/log-1-a',
};
const METADATA =
  '[2026/11/30 05:01:51.324 +00:00] [INFO] [collector.go:268] ["log metadata"] [log-min-ts=470814526146609153] [log-max-ts=470814526146609155]\n';
const TEXT = '● Total 1 Tasks.\n> #1 <\n              name: n\n            status: ● PAUSE\n';
const JSON_FORM =
  '[{"name":"n","start_ts":470814526146609153,"storage":"local:///backup/nfs/c1/log-1-a","checkpoint":470814526146609154,"last_errors":[]}]\n';
const TASK = {
  ...{ name: 'n', storage: 'local:///backup/nfs/c1/log-1-a', state: 'paused', errors: [], pausedByHand: false },
  ...{ startTs: 470814526146609153n, checkpoint: 470814526146609154n },
};

const printed = (stdout: string): ShortRun => ({ code: 0, stdout, stderr: '' });
const failed = (stderr: string): ShortRun => ({ code: 1, stdout: '', stderr });

/** Looks at a cluster of which `br` prints this; left out, what it prints of a paused task. */
const lookAt = async (
  { metadata = printed(METADATA), text = printed(TEXT), json = printed(JSON_FORM) }: Record<string, ShortRun> = {},
  isWritten = true,
  clusterIdIn: ReadClusterId = async () => 7n,
) => {
  const asked: string[] = [];
  const troubles: unknown[] = [];
  const sight = await look(
    target,
    isWritten ? place : undefined,
    {
      async run(args) {
        const form = args.includes('metadata') ? 'metadata' : args.includes('--json') ? 'json' : 'text';
        asked.push(form);
        return { metadata, text, json }[form];
      },
      clusterIdIn,
      cutsIn: async () => [],
    },
    (_message, error) => troubles.push(error),
  );
  return { sight, asked, troubles };
};

it('reads the metadata before the status, so that they are of the task that it shows', async () => {
  const { sight, asked } = await lookAt();
  expect(asked).toEqual(['metadata', 'text', 'json']);
  expect(sight).toEqual({
    kind: 'tasks',
    tasks: [TASK],
    range: { min: 470814526146609153n, max: 470814526146609155n, tidbClusterId: 7n, cuts: [] },
  });
});

it('still tells how far the log reaches where nobody knows of which cluster it is', async () => {
  const { sight, troubles } = await lookAt({}, true, async () => {
    throw new Error('there is no backupmeta');
  });
  expect(sight).toMatchObject({ kind: 'tasks', range: { max: 470814526146609155n, tidbClusterId: undefined } });
  expect(troubles).toHaveLength(1);
});

it('does not ask a storage where no log is written', async () => {
  const { sight, asked } = await lookAt({}, false);
  expect(asked).toEqual(['text', 'json']);
  expect(sight).toMatchObject({ kind: 'tasks', range: undefined });
});

it.each<[string, ShortRun]>([
  ['cannot be read', failed('Error: AccessDenied')],
  ['take too long', { code: undefined, stdout: '', stderr: '', trouble: 'br did not end within 10 s.' }],
  ['have no times', printed('')],
  ['have times that are none', printed(METADATA.replaceAll(/\d{18}/g, '99999999999999999999'))],
])('still sees the task where the metadata %s, and tells that', async (_, metadata) => {
  const { sight, troubles } = await lookAt({ metadata });
  expect(sight).toEqual({ kind: 'tasks', tasks: [TASK], range: undefined });
  expect(troubles).toHaveLength(1);
});

it.each<[string, Record<string, ShortRun>]>([
  ['does not answer', { text: failed('Error: [pd] failed to get cluster id') }],
  ['stops answering in between', { json: failed('Error: context deadline exceeded') }],
  ['takes too long', { text: { code: undefined, stdout: '', stderr: '', trouble: 'br did not end within 10 s.' } }],
  ['is asked by a br that has no log backup', { text: printed('Usage:\n'), json: printed('Usage:\n') }],
  ['has a task that came between the two forms', { text: printed('○ No Task Yet.\n') }],
  ['has a task in a state that nobody knows', { text: printed(TEXT.replace('PAUSE', 'WAIT')) }],
  ['has a task without its times', { json: printed(JSON_FORM.replace('470814526146609154', 'null')) }],
])('concludes nothing of a cluster that %s', async (_, answers) => {
  const { sight } = await lookAt(answers);
  expect(sight).toMatchObject({
    kind: 'unreachable',
    reason: { code: expect.any(String), message: expect.any(String) },
  });
});

it('tells no more of an error than a sentence, however much TiKV says', async () => {
  const error = JSON.stringify({
    store_id: 1,
    last_error: { error_code: 'KV:Other', error_message: '\u{1f4a5}'.repeat(9_999) },
  });
  const json = printed(JSON_FORM.replace('"last_errors":[]', `"last_errors":[${error}]`));
  const { sight } = await lookAt({ json });
  const [task] = sight.kind === 'tasks' ? sight.tasks : [];
  expect(task?.errors[0]?.message).toHaveLength(1_000);
});
