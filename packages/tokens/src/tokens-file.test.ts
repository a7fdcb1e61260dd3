import { describe, expect, it } from 'vitest';
import { findToken, hashToken, isExpired, parseTokensFile } from './tokens-file.ts';

const HASH = hashToken('word');
const entry = (changes: object = {}) => ({
  id: 't1',
  name: 'ci',
  sha256: HASH,
  role: 'viewer',
  clusters: ['orders'],
  ...changes,
});
const parse = (...entries: object[]) => parseTokensFile(JSON.stringify({ tokens: entries }));

it('reads tokens that are limited by ids, by labels, by both or not at all', () => {
  const labels = { env: 'prod' };
  const { tokens } = parse(
    entry(),
    entry({ id: 't2', clusters: ['*'] }),
    entry({ id: 't3', clusters: undefined, labels }),
    entry({ id: 't4', labels }),
  );
  expect(tokens.map((token) => [token.clusters, token.labels])).toEqual([
    [['orders'], {}],
    [['*'], {}],
    [[], labels],
    [['orders'], labels],
  ]);
});

it('keeps what a later version has added', () => {
  const text = JSON.stringify({ version: 9, tokens: [entry({ note: 'mine' })] });
  expect(parseTokensFile(text)).toMatchObject({ version: 9, tokens: [{ note: 'mine' }] });
});

describe('one bad entry spoils the file, and the reason says where and why without what stands there:', () => {
  it.each([
    ['no JSON', '{"tokens":[{"secret-word', 'it is not JSON'],
    ['a list', '[]', 'it must be an object'],
    ['no tokens', '{}', 'tokens must be a list'],
  ])('%s', (_, text, sentence) => {
    expect(() => parseTokensFile(text)).toThrow(sentence);
    expect(() => parseTokensFile(text)).not.toThrow(/secret-word/);
  });

  it.each([
    [{ role: 'secret-word' }, 'tokens.1.role must be one of viewer, operator, admin'],
    [{ sha256: 'secret-word' }, 'tokens.1.sha256 must be 64 small hexadecimal digits'],
    [{ sha256: undefined }, 'tokens.1.sha256 must be a text'],
    [{ clusters: [] }, 'tokens.1.clusters must name a cluster, or *'],
    [{ clusters: ['prod-*'] }, 'tokens.1.clusters.0 must be the id of a cluster, or *'],
    [{ clusters: 'orders' }, 'tokens.1.clusters must be a list'],
    [{ clusters: ['*'], labels: { env: 'prod' } }, 'must not name * beside labels'],
    [{ clusters: [], labels: {} }, 'tokens.1.clusters must name a cluster'],
    [{ labels: { env: '' } }, 'tokens.1.labels.env must not be empty'],
    [{ labels: ['env=prod'] }, 'tokens.1.labels must be an object'],
    [{ expiresAt: '2027-01-31' }, 'tokens.1.expiresAt must be a time'],
    [{ name: 'two\nlines' }, 'tokens.1.name must be 1 to 128 characters'],
    [{ name: 'scheduler' }, 'tokens.1.name must not be one of'],
    [{ id: 't1' }, 'tokens.1.id is that of another token too'],
  ])('%j', (changes, sentence) => {
    const text = () => parse(entry(), entry({ id: 't2', ...changes }));
    expect(text).toThrow(sentence);
    expect(text).not.toThrow(/secret-word/);
  });

  it('and names a few of very many', () => {
    expect(() => parse(...Array.from({ length: 20 }, () => ({})))).toThrow(/\(and \d+ more\)$/);
  });
});

it('finds a token by its hash, and knows when it is over', () => {
  const known = ['a', 'b'].map((word) => ({ word, digest: Buffer.from(hashToken(word), 'hex') }));
  expect(findToken(known, 'b')?.word).toBe('b');
  expect(findToken(known, 'c')).toBeUndefined();
  const expiresAt = '2027-01-31T00:00:00+01:00';
  const at = Date.parse(expiresAt);
  expect([isExpired({ expiresAt }, at - 1), isExpired({ expiresAt }, at), isExpired({}, at)]).toEqual([
    false,
    true,
    false,
  ]);
});
