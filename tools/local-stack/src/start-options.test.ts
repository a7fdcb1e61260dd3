import { describe, expect, test } from 'vitest';
import { REPOSITORY } from './repository.ts';
import { HELP, parseStartOptions } from './start-options.ts';

const parse = (...args: string[]) => parseStartOptions(args, '/home/me');

test('without arguments the documented port, two workers and .tidemark are meant', () => {
  expect(parse()).toEqual({
    dataDir: `${REPOSITORY}/.tidemark`,
    fresh: false,
    demoFleet: false,
    port: 4116,
    workers: 2,
  });
});

test('a real cluster is one line', () => {
  expect(parse('--br', process.execPath, '--pd', '10.0.0.5:2379, 10.0.0.6:2379', '--storage', 'backups')).toMatchObject(
    {
      br: process.execPath,
      pd: ['10.0.0.5:2379', '10.0.0.6:2379'],
      storage: '/home/me/backups',
    },
  );
  expect(parse('--storage', 'local:///mnt/backup')).toMatchObject({ storage: '/mnt/backup' });
});

test('the help names every option', () => {
  expect(parse('--help')).toBe('help');
  for (const flag of ['port', 'workers', 'data', 'demo-fleet', 'fresh', 'br', 'pd', 'storage', 'help']) {
    expect(HELP).toContain(`--${flag}`);
  }
});

describe('one sentence says what is wrong with', () => {
  test.each([
    [['--prot', '1'], "Unknown option '--prot'. npm start -- --help lists the options."],
    [['backup'], "Unexpected argument 'backup'. npm start -- --help lists the options."],
    [['--port', 'x'], '--port must be a whole number from 1 to 65000, not "x".'],
    [['--workers', '0'], '--workers must be a whole number from 1 to 64, not "0".'],
    [['--br', 'nowhere/br', '--pd', 'a:1'], '--br must name a program that can be executed; "nowhere/br" is none.'],
    [['--br', 'br'], '--br needs --pd <host:port>: the cluster it backs up.'],
    [
      ['--demo-fleet', '--br', process.execPath, '--pd', 'a:1'],
      '--demo-fleet is for demo-br: a real br finds no such clusters.',
    ],
    [['--pd', 'a:1'], '--pd needs --br <program>: demo-br talks to no cluster.'],
    [
      ['--br', process.execPath, '--pd', 'http://a:1'],
      '--pd must be host:port, several separated by commas; "http://a:1" is none.',
    ],
    [
      ['--storage', 's3://bucket'],
      '--storage must be a folder or a local:// URL; "s3://bucket" is a kind of storage that does not work yet.',
    ],
  ])('%j', (args, sentence) => {
    expect(() => parse(...args)).toThrow(sentence);
  });
});
