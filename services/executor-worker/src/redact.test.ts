import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedactor } from './redact.ts';

const pass = (secrets: readonly string[], chunks: readonly string[]) => {
  const redact = createRedactor(secrets);
  return [...chunks.map((chunk) => redact(Buffer.from(chunk))), redact.end()].join('');
};

describe('the redactor', () => {
  it('takes a secret out, also one that is cut between chunks', () => {
    expect(pass(['s3cr3t!'], ['key=s3c', 'r3', 't! and s3cr3t!\n'])).toBe('key=[redacted] and [redacted]\n');
  });

  it('holds nothing back of a line that ends in no secret', () => {
    const redact = createRedactor(['abcd']);
    expect(redact(Buffer.from('[progress] 17%\n')).toString()).toBe('[progress] 17%\n');
    expect(redact(Buffer.from('xyab')).toString()).toBe('xy');
    expect(redact(Buffer.from('x')).toString()).toBe('abx');
  });

  it('lets everything pass where there is no secret, or only one too short to be one', () => {
    expect(pass([], ['a', 'b'])).toBe('ab');
    expect(pass(['a', ''], ['a', 'b'])).toBe('ab');
  });

  it('passes no secret on and loses nothing else, however the output is cut', () => {
    const secrets = ['AKIAEXAMPLE', 'wJalrXUtnFEMI', 'aaab'];
    const piece = fc.oneof(fc.constantFrom(...secrets), fc.string({ unit: fc.constantFrom('a', 'b', 'A', 'w', '\n') }));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(40), { maxLength: 12 }), (pieces, cuts) => {
        const text = pieces.join('');
        const at = cuts.map((cut) => Math.min(cut, text.length)).sort((one, other) => one - other);
        const chunks = [...at, text.length].map((to, index) => text.slice(at[index - 1] ?? 0, to));
        const passed = pass(secrets, chunks);
        for (const secret of secrets) expect(passed).not.toContain(secret);
        expect(passed).toBe(pass(secrets, [text]));
      }),
    );
  });
});
