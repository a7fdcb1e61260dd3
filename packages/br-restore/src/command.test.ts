import { S3Location, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { describe, expect, it } from 'vitest';
import { type RestoreOrder, restoreArguments, withRateLimit } from './command.ts';

const local = Storage.create({ id: 's', location: { $case: 'local', value: { path: '/mnt/backup' } } });
const order = (fields: Partial<RestoreOrder> = {}): RestoreOrder => ({
  source: { storage: local, path: 'nfs/c1/p', key: undefined },
  target: { pd: ['a:2379', 'b:2379'], tls: undefined },
  options: {},
  ...fields,
});

const AT_THE_START = ['restore', 'full', '--pd', 'a:2379,b:2379', '--storage', 'local:///mnt/backup/nfs/c1/p'];
const AT_THE_END = ['--log-level', 'info', '--send-credentials-to-tikv=true', '--status-addr', '127.0.0.1:0'];

describe('the command line of a restore', () => {
  it.each([
    ['v6.5.3', ['--checksum=true', '--with-sys-table=false']],
    ['v7.1.0', ['--checksum=true', '--with-sys-table=false']],
    ['v7.5.1', ['--checksum=true', '--with-sys-table=false']],
    ['v8.0.0', ['--checksum=true', '--with-sys-table=false', '--load-stats=true']],
    ['v8.1.0', ['--checksum=true', '--with-sys-table=false', '--load-stats=true']],
    ['v8.5.0', ['--checksum=true', '--with-sys-table=false', '--load-stats=true']],
    ['v8.5.5', ['--checksum=true', '--with-sys-table=false', '--load-stats=true']],
    ['v9.0.0-beta.1', ['--checksum=true', '--with-sys-table=false', '--load-stats=true']],
  ])('says to br %s every default that changes between versions, and no flag that it does not know', (version, said) =>
    expect(restoreArguments(order(), version)).toEqual([...AT_THE_START, ...said, ...AT_THE_END]),
  );

  it('has the options of the restore, the TLS files of the target and the key file of the backup', () => {
    const args = restoreArguments(
      order({
        source: { storage: local, path: 'nfs/c1/p', key: { method: 'aes256-ctr', keyFile: '/etc/key' } },
        target: { pd: ['a:2379'], tls: { ca: '/ca', cert: '/cert', key: '/key' } },
        options: {
          withSystemTables: true,
          loadStats: false,
          placementPolicies: 'ignore',
          waitTiFlashReady: true,
          extra: { 'tikv-max-restore-concurrency': '64', 'checksum-concurrency': '8' },
        },
      }),
      'v8.5.0',
    );
    expect(args.slice(6)).toEqual([
      '--checksum=true',
      '--with-sys-table=true',
      '--load-stats=false',
      ...AT_THE_END,
      ...['--ca', '/ca', '--cert', '/cert', '--key', '/key'],
      '--with-tidb-placement-mode',
      'IGNORE',
      '--wait-tiflash-ready=true',
      ...['--crypter.method', 'aes256-ctr', '--crypter.key-file', '/etc/key'],
      '--checksum-concurrency=8',
      '--tikv-max-restore-concurrency=64',
    ]);
  });

  it('names an object store as the backup named it, and no credentials', () => {
    const storage = Storage.create({
      id: 's',
      location: {
        $case: 's3',
        value: S3Location.create({ bucket: 'b', prefix: 'p', endpoint: 'http://minio:9000', forcePathStyle: true }),
      },
      sendCredentialsToTikv: false,
    });
    const args = restoreArguments(order({ source: { storage, path: 'c1/x', key: undefined } }), 'v8.5.0');
    expect(args).toContain('s3://b/p/c1/x?force-path-style=true');
    expect(args).toContain('--send-credentials-to-tikv=false');
    expect(args.join(' ')).toContain('--s3.endpoint http://minio:9000');
  });

  it('is the same to the byte however its options are ordered, but for the rate limit of an attempt', () => {
    const one = restoreArguments(order({ options: { extra: { b: '1', a: '2' } } }), 'v8.5.0');
    const other = restoreArguments(order({ options: { extra: { a: '2', b: '1' } } }), 'v8.5.0');
    expect(one).toEqual(other);
    expect(withRateLimit(one, 100)).toEqual([...one, '--ratelimit', '100']);
    expect(withRateLimit(one, 0)).toEqual(one);
  });

  it('has the rules of a filter in their order, and behind them what leaves databases of the system out', () => {
    const args = restoreArguments(order({ options: { filter: ['shop.*', '!shop.tmp', '`a b`.*'] } }), 'v8.5.5');
    const rules = args.flatMap((arg, at) => (arg === '--filter' ? [args[at + 1]] : []));
    expect(rules.slice(0, 3)).toEqual(['shop.*', '!shop.tmp', '`a b`.*']);
    expect(rules.slice(3)).toEqual([
      '!__TiDB_BR_Temporary_*.*',
      ...['mysql', 'sys', 'information_schema', 'performance_schema', 'metrics_schema', 'inspection_schema'].map(
        (name) => `!${name}.*`,
      ),
    ]);
  });

  it('never switches off what keeps a target safe', () => {
    for (const version of ['v6.5.0', 'v7.5.0', 'v8.5.0', 'v9.0.0']) {
      const args = restoreArguments(order(), version).join(' ');
      expect(args).not.toMatch(/check-requirements|use-checkpoint|online|no-schema|filter/);
    }
  });
});
