/**
 * The same behaviour of all kinds of storages, each against a real server.
 */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import {
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
} from '@aws-sdk/client-s3';
import { S3Location, type Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Env } from '@tidemark/service-kit/env';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { backupFilesIn, openBackupFiles } from './backup-files.ts';
import { openStorage } from './open-storage.ts';
import type { StorageFiles } from './storage-files.ts';
import { createKinds, fill as fillWith, type Kind, SECRET, storageAt } from './testing/kinds.ts';

const INSTALL_MS = 600_000;
const MANY = 1_010;
const AZURE_SECRET = Buffer.from(SECRET).toString('base64');

const signal = AbortSignal.timeout(INSTALL_MS);
const kinds = createKinds({ signal, say: console.error });
const { local, s3, azure, gcs } = kinds;
afterAll(() => kinds[Symbol.asyncDispose]());

const fill = (files: StorageFiles, names: readonly string[]) => fillWith(files, names, signal);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const namesIn = async (files: StorageFiles, folder: string) =>
  (await all(files.list(folder, signal))).map(({ name }) => name).sort();

describe.each([
  ['a folder', local],
  ['S3', s3],
  ['Azure', azure],
  ['Google Cloud Storage', gcs],
])('the files of %s', (_, kind) => {
  let files: StorageFiles;
  beforeAll(async () => {
    await kind.start();
    files = await openStorage(kind.storage(), kind.env);
  }, INSTALL_MS);
  it('are written, read, listed with their sizes, and removed', async () => {
    await fill(files, ['rw/c1/p/a', 'rw/c1/p/1/b']);
    expect((await files.read('rw/c1/p/a', signal))?.toString()).toBe('rw/c1/p/a');
    expect(await files.read('rw/c1/p/none', signal)).toBeUndefined();
    const listed = await all(files.list('rw/c1/p', signal));
    expect(listed.sort((a, b) => a.name.localeCompare(b.name))).toEqual([
      { name: '1/b', bytes: 11 },
      { name: 'a', bytes: 9 },
    ]);
    expect(await files.remove(['rw/c1/p/a', 'rw/c1/p/1/b', 'rw/c1/p/gone'], signal)).toEqual([]);
    await files.finishRemoval('rw/c1/p', signal);
    expect(await namesIn(files, 'rw')).toEqual([]);
    expect(await namesIn(files, 'never')).toEqual([]);
  });

  it('are listed completely, over several pages', { timeout: 60_000 }, async () => {
    const names = Array.from({ length: MANY }, (_, index) => `${index % 7}/${index}.sst`);
    await fill(
      files,
      names.map((name) => `many/${name}`),
    );
    expect(await namesIn(files, 'many')).toEqual(names.sort());
  });

  it('never match those of a longer name', async () => {
    await fill(files, ['jobs/job-1/a', 'jobs/job-10/b']);
    expect(await namesIn(files, 'jobs/job-1')).toEqual(['a']);
    await files.remove(['jobs/job-1/a'], signal);
    await files.finishRemoval('jobs/job-1', signal);
    expect(await namesIn(files, 'jobs')).toEqual(['job-10/b']);
  });

  it('are in folders, which are named one by one', async () => {
    await fill(files, ['tree/c1/p/a', 'tree/c2/p/a', 'tree/c2/q/a', 'tree/file']);
    expect((await all(files.folders('tree', signal))).sort()).toEqual(['c1', 'c2']);
    expect((await all(files.folders('tree/c2', signal))).sort()).toEqual(['p', 'q']);
    expect(await all(files.folders('', signal))).toContain('tree');
    expect(await all(files.folders('never', signal))).toEqual([]);
  });

  it('are kept nowhere after they are deleted, and not locked, unless the storage says so', async () => {
    expect(await files.traits(signal)).toEqual({ keepsOldVersions: false, versions: '', lock: '' });
  });

  it('are not read beyond an aborted signal', async () => {
    const reason = new Error('stop');
    await expect(all(files.list('many', AbortSignal.abort(reason)))).rejects.toBe(reason);
  });

  it('refuse a path that is too short or not clean (D9)', async () => {
    for (const path of ['backup', '', 'c1/../../etc', 'c1/./p', '/c1/p', 'c1//p', '../c1/p'])
      await expect(openBackupFiles(kind.storage(), path, kind.env)).rejects.toMatchObject({ code: 'storage_unusable' });
    const view = await backupFilesIn(files, 'c1/p');
    expect(() => view.read('../q/backupmeta', signal)).toThrow('is not the name of a file');
  });
});

