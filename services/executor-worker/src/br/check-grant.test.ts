import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { BrOptions, S3Location, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { describe, expect, it } from 'vitest';
import { requireSoundPlace, requireSoundTarget, requireTlsFiles } from './check-grant.ts';

const PD = ['10.0.0.1:2379', 'https://[::1]:2379', 'pd_0.pd:2379'];
const local = (path: string) => Storage.create({ location: { $case: 'local', value: { path } } });
const s3 = (bucket: string) => Storage.create({ location: { $case: 's3', value: S3Location.create({ bucket }) } });

describe('a worker that is handed a backup by a stranger', () => {
  it('runs what backup-service accepts', () => {
    requireSoundPlace({ storage: local('/mnt/backup'), path: 'nfs/em/backup/c1/2026-01-01-full-r2' });
    requireSoundPlace({ storage: s3('my-bucket.eu'), path: 'root/c_1' });
    requireSoundTarget(
      Target.create({
        pd: PD,
        tls: { ca: '/tls/ca.pem', cert: '', key: '' },
        brOptions: BrOptions.create({ filters: ['shop.*'], extra: { gcttl: '3600' } }),
      }),
    );
  });

  it.each(['../../etc', '/etc', 'a', 'a//b', 'a/./b', 'a/b?x', 'a/b\0'])('starts nothing in the path %j', (path) =>
    expect(() => requireSoundPlace({ storage: local('/mnt'), path })).toThrow(/refuses .*path must be/),
  );

  it.each([local('/'), local('/mnt/../etc'), s3('b?endpoint=http://evil'), s3('b/c'), s3('evil@b')])(
    'starts nothing in a storage that is another than it says: $location.value',
    (storage) => expect(() => requireSoundPlace({ storage, path: 'a/b' })).toThrow(/refuses .*storage must/),
  );

  it.each([
    [{ brOptions: BrOptions.create({ filters: ['@/etc/passwd'] }) }, 'brOptions.filters[0] must not name a file'],
    [
      { brOptions: BrOptions.create({ extra: { storage: 'local:///' } }) },
      'brOptions.extra.storage is set by Tidemark',
    ],
    [{ brOptions: BrOptions.create({ extra: { 'log-file': '/etc/cron.d/x' } }) }, 'brOptions.extra.log-file'],
    [{ tls: { ca: '../ca', cert: '', key: '' } }, 'tls.ca must be an absolute path'],
    [{ pd: ['evil:2379,a:1'] }, 'pd must be'],
    [{ pd: [] }, 'pd must be'],
  ])('hands br nothing of %j', (fields, told) =>
    expect(() => requireSoundTarget(Target.create({ pd: PD, ...fields }))).toThrow(told),
  );
});

it('looks at the TLS files of a cluster before br opens them: a certificate may be readable, a key may not', async () => {
  using stack = new DisposableStack();
  const folder = stack.adopt(mkdtempSync(join(tmpdir(), 'tidemark-tls-')), (path) => rmSync(path, { recursive: true }));
  const file = (name: string, mode: number) => {
    writeFileSync(join(folder, name), 'pem', { mode });
    return join(folder, name);
  };
  const [open, closed] = [file('open.pem', 0o644), file('closed.pem', 0o600)];
  const check = (key: string, ca = open) => requireTlsFiles({ ca, cert: '', key }, folder, AbortSignal.timeout(5_000));
  await check(closed);
  await expect(check(open)).rejects.toThrow('others cannot');
  await expect(check(closed, '/dev/zero')).rejects.toThrow('must be a file of at most 1024 KiB');
});
