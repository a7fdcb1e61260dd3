import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { curlLine, pathOf, quoted, type Same, tidemarkLine } from './shell.ts';

const same = (more: Partial<Same>): Same => ({ method: 'GET', path: '/fleet', tidemark: ['status'], ...more });

describe('a word for a shell', () => {
  it.each(['plain', 'two words', "it's", '$HOME `id` "x" \\', '*', '', 'a\nb', ';rm', 'ü'])('stays %j', (word) => {
    expect(execFileSync('sh', ['-c', `printf %s ${quoted(word)}`], { encoding: 'utf8' })).toBe(word);
  });
});

it('a request is a line of curl in which the token is a variable', () => {
  expect(curlLine('http://here', same({}))).toBe('curl http://here/api/v1/fleet -H "Authorization: Bearer $TOKEN"');
  expect(curlLine('http://here', same({ method: 'POST', path: '/backups', body: { clusterId: "o'er" } }))).toBe(
    `curl -X POST http://here/api/v1/backups -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"clusterId":"o'\\''er"}'`,
  );
});

it('a command names its words one by one', () => {
  expect(tidemarkLine(same({ tidemark: ['backup', 'start', 'a b'] }))).toBe(`tidemark backup start 'a b'`);
});

it('a path keeps what an id holds within its part', () => {
  expect(pathOf(['clusters', 'a/b?c'], new URLSearchParams([['x', '1 2']]))).toBe('/clusters/a%2Fb%3Fc?x=1+2');
});