describe.each([
  ['S3', s3],
  ['Azure', azure],
  ['Google Cloud Storage', gcs],
])('%s in trouble', (_, kind) => {
  const list = async (storage: Storage, env: Env = kind.env, answerMs?: number) =>
    all((await openStorage(storage, env, answerMs === undefined ? {} : { answerMs })).list('c1', signal));

  it('says that a bucket is not there', async () => {
    await expect(list(kind.storage({ bucket: 'nowhere' }))).rejects.toMatchObject({
      code: 'storage_unusable',
      message: expect.stringMatching(/nowhere is not there/),
    });
  });

  it('gives up an endpoint that accepts and stays silent', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const storage = kind.storage({ endpoint: `http://127.0.0.1:${port}` });
    await expect(list(storage, kind.env, 300)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^Nothing was heard of the (bucket|container) backups for 0.3 s/),
    });
    silent.close();
    for (const socket of sockets) socket.destroy();
  });

  it('gives up a file that stops in its middle', async () => {
    const server = createHttpServer((_request, response) => {
      response.writeHead(200, { 'content-length': 100, etag: '"1"' }).write('half');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const storage = kind.storage({ endpoint: `http://127.0.0.1:${port}` });
    const files = await openStorage(storage, kind.env, { answerMs: 300 });
    await expect(files.read('c1/p/backupmeta', signal)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/^Nothing was heard/),
    });
    server.closeAllConnections();
    server.close();
  });

  it('gives up a file that never ends, and one that is longer than is read', async () => {
    const server = createHttpServer((request, response) => {
      // Azure always tells the length.
      const known = kind === azure || request.url?.includes('long');
      const header = { etag: '"1"', 'x-goog-hash': '', ...(known && { 'content-length': 1e12 }) };
      response.writeHead(200, header);
      const go = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', go);
      go();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const files = await openStorage(kind.storage({ endpoint: `http://127.0.0.1:${port}` }), kind.env);
    for (const name of ['c1/p/endless', 'c1/p/long'])
      await expect(files.read(name, signal)).rejects.toMatchObject({
        code: 'storage_unusable',
        message: expect.stringMatching(/could not be read: it has more than 1048576 bytes/),
      });
    server.closeAllConnections();
    server.close();
  });

  it('gives up a file that comes slower than a file of its kind may', async () => {
    const server = createHttpServer((_request, response) => {
      response.writeHead(200, { etag: '"1"', 'content-length': 1_000 });
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const files = await openStorage(kind.storage({ endpoint: `http://127.0.0.1:${port}` }), kind.env);
    await expect(files.read('c1/p/a', signal, { bytes: 1_000_000, ms: 500 })).rejects.toMatchObject({
      code: 'unavailable',
      message: 'c1/p/a could not be read within 0.5 s; it is tried again.',
    });
    server.closeAllConnections();
    server.close();
  });

  it('says that a bucket cannot be listed whose pages do not advance', async () => {
    const server = createHttpServer((request, response) => {
      const json = request.url?.includes('/storage/v1/') ?? false;
      response.writeHead(200, { 'content-type': json ? 'application/json' : 'application/xml' });
      response.end(json ? SAME_PAGE.gcs : request.url?.includes('comp=list') ? SAME_PAGE.azure : SAME_PAGE.s3);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await expect(list(kind.storage({ endpoint: `http://127.0.0.1:${port}` }))).rejects.toMatchObject({
      code: 'storage_unusable',
      message: expect.stringMatching(/cannot be listed: it answers with the same page again and again/),
    });
    server.closeAllConnections();
    server.close();
  });

  it('calls an endpoint that nobody listens at trouble that may pass', async () => {
    await expect(list(kind.storage({ endpoint: 'http://127.0.0.1:1' }))).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/ECONNREFUSED/),
    });
  });
});

/** A page that says that there is another one, which is this one again. */
const SAME_PAGE = {
  s3: '<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents><Key>deep/er/c1/a</Key><Size>1</Size></Contents></ListBucketResult>',
  azure:
    '<?xml version="1.0" encoding="utf-8"?><EnumerationResults ServiceEndpoint="http://x/" ContainerName="backups"><Blobs><Blob><Name>deep/er/c1/a</Name><Properties><Last-Modified>Mon, 27 Jul 2026 00:00:00 GMT</Last-Modified><Etag>1</Etag><Content-Length>1</Content-Length></Properties></Blob></Blobs><NextMarker>t</NextMarker></EnumerationResults>',
  gcs: JSON.stringify({ items: [{ name: 'deep/er/c1/a', size: '1' }], nextPageToken: 't' }),
};

/** Fails with AppError `storage_unusable`, in words that hold no secret. */
async function refused(act: Promise<unknown>, words: RegExp): Promise<void> {
  const error = (await act.then(
    () => expect.unreachable(),
    (thrown: unknown) => thrown,
  )) as Error & { cause?: Error };
  expect(error).toMatchObject({ code: 'storage_unusable', message: expect.stringMatching(words) });
  for (const secret of [SECRET, AZURE_SECRET]) expect(inspect(error, { depth: 10 })).not.toContain(secret);
}

describe('S3', () => {
  const open = (bucket: string, overrides: Partial<S3Location> = {}, env: Env = s3.env) =>
    openStorage(
      storageAt({ $case: 's3', value: S3Location.create({ bucket, endpoint: s3.server.endpoint, ...overrides }) }),
      env,
    );
  const make = (Bucket: string, lock = false) =>
    s3.client.send(new CreateBucketCommand({ Bucket, ObjectLockEnabledForBucket: lock }));

  it('tells that a bucket keeps old versions', async () => {
    await make('versioned');
    const VersioningConfiguration = { Status: 'Enabled' as const };
    await s3.client.send(new PutBucketVersioningCommand({ Bucket: 'versioned', VersioningConfiguration }));
    expect(await (await open('versioned')).traits(signal)).toEqual({
      keepsOldVersions: true,
      versions: expect.stringMatching(/^The bucket versioned keeps old versions/),
      lock: '',
    });
  });

  it('tells of object lock, with and without a time of its own', async () => {
    await make('locked', true);
    const files = await open('locked');
    expect(await files.traits(signal)).toMatchObject({
      keepsOldVersions: true,
      lock: expect.stringMatching(/one by one/),
    });
    await s3.client.send(
      new PutObjectLockConfigurationCommand({
        Bucket: 'locked',
        ObjectLockConfiguration: {
          ObjectLockEnabled: 'Enabled',
          Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 30 } },
        },
      }),
    );
    expect((await files.traits(signal)).lock).toBe('The bucket locked locks every version for 30 days (COMPLIANCE).');
    await files.write('c1/p/a', 'a', signal);
    expect(await files.remove(['c1/p/a'], signal)).toEqual([]);
  });

  it('says of each file that may not be deleted why, and removes the others', async () => {
    await make('guarded');
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Deny', Principal: '*', Action: 's3:DeleteObject', Resource: 'arn:aws:s3:::guarded/c1/p/1/*' },
      ],
    });
    const files = await open('guarded');
    await fill(files, ['c1/p/backupmeta', 'c1/p/backup.lock', 'c1/p/1/a.sst', 'c1/p/2/b.sst']);
    await s3.client.send(new PutBucketPolicyCommand({ Bucket: 'guarded', Policy }));
    const names = ['c1/p/1/a.sst', 'c1/p/2/b.sst'];
    expect(await files.remove(names, signal)).toEqual([{ name: 'c1/p/1/a.sst', why: 'AccessDenied: Access Denied' }]);
    expect(await namesIn(files, 'c1/p')).toEqual(['1/a.sst', 'backup.lock', 'backupmeta']);
  });

  it('ends uploads that were never finished, of this path alone', async () => {
    await make('uploads');
    for (const Key of ['c1/p/a.sst', 'c1/p-r1/a.sst'])
      await s3.client.send(new CreateMultipartUploadCommand({ Bucket: 'uploads', Key }));
    await (await open('uploads')).finishRemoval('c1/p', signal);
    const { Uploads } = await s3.client.send(new ListMultipartUploadsCommand({ Bucket: 'uploads' }));
    expect(Uploads?.map(({ Key }) => Key)).toEqual(['c1/p-r1/a.sst']);
  });

  it('takes a role from the store that gives it away', async () => {
    const files = await open('backups', { roleArn: 'arn:aws:iam::123456789012:role/backup', externalId: 'tidemark' });
    expect(await namesIn(files, 'never')).toEqual([]);
  });

  it('signs with the keys that the storage names, and tells when they are refused', async () => {
    const key = await s3.server.makeKey();
    const storage = { ...s3.storage(), credentials: { source: { $case: 'envPrefix' as const, value: 'PROD_' } } };
    const env = { PROD_AWS_ACCESS_KEY_ID: key.accessKeyId, PROD_AWS_SECRET_ACCESS_KEY: key.secretAccessKey };
    await s3.server.checkKeys(true);
    try {
      const files = await openStorage(storage, { ...s3.env, ...env });
      await fill(files, ['keys/p/a']);
      expect(await files.remove(['keys/p/a'], signal)).toEqual([]);
      await refused(namesIn(await open('backups'), 'c1'), /refuses the credentials .*InvalidAccessKeyId/);
      const wrong = await openStorage(storage, { ...env, PROD_AWS_SECRET_ACCESS_KEY: SECRET });
      await refused(namesIn(wrong, 'c1'), /refuses the credentials .*SignatureDoesNotMatch/);
    } finally {
      await s3.server.checkKeys(false);
    }
  });

  it('tells that there are no credentials', async () => {
    const env = { AWS_PROFILE: 'nobody', AWS_SHARED_CREDENTIALS_FILE: '/nowhere', AWS_CONFIG_FILE: '/nowhere' };
    await refused(namesIn(await open('backups', {}, env), 'c1'), /has no credentials for the bucket backups/);
  });
});

describe('Azure', () => {
  it('says of each blob that may not be deleted why, and removes the others', async () => {
    const files = await openStorage(azure.storage({ prefix: '' }), azure.env);
    await fill(files, ['leased/p/a', 'leased/p/b']);
    const lease = azure.client.getContainerClient('backups').getBlobClient('leased/p/a').getBlobLeaseClient();
    await lease.acquireLease(-1);
    expect(await files.remove(['leased/p/a', 'leased/p/b', 'leased/p/../p/b'], signal)).toEqual([
      { name: 'leased/p/../p/b', why: expect.stringMatching(/cannot be sent/) },
      { name: 'leased/p/a', why: 'LeaseIdMissing' },
    ]);
    expect(await namesIn(files, 'leased/p')).toEqual(['a']);
    await lease.releaseLease();
  });

  it('tells that deleted blobs are kept for a while', async () => {
    const files = await openStorage(azure.storage(), azure.env);
    await azure.client.setProperties({ deleteRetentionPolicy: { enabled: true, days: 7 } });
    expect(await files.traits(signal)).toMatchObject({
      keepsOldVersions: true,
      versions: expect.stringMatching(/for 7 days \(soft delete\)/),
    });
    await azure.client.setProperties({ deleteRetentionPolicy: { enabled: false } });
  });

  it('tells that credentials are refused, or that no account is named', async () => {
    const env = { ...azure.env, AZURE_STORAGE_KEY: AZURE_SECRET };
    await refused(
      openStorage(azure.storage(), env).then((files) => namesIn(files, 'c1')),
      /is denied \(AuthorizationFailure\)/,
    );
    await refused(openStorage(azure.storage(), { AZURE_STORAGE_KEY: AZURE_SECRET }), /names no account/);
  });
});

describe('Google Cloud Storage', () => {
  it('tells that a bucket keeps old versions', async () => {
    await gcs.client.createBucket('versioned', { versioning: { enabled: true } });
    const files = await openStorage(gcs.storage({ bucket: 'versioned' }), {});
    expect(await files.traits(signal)).toMatchObject({
      keepsOldVersions: true,
      versions: expect.stringMatching(/^The bucket versioned keeps old versions/),
    });
  });

  it('tells of a retention policy, of soft delete, and of objects that may not be deleted', async () => {
    // The server above knows none of them; these are Google's answers.
    const google = createHttpServer((request, response) => {
      response.setHeader('content-type', 'application/json');
      const reason = 'Object is subject to the bucket’s retention policy';
      const denied = {
        error: { code: 403, message: reason, errors: [{ message: reason, reason: 'retentionPolicyNotMet' }] },
      };
      if (request.method === 'DELETE') response.statusCode = 403;
      response.end(
        JSON.stringify(
          request.method === 'DELETE'
            ? denied
            : {
                retentionPolicy: { retentionPeriod: '864000' },
                softDeletePolicy: { retentionDurationSeconds: '604800' },
              },
        ),
      );
    });
    await new Promise<void>((resolve) => google.listen(0, '127.0.0.1', resolve));
    const { port } = google.address() as { port: number };
    const files = await openStorage(gcs.storage({ endpoint: `http://127.0.0.1:${port}` }), {});
    expect(await files.traits(signal)).toEqual({
      keepsOldVersions: true,
      versions: expect.stringMatching(/keeps deleted objects for 7 days/),
      lock: expect.stringMatching(/before they are 10 days old/),
    });
    expect(await files.remove(['c1/p/a'], signal)).toEqual([
      { name: 'c1/p/a', why: expect.stringMatching(/retention policy/) },
    ]);
    google.closeAllConnections();
    google.close();
  });

  it('reads no more of the file with the credentials than a key can have, and tells nothing of what it holds', async () => {
    using stack = new DisposableStack();
    const folder = stack.adopt(mkdtempSync(join(tmpdir(), 'tidemark-key-')), (path) =>
      rmSync(path, { recursive: true }),
    );
    const file = join(folder, 'key.json');
    const env = { GOOGLE_APPLICATION_CREDENTIALS: file };
    const sentence = /key\.json cannot be used .*at most 16 KiB.* holds Google’s credentials as JSON/;
    await refused(openStorage(gcs.storage(), env), sentence);
    const key = (bytes: number) => JSON.stringify({ type: 'authorized_user', x: 'x' }).padEnd(bytes);
    for (const content of [SECRET, '"text"', 'null', key(16_385)]) {
      writeFileSync(file, content);
      await refused(openStorage(gcs.storage(), env), sentence);
    }
    writeFileSync(file, key(16_384));
    await openStorage(gcs.storage(), env);
    symlinkSync('/dev/zero', join(folder, 'zero.json'));
    const endless = { GOOGLE_APPLICATION_CREDENTIALS: join(folder, 'zero.json') };
    await refused(openStorage(gcs.storage(), endless), /zero\.json cannot be used/);
  });
});

describe.each<[string, Kind, number, Record<string, string>, string, string, RegExp]>([
  [
    'a region that is wrong',
    s3,
    400,
    {},
    '<Error><Code>AuthorizationHeaderMalformed</Code><Message>expecting eu-west-1</Message></Error>',
    'storage_unusable',
    /is not in the region "us-east-1"/,
  ],
  ['a redirection to another region', s3, 301, {}, '', 'storage_unusable', /correct the region/],
  [
    'access that is denied',
    s3,
    403,
    {},
    '<Error><Code>AccessDenied</Code></Error>',
    'storage_unusable',
    /Access to the bucket backups is denied/,
  ],
  [
    'a server in trouble',
    s3,
    503,
    {},
    '<Error><Code>SlowDown</Code></Error>',
    'unavailable',
    /trouble with .*SlowDown/,
  ],
  [
    'a signature that is wrong',
    azure,
    403,
    { 'x-ms-error-code': 'AuthenticationFailed' },
    '<Error><Code>AuthenticationFailed</Code><Message>The MAC is not the same</Message></Error>',
    'storage_unusable',
    /refuses the credentials/,
  ],
  [
    'a token that is refused',
    gcs,
    401,
    {},
    '{"error":{"code":401,"message":"Invalid Credentials"}}',
    'storage_unusable',
    /refuses the credentials/,
  ],
  [
    'access that is denied by Google',
    gcs,
    403,
    {},
    '{"error":{"code":403,"message":"no storage.objects.list access"}}',
    'storage_unusable',
    /is denied/,
  ],
])('%s', (_, kind, status, headers, body, code, words) => {
  it('is told as what it is', async () => {
    const server = createHttpServer((_request, response) => {
      const type = body.startsWith('{') ? 'application/json' : 'application/xml';
      response.writeHead(status, { 'content-type': type, ...headers }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const files = await openStorage(kind.storage({ endpoint: `http://127.0.0.1:${port}` }), kind.env);
    await expect(namesIn(files, 'c1')).rejects.toMatchObject({ code, message: expect.stringMatching(words) });
    server.closeAllConnections();
    server.close();
  });
});

it('takes its time for a file that comes slowly, as long as it comes', async () => {
  const server = createHttpServer(async (_request, response) => {
    response.writeHead(200, { 'content-length': 8 });
    for (const piece of 'complete') {
      response.write(piece);
      await sleep(100);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const files = await openStorage(s3.storage({ endpoint: `http://127.0.0.1:${port}` }), s3.env, { answerMs: 500 });
  expect((await files.read('c1/p/backupmeta', signal))?.toString()).toBe('complete');
  server.closeAllConnections();
  server.close();
});

it('sends deletions to S3 with the checksum that older stores want', async () => {
  const sent: IncomingHttpHeaders[] = [];
  const server = createHttpServer((request, response) => {
    sent.push(request.headers);
    response.writeHead(200, { 'content-type': 'application/xml' }).end('<DeleteResult/>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const files = await openStorage(s3.storage({ endpoint: `http://127.0.0.1:${port}` }), s3.env);
  expect(await files.remove(['c1/p/a'], signal)).toEqual([]);
  expect(sent).toEqual([expect.objectContaining({ 'content-md5': expect.stringMatching(/^[\w+/]{22}==$/) })]);
  expect(Object.keys(sent[0] ?? {}).filter((name) => name.includes('checksum'))).toEqual([]);
  server.closeAllConnections();
  server.close();
});
