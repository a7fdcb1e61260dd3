import { Target } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { expect, it } from 'vitest';
import { backupArguments, brEnvironment } from './command.ts';
import { chooseProgram, hasCheckpointLock } from './programs.ts';

it('writes the command line that a backup of a plain cluster needs, every changing default said', () => {
  expect(backupArguments(Target.create({ pd: ['a:2379', 'b:2379'] }), '/mnt/backup/nfs/c1/p')).toEqual([
    'backup',
    'full',
    '--pd',
    'a:2379,b:2379',
    '--storage',
    'local:///mnt/backup/nfs/c1/p',
    '--checksum=false',
    '--log-level',
    'info',
    '--send-credentials-to-tikv=true',
  ]);
});

it('adds TLS and options, and escapes what a URL cannot hold', () => {
  const target = Target.create({
    pd: ['a:2379'],
    tls: { ca: '/ca', cert: '/cert', key: '/key' },
    brOptions: { rateLimit: 128, concurrency: 8, compression: 'lz4', filters: ['shop.*', '!shop.tmp'], checksum: true },
  });
  const args = backupArguments(target, '/mnt/my backup?#');
  expect(args).toContain('local:///mnt/my%20backup%3F%23');
  expect(args.join(' ')).toContain('--checksum=true');
  expect(args.slice(10)).toEqual([
    '--ca',
    '/ca',
    '--cert',
    '/cert',
    '--key',
    '/key',
    '--ratelimit',
    '128',
    '--concurrency',
    '8',
    '--compression',
    'lz4',
    '--filter',
    'shop.*',
    '--filter',
    '!shop.tmp',
  ]);
});

it('gives br an environment from an allow-list: nothing of the worker’s own secrets', () => {
  const env = brEnvironment(
    { PATH: '/bin', TIDEMARK_AMQP_URL: 'amqp://u:hush@h', TIDEMARK_SERVICE_TOKEN: 'hush', HTTP_PROXY: 'x' },
    '/tmp/run',
  );
  expect(env).toEqual({ PATH: '/bin', TMPDIR: '/tmp/run', BR_LOG_TO_TERM: '1' });
});

it('chooses the br that fits the cluster: same release, else same minor, else same major, else none', () => {
  const programs = ['v7.5.3', 'v8.1.0', 'v8.5.0', 'v8.5.4'].map((version) => ({ path: `/br-${version}`, version }));
  const choose = (version: string) => chooseProgram(programs, version)?.version;
  expect(['8.5.0', 'v8.5.2', '8.1.9', '8.3.0', '7.1.0', '6.5.0', ''].map(choose)).toEqual([
    'v8.5.0',
    'v8.5.4',
    'v8.1.0',
    'v8.5.4',
    'v7.5.3',
    undefined,
    'v8.5.4',
  ]);
});

it('knows from which release on br has a lock of its own', () => {
  expect(['v5.4.0', 'v6.5.0', 'v6.5.1', 'v8.5.0'].map(hasCheckpointLock)).toEqual([false, false, true, true]);
});
