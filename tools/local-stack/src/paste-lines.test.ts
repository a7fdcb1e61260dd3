import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { pasteLines } from './paste-lines.ts';

const TOKEN = 'secret-token';

/** Answers as the documented API does; a backup is over when it was asked for twice, or canceled and asked for once. */
async function apiServer() {
  const calls: string[] = [];
  const asked = new Map<string, number>();
  const server = createServer(async (request, response) => {
    const body = await textOf(request);
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://api');
    calls.push(`${request.method} ${pathname} ${body}`.trim());
    const answer = (status: number, data: unknown) => response.writeHead(status).end(JSON.stringify({ code: 0, data }));
    const id = searchParams.get('backupId') ?? pathname.split('/').at(-1) ?? '';
    asked.set(id, (asked.get(id) ?? 0) + 1);
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return answer(401, {});
    if (request.method === 'POST' && pathname === '/api/v1/backups/') {
      const backupId = `backup-${calls.filter((call) => call.startsWith('POST /api/v1/backups/ ')).length}`;
      return answer(200, { backupId, workFlowId: backupId });
    }
    if (pathname === '/api/v1/backups/') {
      return answer(200, { backupRecords: [{ id, status: (asked.get(id) ?? 0) > 1 ? 'Finished' : 'Processing' }] });
    }
    return answer(request.method === 'DELETE' && asked.get(id) === 1 ? 409 : 200, {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    calls,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  return (await request.toArray()).map(String).join('');
}

test('the printed lines make the six documented calls when they are pasted as they are', async () => {
  await using api = await apiServer();
  const lines = pasteLines({ url: api.url, token: TOKEN });
  expect(lines).toHaveLength(6);
  const { stdout } = await promisify(execFile)('sh', ['-euc', lines.join('\n')]);
  expect(stdout).toContain('"status":"Finished"');
  expect(api.calls).toEqual([
    'GET /api/v1/clusters/test-tidb/strategy',
    'PUT /api/v1/clusters/test-tidb/strategy {"strategy":{"clusterId":"test-tidb","backupDate":"Tuesday,Wednesday","period":"7:00-9:00"}}',
    'POST /api/v1/backups/ {"clusterId":"test-tidb","backupMode":"manual"}',
    'GET /api/v1/backups/',
    'GET /api/v1/backups/',
    'POST /api/v1/backups/ {"clusterId":"test-tidb","backupMode":"manual"}',
    'POST /api/v1/backups/cancel {"clusterId":"test-tidb","backupId":"backup-2"}',
    'DELETE /api/v1/backups/backup-2',
    'DELETE /api/v1/backups/backup-2',
  ]);
});
