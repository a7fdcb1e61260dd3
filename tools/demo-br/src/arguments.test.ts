import { expect, test } from 'vitest';
import { boolFlag, listFlag, parseCommandLine, textFlag } from './arguments.ts';
import { loggedArguments, requestedBackupTs, toBackupOptions } from './backup-options.ts';
import { dialectOf } from './dialect.ts';
import { tsoAt, tsoMillis } from './tso.ts';

const flagsOf = (line: string) => parseCommandLine(line.split(' ')).flags;
const NOW = dialectOf('v8.5.0');
const hashOf = (line: string) => toBackupOptions(flagsOf(line), NOW).configHash;

test('flags may stand before, between and after the words, long or short', () => {
  const { words, flags } = parseCommandLine(
    '-u a:1,b:2 backup --checksum=false full -s local:///x --pd=c:3 -f shop.* -f !shop.tmp -L info'.split(' '),
  );
  expect(words).toEqual(['backup', 'full']);
  expect(listFlag(flags, 'pd', [])).toEqual(['a:1', 'b:2', 'c:3']);
  expect(listFlag(flags, 'filter', [])).toEqual(['shop.*', '!shop.tmp']);
  expect(boolFlag(flags, 'checksum', true)).toBe(false);
  expect(textFlag(flags, 'log-level')).toBe('info');
});

test('a boolean takes no value from the next argument', () => {
  const { words, flags } = parseCommandLine(['backup', 'full', '--checksum', 'false']);
  expect(words).toEqual(['backup', 'full', 'false']);
  expect(boolFlag(flags, 'checksum', false)).toBe(true);
});

test.each([
  ['--x', 'unknown flag: --x'],
  ['-x', "unknown shorthand flag: 'x' in -x"],
  ['--storage', 'flag needs an argument: --storage'],
  [
    '--checksum=maybe',
    'invalid argument "maybe" for "--checksum" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
  ],
  ['--ratelimit=-1', 'invalid argument "-1" for "--ratelimit" flag: strconv.ParseUint: parsing "-1": invalid syntax'],
  ['--timeago=1', 'invalid argument "1" for "--timeago" flag: time: invalid duration "1"'],
])('%s is refused in the words of br', (argument, message) => {
  expect(() => parseCommandLine(['backup', 'full', argument])).toThrow(message);
});

test('speed, log and checksum flags may change between attempts, storage, PD order and filters may not', () => {
  const first = hashOf('--pd a,b -s local:///x -f shop.* --s3.region r --checksum=false');
  expect(hashOf('--pd a,b -s local:///x -f shop.* --s3.region r --ratelimit 5 --log-file /y --checksum=true')).toBe(
    first,
  );
  expect(hashOf('--pd b,a -s local:///x -f shop.* --s3.region r --checksum=false')).not.toBe(first);
  expect(hashOf('--pd a,b -s local:///x/ -f shop.* --s3.region r --checksum=false')).not.toBe(first);
  expect(hashOf('--pd a,b -s local:///x -f *.* --s3.region r --checksum=false')).not.toBe(first);
  expect(hashOf('--pd a,b -s local:///x -f shop.* --s3.region q --checksum=false')).not.toBe(first);
});

test('the query of the storage and the key of the crypter are not logged, that of Azure is', () => {
  expect(
    loggedArguments(
      flagsOf('--storage local:///x?secret-access-key=s --crypter.key 00 --azblob.account-key k --pd a,b'),
    ),
  ).toEqual([
    ['azblob.account-key', 'k'],
    ['crypter.key', '<redacted>'],
    ['pd', '[a,b]'],
    ['storage', 'local:///x'],
  ]);
});

test('the snapshot point is now, some time ago, a TSO or a time', () => {
  const now = Date.UTC(2024, 4, 1);
  expect(tsoMillis(requestedBackupTs(new Map(), now))).toBe(now);
  expect(tsoMillis(requestedBackupTs(flagsOf('--timeago=1h'), now))).toBe(now - 3_600_000);
  expect(requestedBackupTs(flagsOf('--backupts=432834567783317505'), now)).toBe(432834567783317505n);
  const { flags } = parseCommandLine(['--backupts', '2024-05-01 01:00:00 +00:00']);
  expect(tsoMillis(requestedBackupTs(flags, now))).toBe(Date.UTC(2024, 4, 1, 1));
  expect(() => requestedBackupTs(flagsOf('--backupts=soon'), now)).toThrow('[BR:Common:ErrInvalidArgument]');
});

test('a TSO is what PD would have given', () => {
  expect(tsoAt(1_651_132_842_191, 1)).toBe(432834567783317505n);
  expect(tsoMillis(435844546560000000n)).toBe(1_662_615_000_000);
});

test.each([
  ['--pd https://a:1', 'pd url starts with https while TLS disabled'],
  ['--pd http://a:1 --ca /ca', 'pd url starts with http while TLS enabled'],
  ['--compression gzip', "invalid compression type 'gzip'"],
])('%s is refused', (line, message) => {
  expect(() => toBackupOptions(flagsOf(line), NOW)).toThrow(`${message}: [BR:Common:ErrInvalidArgument]`);
});

test('addresses of PD lose their scheme', () => {
  expect(toBackupOptions(flagsOf('--pd http://a:1,b:2'), NOW).pd).toEqual(['a:1', 'b:2']);
  expect(toBackupOptions(flagsOf('--pd https://a:1 --ca /ca'), NOW).pd).toEqual(['a:1']);
});

test('an incremental backup must be later than the one that it continues, and compares no sums', () => {
  expect(() => requestedBackupTs(flagsOf('--backupts=5 --lastbackupts=5'), 0)).toThrow(
    '[BR:Common:ErrInvalidArgument]',
  );
  expect(requestedBackupTs(flagsOf('--backupts=6 --lastbackupts=5'), 0)).toBe(6n);
  expect(toBackupOptions(flagsOf('--lastbackupts=5 --checksum=true'), NOW).checksum).toBe(false);
});

test('an incremental backup has no checkpoint', () => {
  expect(toBackupOptions(flagsOf('--lastbackupts=5'), NOW).useCheckpoint).toBe(false);
  expect(toBackupOptions(flagsOf('--use-checkpoint=false'), NOW).useCheckpoint).toBe(false);
  expect(toBackupOptions(new Map(), NOW).useCheckpoint).toBe(true);
});
