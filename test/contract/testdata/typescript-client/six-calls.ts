/** The six documented calls through a generated client: `node six-calls.ts URL TOKEN CLUSTER`. */
import createClient from 'openapi-fetch';
import type { components, paths } from './api.ts';

const [, , baseUrl = '', token = '', clusterId = ''] = process.argv;
const { GET, PUT, POST, DELETE } = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${token}` } });

/** What a call answers when all is well; says what the failure was when not. */
async function good<T>(call: Promise<{ data?: { data: T }; error?: components['schemas']['Failure'] }>): Promise<T> {
  const { data, error } = await call;
  if (error) throw new Error(`${error.code} ${error.message}`);
  if (!data) throw new Error('nothing was answered');
  return data.data;
}

// A number where the document has a text would not compile.
// @ts-expect-error
void ((): components['schemas']['StartBackupBody'] => ({ clusterId: 7 }));

const params = { path: { clusterId } };
const saved = await good(
  PUT('/clusters/{clusterId}/strategy', {
    params,
    body: { strategy: { backupDate: 'Tuesday,Wednesday', period: '7:00-9:00' } },
  }),
);
const { strategy } = await good(GET('/clusters/{clusterId}/strategy', { params }));
if (strategy.period !== '7:00-9:00' || saved.strategy.revision !== strategy.revision) throw new Error('not as saved');

const { backupId } = await good(POST('/backups', { body: { clusterId, backupMode: 'manual' } }));
const canceled = await good(POST('/backups/cancel', { body: { clusterId, backupId, reason: 'enough' } }));
if (canceled.backup?.id !== backupId) throw new Error('another one was canceled');

const query = { clusterId, backupId, page: 1, pageSize: 10 };
const giveUpAt = Date.now() + 20_000;
for (;;) {
  const { backupRecords } = await good(GET('/backups', { params: { query } }));
  const record: components['schemas']['BackupRecord'] | undefined = backupRecords[0];
  if (record?.state === 'Canceled' && record.status === 'Failed') break;
  if (Date.now() > giveUpAt) throw new Error(`the backup is ${record?.state}`);
  await new Promise((resolve) => setTimeout(resolve, 100));
}
await good(DELETE('/backups/{backupId}', { params: { path: { backupId } } }));

const unknown = await GET('/backups/{backupId}', { params: { path: { backupId: 'nobody' } } });
if (unknown.response.status !== 404 || unknown.error?.code !== 20610) throw new Error('a failure is not as documented');
process.stdout.write('six calls are fine\n');
