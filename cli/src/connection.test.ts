import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findConnection } from './connection.ts';
import { UsageError } from './exit.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tidemark-cli-'));
  writeFileSync(join(folder, 'mine'), 'my-token\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

const find = (sources: Partial<Parameters<typeof findConnection>[0]> = {}) =>
  findConnection({ env: {}, folder, repository: folder, ...sources });
const started = () => {
  mkdirSync(join(folder, '.tidemark'));
  writeFileSync(
    join(folder, '.tidemark', 'connection.json'),
    JSON.stringify({ url: 'http://127.0.0.1:4116', token: 'started' }),
  );
};

it('takes options before the environment, and the environment before what npm start wrote', () => {
  started();
  expect(find()).toMatchObject({ url: 'http://127.0.0.1:4116', token: 'started' });
  const env = { TIDEMARK_URL: 'https://env/', TIDEMARK_TOKEN_FILE: 'mine' };
  expect(find({ env })).toMatchObject({ url: 'https://env', token: 'my-token' });
  expect(find({ env, url: 'http://option:1/api/v1/' })).toMatchObject({ url: 'http://option:1', token: 'my-token' });
  expect(find({ tokenFile: 'mine' })).toMatchObject({ url: 'http://127.0.0.1:4116', token: 'my-token' });
});

it('sends the token of what npm start started nowhere else', () => {
  started();
  expect(() => find({ url: 'http://elsewhere' })).toThrow(/--token-file/);
});

it('says what is missing or wrong', () => {
  expect(() => find()).toThrow(/--url or TIDEMARK_URL/);
  expect(() => find({ url: 'ftp://x', tokenFile: 'mine' })).toThrow(/must be like http:/);
  expect(() => find({ url: 'nonsense' })).toThrow(/must be like http:.*"nonsense" is not/);
  expect(() => find({ url: 'nonsense', tokenFile: 'absent' })).toThrow(/must be like http:/);
  expect(() => find({ env: { TIDEMARK_URL: 'nonsense' } })).toThrow(/must be like http:/);
  expect(() => find({ env: { TIDEMARK_URL: 'nonsense' }, context: 'prod' })).toThrow(/no context "prod"/);
  expect(() => find({ url: 'http://x', tokenFile: 'absent' })).toThrow(/absent cannot be read \(ENOENT\)/);
  writeFileSync(join(folder, 'long'), 'a'.repeat(65_537));
  expect(() => find({ url: 'http://x', tokenFile: 'long' })).toThrow(/long is too large \(over 65536 bytes\)/);
  writeFileSync(join(folder, 'two'), 'a b');
  expect(() => find({ url: 'http://x', tokenFile: 'two' })).toThrow(UsageError);
});
